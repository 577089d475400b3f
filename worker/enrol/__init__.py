"""Samples of a generator to fingerprints under every condition.

image_files  which files of a folder are images
samples      every sample under every condition
recompress   one picture under one condition
"""
