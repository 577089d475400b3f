"""The worker beside frameworks that people use for such work: same topic, same stages.

`stages` is what they all do with an image; `plain`, `quix`, `wax`, `arroyo_peer` and `faust_peer`
are written as their users would write them and run in an environment of their own, made of
`requirements.lock`, which `pins` writes; `measure` runs rounds, `contenders` says how each is
started, `watching` reads what they delivered and what it took, `summary` makes medians of it, and
`page` writes docs/peers.md.
"""
