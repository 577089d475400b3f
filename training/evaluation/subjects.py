"""A subject: pictures of one origin, as files that arrive, and how they are to be counted."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from training.histories.conditions import CONDITIONS
from worker.enrol.recompress import Picture

What = Literal["photographs", "whole", "kind", "other", "generator"]
"""Cuts of photographs of one source; their whole files as they came; photographs after a history,
or damaged files; pictures that are no photographs; pictures of one generator."""

Group = Literal["noise", "photographs", "simulated", ""]
"""Of generators: they draw from noise; they make theirs from photographs; nobody trained them."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One file as it arrives; `owner` tells pictures of one origin, such as a photograph."""

    arrival: str
    owner: int
    data: bytes


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """What is judged together.

    `name` is the source, the kind or the generator; `family` and `group` are a generator's, of a
    kind `family` is its group. `side` in pixels, 0 where pictures have several. `draw` gives the
    same files at every call, `samples` those to register a generator from, and `version` changes
    where one of them does.
    """

    what: What
    name: str
    family: str
    group: Group
    side: int
    draw: Callable[[], Iterator[Shown]]
    version: str
    samples: Callable[[], Iterator[bytes]] | None = None

    @property
    def title(self) -> str:
        """A name of its own, for files and messages."""
        return f"{self.what} {self.name} {self.side}" if self.side else f"{self.what} {self.name}"


def number_of(text: str) -> int:
    """48 bits of a text's SHA-256, for seeds and identities."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


def arriving(
    picture: Picture, arrivals: tuple[str, ...], owner: int, seed: list[int]
) -> Iterator[Shown]:
    """One picture under each of the arrivals."""
    for name in arrivals:
        rng = np.random.default_rng([*seed, number_of(name)])
        yield Shown(name, owner, CONDITIONS[name](picture, rng))
