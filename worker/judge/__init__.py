"""Fingerprint, score and snapshot to a verdict.

pipeline     what cannot be judged; extract, attribute, test, decide, for a batch
attribute    fingerprints against every registered generator, in each space of their files
prepared     a verified registry made ready to be judged with, on the follower's thread
photographs  real photographs that no registration changes: levels of the generic test, and kinds
measured     what was measured of one image, as the parts of its verdict
decide       evidence and policy to an outcome; pure
policy       what is flagged, and at which levels; policy.toml is the default
drift        whether what is judged still resembles what calibrates; pure
verdicts     what was found, as the records that leave; every judge builds them there
judged       what leaves this room
"""
