"""Fingerprints that hold for generators, photographs and files never seen: fitted and measured.

- plan.py     what is drawn: how many pictures of whom, at which sides, under which conditions
- classes.py  sources of photographs with their histories, and generators, as classes of pictures
- corpus.py   their pictures to block statistics on disk
- fit.py      block statistics to a condition's map and its statistics
- naming.py   made or real, and by which model: the scores of registered generators
- trial.py    unseen families registered from few images, and photographs of unseen sources judged
- field_set.py a folder of pictures to measure the program's own commands on
- run.py      each family and source unseen once; and those that were held out from all of it
"""
