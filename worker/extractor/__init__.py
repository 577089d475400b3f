"""Crops to a fingerprint and a score: the only room that knows torch.

bundle               the folder that training hands over, verified and loaded
document             what `bundle.json` says
architectures        the networks by name
networks             the network of the default bundle, built by code
attribution_network  the paper's network, built by code
extract              crops of a batch of images to one fingerprint and score each
device_faults        which errors of torch are the device's, and no image's
calibration          a score to a p-value against real photographs
nuisance             what kind of picture it is, in fifteen numbers
nuisance_sums        the compiled passes over its pixels
local_calibration    p-values against photographs of the same kind, and how many there are
earlier_jpeg         was a picture a JPEG before: on which grid, of which quality
comb_counts          what that counts: votes for grids, histograms of coefficients
comb_likelihood      which standard table such histograms fit

The room `blocks` inside turns all pixels of a picture into block statistics, without torch.
"""
