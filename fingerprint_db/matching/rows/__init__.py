"""Registered means by the hundred thousand: which can matter to an image, and what they say.

scoring        scores, distances and likelihoods in a codec's space
byte_products  products of bytes, many at once
stored         numbers where a model keeps them, read without a copy
shelf          the means of one codec as bytes; further ones are only ever added
search         the first pass over all of them, by bounds
pairs          rows that it leaves, scored in full
"""
