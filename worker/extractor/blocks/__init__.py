"""A picture's pixels to numbers made by hand: sums over regions, which may be added and finished.

planes            a region as float32 and whole Y, Cb, Cr, converted once
lanes             what a compiled loop cannot say: comparisons as bits of a word, copies of a row
sixteen           sixteen float32 as one value of a compiled loop, and their sizes counted
block_transforms  DCTs of many 8x8 blocks at once
shifted_dct       the kernel of the next three: DCT statistics on one grid or on shifted ones
block_dct         Y, Cb, Cr on the codec's own 8x8 grid
phase_dct         Y on sixteen grids, whose differences show a generator's lattice
chroma_phase      Cb and Cr at half size, as 4:2:0 keeps them, on sixteen grids
residual_symbols  the kernel of the next two: differences of neighbours as five symbols
co_occurrences    three neighbouring symbols of Y, Cb or Cr
colour            the symbols of R, G and B at one place
spectrum          log mean power of Y, Cb and Cr in windows
picture_features  all blocks by name: accumulate, pool, finish
"""
