"""Regions of a picture to a fingerprint: block statistics, and one map for each codec.

bundle           the folder that training hands over, verified and loaded; and written
bundle_trust     whether anybody vouches for it
bundle_arrays    its arrays as the files hold them, the large ones in 8 bits
document         what `bundle.json` says
arrival          which codec an image shows, in its file or in its pixels
fingerprint_map  block statistics to a fingerprint, and what each block adds to a score
extract          a batch of images to one fingerprint each, on the CPU
products         a batch's matrix products on the CPU, in 8 bits
nuisance         what kind of picture it is, in fifteen numbers
nuisance_sums    the compiled passes over its pixels
periods          those that look for periods along rows and columns
earlier_jpeg     was a picture a JPEG before: on which grid, of which quality
comb_counts      what that counts: votes for grids, histograms of coefficients
comb_likelihood  which standard table such histograms fit

The room `blocks` inside turns all pixels of a picture into block statistics; `on_device` does all
of it on a card.
"""
