"""Lengths: do baselines lose sight of generators that are trained for longer?

Not in the paper. The first seeds of the set are trained on beyond their own length, with stops
before and behind it, and baselines are fitted at every length to tell them and the real pictures
apart. At the set's own length they are the set's own generators.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

from training.data.lock import locked_when_free
from training.data.manifest import Split
from training.paper.images import REAL, SetUp, drawn, images_config, labelled, recipe_of
from training.paper.studies.attribution import GRIDS, judge_baseline
from training.paper.studies.lab import Lab
from training.paper.studies.measured import Measurement, Result
from training.zoo.sets import ZooModel
from training.zoo.sizes import SIDES
from training.zoo.train import Run, train
from training.zoo.train_set import pictures
from worker.errors import StopError

SEEDS = 3
SHARES = (0.25, 0.5, 1, 2, 3)
"""Lengths, in those of the set's own trainings."""

METHODS = ("eigenface-wider", "knn")
"""What comes up to the network as the seeds are, and what has most room to fall or rise."""


def measurements(lab: Lab, setup: SetUp) -> list[Measurement]:
    """From the shortest to the longest; none in size `paper`, whose trainings take weeks."""
    if lab.size != "small":
        return []
    return [measurement(lab, setup, iterations) for iterations in lengths(setup)]


def lengths(setup: SetUp) -> list[int]:
    """Iterations of the generators."""
    return [round(share * setup.models[0].iterations) for share in SHARES]


def measurement(lab: Lab, setup: SetUp, iterations: int) -> Measurement:
    """Accuracy of the baselines on real pictures and `SEEDS` generators of a length."""
    known = images_config(setup)
    generators = {
        model.name: known["generators"][model.name]
        if iterations == model.iterations
        else recipe_of(replace(model, iterations=iterations))
        for model in setup.models[:SEEDS]
    }
    config = known | {"generators": generators, "grids": {name: GRIDS[name] for name in METHODS}}
    name = f"lengths/{setup.name}/{iterations}"
    return Measurement(name, config, partial(_measure, lab, setup, iterations))


def _measure(lab: Lab, setup: SetUp, iterations: int) -> Result:
    models = setup.models[:SEEDS]
    weights = [weights_after(lab, model, iterations) for model in models]
    sources = (REAL, *(model.name for model in models))
    splits: tuple[Split, ...] = ("train", "validation", "test")
    parts = []
    for split in splits:
        real = pictures(lab.manifest, setup.content, setup.side, split)
        made = [drawn(model.name, path, split) for model, path in zip(models, weights, strict=True)]
        parts.append(labelled([real, *made], sources))
    return {method: judge_baseline(method, *parts) for method in METHODS}


def weights_after(lab: Lab, model: ZooModel, iterations: int) -> Path:
    """A generator's weights after so many iterations; a longer training goes on from a shorter one.

    At its own length those of the set. Raises StopError where the training is further already and
    the weights of this length are gone.
    """
    if iterations == model.iterations:
        return model.weights
    folder = model.folder.with_name(f"{model.name}_lengths")
    kept = folder / f"after-{iterations:06d}.safetensors"
    with locked_when_free(folder / "lock"):
        if not kept.is_file():
            lab.say(f"{model.name}: up to iteration {iterations}, in {folder}")
            photographs = pictures(lab.manifest, model.content, SIDES[model.size], "train")
            run = Run(seed=model.seed, minutes=float("inf"), iterations=iterations)
            trained = train(model.recipe(), run, photographs, folder, lab.place.device)
            if trained.iterations != iterations:
                raise StopError(
                    f"the training in {folder} is at iteration {trained.iterations}, beyond"
                    f" {iterations}, whose weights {kept.name} are gone; remove the folder, and it"
                    " begins anew"
                )
            trained.weights.replace(kept)
    return kept
