"""Samples of a generator to fingerprints under every condition.

image_files  which files of a folder are images
copies       samples that are one picture over again
hints        what is unusual about a folder of samples
in_order     several at once, results in the order of the samples
samples      every sample under every condition
recompress   one picture under one condition
"""
