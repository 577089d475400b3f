"""Fingerprint, score and snapshot to a verdict.

pipeline     what cannot be judged; extract, attribute, real test, decide, for a batch
attribute    fingerprints against every registered generator
decide       evidence and policy to an outcome; pure
policy       what is flagged, and at which levels; policy.toml is the default
verdicts     what was found, as the records that leave; every judge builds them there
judged       what leaves this room
"""
