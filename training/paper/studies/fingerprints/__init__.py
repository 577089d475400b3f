"""What fingerprints lie in.

Bands and patches (`persistence`), training photographs (`subsets`), colour and place (`controls`).
"""
