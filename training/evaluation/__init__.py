"""What a bundle is worth on pictures that nothing learned from: `latentprint train evaluate`.

Everything is judged by the worker's own stages. Pictures are drawn and fingerprinted once and kept;
registries of any size are then asked about the same fingerprints.

- plan.py            how many pictures of whom, at which sides, under which arrivals
- subjects.py        what is shown: a source of photographs, a kind of picture, a generator
- photographs.py     the subjects that are real, or no photographs
- made.py            the generators, with samples to register them from
- judge.py           what is asked of a judge, and what it answers
- worker_judge.py    the judge that is the worker: its decoder, extractor, gate and pipeline
- kept.py            fingerprints of a subject on disk
- gather.py          draw what is missing, in several processes
- registries.py      the generators registered from N samples, and fillers beside them
- measures.py        shares with intervals, curves, calibration
- asked.py           each registry asked about each subject: the rows of the report
- experiments.py     registries of 1 to 1,000 models, 10 to 200 samples, open-set curves
- goals.py           the goals of the issue against the rows
- run.py             all of it, to open-set.json
- baselines/         what simpler methods do on the same pictures, to baselines.json
- pages/             the pages and plots, from the two json files alone
"""
