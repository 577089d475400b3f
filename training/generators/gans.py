"""The zoo's trained GANs: an architecture is a family, its seeds and data sets are siblings."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

from training.generators.generator import Generator
from training.zoo.generate import generate, load_generator
from training.zoo.sets import ZooModel, models_by_name
from training.zoo.sizes import SIDES
from worker.enrol.recompress import Picture


def gan_generators() -> Iterator[Generator]:
    """Those whose weights are there, committed or trained in the cache folder.

    Without those of shifted subsets: eleven near copies, made for one study of the paper.
    """
    for model in models_by_name().values():
        if model.shift is None and model.weights.is_file():
            yield _of_model(model)


def _of_model(model: ZooModel) -> Generator:
    def make(count: int, side: int, seed: int, pictures: Sequence[Picture]) -> list[Picture]:
        return list(generate(_loaded(model), count, seed)) if count else []

    return Generator(model.name, model.architecture, True, (SIDES[model.size],), make)


_loaded = lru_cache(maxsize=4)(lambda model: load_generator(model.weights))
