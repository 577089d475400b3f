"""The pages of the evaluation, from open-set.json and baselines.json alone.

- summary.py      README: what was asked, the goals, groups of generators
- details.py      each generator; photographs, sources and kinds of pictures
- baselines.py    simpler methods beside the product, on the same pictures
- model_card.py   what the bundle is, for whom, and where it ends
- figures.py      the plots
- tables.py       Markdown tables, and the line that says how figures came about
- write.py        all of them into a folder
"""
