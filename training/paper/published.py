"""The numbers that the paper publishes, for the column beside ours.

Yu, Davis and Fritz 2019, arXiv 1811.08180, sections 4.2 to 4.6, as noted at second hand: check the
paper before you quote one. Accuracies in percent; (faces of CelebA, LSUN bedrooms). The paper's
images are of 128x128, with 100,000 for training and 10,000 for test from every source.
"""

NOTE = (
    "The paper's numbers were noted at second hand and are to be checked in the paper before they"
    " are quoted. They hold for images of 128x128 of CelebA (LSUN bedrooms beside our scenes),"
    " 100,000 training and 10,000 test images a source, generators trained a hundred times longer"
    " than ours and networks a thousand times; the two columns share a method, not a test set."
)

KNN, EIGENFACE, PRNU, NETWORK, REFERENCE, FINGERPRINT = range(6)

SET_UPS: dict[str, tuple[float | None, ...]] = {
    "architectures": (28.00, 53.28, 86.61, 99.43, 2.36, 454.76),
    "architectures, scenes": (36.30, None, 67.84, 98.58, 5.27, 226.59),
    "seeds": (10.88, 23.12, 89.40, 99.14, 1.10, 80.28),
    "shifted subsets": (11.46, 27.98, 92.28, 99.50, 1.08, 111.41),
    "most realistic": (11.99, 26.69, 93.50, 99.93, 1.04, 15.63),
}
"""kNN, Eigenface, PRNU, network; FD ratio of Inception features, of fingerprints."""

FREQUENCIES: dict[int, tuple[float, float, float, float]] = {
    128: (99.14, 97.04, 99.14, 97.04),
    64: (98.74, 96.78, 98.64, 96.84),
    32: (95.50, 91.08, 98.52, 96.04),
    16: (87.20, 83.02, 92.90, 91.58),
    8: (67.44, 63.80, 78.74, 80.58),
    4: (26.58, 28.24, 48.42, 54.50),
}
"""By side: low frequencies on faces and bedrooms, one band on faces and bedrooms; seeds."""

PATCHES: dict[int, tuple[float, float]] = {
    128: (99.34, 97.44),
    108: (99.32, 96.30),
    52: (99.30, 95.94),
    24: (99.24, 88.36),
    10: (89.60, 18.26),
    3: (13.42, 17.10),
}
"""By the patch's side: faces, bedrooms; seeds."""

ATTACKS: dict[str, tuple[float, float, float, float]] = {
    "noise": (57.88, 63.82, 9.14, 93.02),
    "blur": (27.37, 42.43, 49.64, 97.20),
    "crop": (9.84, 10.68, 46.80, 98.28),
    "jpeg": (26.15, 44.55, 8.77, 88.02),
    "relighting": (86.59, 87.02, 94.02, 98.66),
    "combination": (19.93, 21.77, 19.31, 72.64),
}
"""PRNU before and after, network before and after immunisation; seeds of ProGAN, faces. The
combination's last number is also read as 84.1."""

VISUALISATION = 97.07
"""Attribution by the visualisation network, seeds of ProGAN, faces."""
