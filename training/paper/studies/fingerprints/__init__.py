"""What fingerprints lie in.

Bands and patches (`persistence`), training photographs (`subsets`), colour and place (`controls`),
and what of these a longer training leaves (`lengths`).
"""
