"""Samples of a generator to fingerprints under every condition.

image_files  which files of a folder are images
copies       samples that are one picture over again
hints        what is left out of a folder of samples or unusual about it
gate_text    the gate's report for people
in_order     several at once, results in the order of the samples
samples      every sample under every condition
reach        which conditions a sample can be enrolled for
whole        a sample's whole picture, from the sandbox
recompress   one picture under one condition
"""
