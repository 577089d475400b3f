"""What fingerprints lie in.

Bands and patches (`persistence`), training photographs (`subsets`), colour and place (`controls`),
what of these a longer training leaves (`lengths`), artefacts or not (`realism`, by `likeness`); and
how many images their distance is measured on (`ratio`), by further ones of the generators
(`fresh`).
"""
