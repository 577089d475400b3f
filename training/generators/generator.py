"""One generator, whatever it is made of: its name, its family, and the pictures that it makes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from training.generators.roles import Kind, Role, kind_of, role_of
from training.generators.squares import square, wide_enough
from worker.enrol.recompress import Picture


@dataclass(frozen=True, slots=True, eq=False)
class Generator:
    """A source of made pictures; generators of one family differ by weights or noise level.

    `sides` are the sizes in pixels that `make` may be asked for. A generator that draws from noise
    takes no photographs.
    """

    name: str
    family: str
    draws_from_noise: bool
    sides: tuple[int, ...]
    _make: Callable[[int, int, int, Sequence[Picture]], list[Picture]]

    @property
    def role(self) -> Role:
        """Whether anything may learn from it."""
        return role_of(self.family)

    @property
    def kind(self) -> Kind:
        """Simulated, network, gan or trained."""
        return kind_of(self.family)

    def make(
        self, count: int, side: int, seed: int, pictures: Sequence[Picture] = ()
    ) -> list[Picture]:
        """`count` pictures of `side` pixels: uint8 (3,side,side) each; same seed, same pictures.

        Picture i of one made from photographs comes from `usable[i % len(usable)]`, `usable` being
        those of `pictures` (uint8 (3,H,W)) with both sides of `side` or more, in their order.
        ValueError for a side that it does not make, or when no photograph is large enough.
        """
        if side not in self.sides:
            raise ValueError(f"{self.name} makes sides of {self.sides}, not {side}")
        return self._make(count, side, seed, pictures)


def from_pictures(
    name: str, family: str, sides: tuple[int, ...], render: Callable[[Picture, int], Picture]
) -> Generator:
    """A generator that turns the square (3,S,S) of a photograph into its version of it.

    `render` gets the square and a seed of 32 bits for what it draws, and answers with (3,S,S).
    """

    def make(count: int, side: int, seed: int, pictures: Sequence[Picture]) -> list[Picture]:
        usable = wide_enough(pictures, side)
        made = []
        for number in range(count):
            # The squares do not depend on the generator: all can be shown the same content.
            rng = np.random.default_rng([seed, side, number])
            source = square(usable[number % len(usable)], side, rng)
            made.append(render(source, int(rng.integers(1 << 32))))
        return made

    return Generator(name, family, False, sides, make)
