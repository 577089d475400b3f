"""How fast the worker is, by itself: `make bench`, or `python -m benchmarks.speed`.

__main__   the rounds: stages alone, then workers over one topic, then half of what they can do
beside     processor time of an event beside network, decoding and extraction
half_load  from the sending of an image to its verdict that readers see
page       docs/speed.md, made of the newest results
"""
