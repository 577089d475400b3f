"""What fingerprints lie in.

Bands and patches (`persistence`), training photographs (`subsets`), colour and place (`controls`),
and what of these a longer training leaves (`lengths`); and how many images their distance is
measured on (`ratio`), by further ones of the generators (`fresh`).
"""
