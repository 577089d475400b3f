"""Generators trained without a critic (training/likelihood), as generators of the list."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from typing import cast

import numpy as np
import torch
from torch import nn

from training.generators.generator import Generator, from_pictures
from training.likelihood.ddpm import Ddpm
from training.likelihood.flow import Flow
from training.likelihood.models import SIDE, LikelihoodModel, load, models
from training.likelihood.vq_decoder import VqDecoder
from training.zoo.generate import to_uint8
from worker.enrol.recompress import Picture

_DECODER_SIDES = (64, 128, 256, 512, 1024)
_BATCH = 16


def trained_generators() -> Iterator[Generator]:
    """Those whose weights are there, committed or trained in the cache folder."""
    for model in models():
        if model.weights.is_file():
            yield generator_of(model, partial(_loaded, model))


def generator_of(model: LikelihoodModel, network: Callable[[], nn.Module]) -> Generator:
    """A model as a generator; `network` gives the trained one whenever pictures are asked for."""
    if model.family == "vq_decoder":
        return from_pictures(
            model.name,
            model.family,
            _DECODER_SIDES,
            lambda square, _: rebuilt(cast(VqDecoder, network()), square),
        )

    def make(count: int, side: int, seed: int, pictures: Sequence[Picture]) -> list[Picture]:
        return drawn(cast(Ddpm | Flow, network()), count, seed)

    return Generator(model.name, model.family, True, (SIDE,), make)


@torch.no_grad()
def rebuilt(decoder: VqDecoder, picture: Picture) -> Picture:
    """uint8 (3,S,S), S a multiple of 4, through the decoder's latents."""
    given = torch.tensor(picture[None]).float() / 127.5 - 1
    return np.ascontiguousarray(to_uint8(decoder.rebuild(given))[0].numpy())


def drawn(network: Ddpm | Flow, count: int, seed: int) -> list[Picture]:
    """`count` pictures uint8 (3,R,R), in whole batches: a longer series begins with a shorter."""
    random, made = torch.Generator().manual_seed(seed), list[Picture]()
    while len(made) < count:
        made += list(to_uint8(network.draw(_BATCH, random)).numpy())
    return made[:count]


_loaded = lru_cache(maxsize=4)(load)
