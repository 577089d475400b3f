"""What simpler methods do on the very pictures that the worker is judged on.

Each is registered from the same samples, asked about the same pictures, and names at the same
nominal level, set on photographs of sources that it may learn from.

- files.py      the files of a subject on disk, with samples under every arrival
- cell.py       all pictures of one side and arrival, decoded: samples, photographs, what is asked
- methods.py    the list of baselines, and what a baseline is
- prnu.py       correlation of noise residuals
- dct_ridge.py  ridge regression on the logarithms of DCT coefficients
- harmonics.py  gradient boosting on the spectrum of a residual at harmonics
- network.py    the paper's attribution network, nearest class mean
- naming.py     scores and a threshold to answers, and rows of a cell
- run.py        all cells in several processes, to baselines.json
"""
