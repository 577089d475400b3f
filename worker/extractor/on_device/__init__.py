"""Extraction on a card: the block statistics of many regions at once, as products and counts.

canvas          regions of unequal sizes as batches of equal ones, in pinned memory
planes          their planes; what lies beyond a region counts nowhere
dct             coefficients of 8x8 blocks by one product with the cosines, and their sums
symbols         residuals as symbols, and joint counts of three of them; used by the next two
co_occurrences  three neighbours in Y, Cb or Cr
colour          R, G and B at one place
spectrum        power of windows, by a batched FFT
statistics      all of these of a batch of regions, added up for each picture, and finished
maps            statistics to fingerprints, by every codec's map
replay          the same work again as one launch: CUDA graphs
device_faults   which errors of torch are the device's, and no image's
extractor       a batch of pictures to fingerprints, waiting for the device once
choice          which extractor, and which card; only where there is one is torch imported

`worker.extractor.blocks` says what is counted and why, and is the measure of the numbers here: the
counts of symbols are the same, the rest agrees within the rounding of float32.
Nothing here is CUDA's alone: on torch's CPU device it computes the same, only slower than the
compiled loops do.
"""
