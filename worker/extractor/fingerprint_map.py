"""From a picture's block statistics to its fingerprint: one codec's map.

1. Each number less its mean, over its deviation, clipped: one odd number must not decide.
2. The leading directions of these, the same for every codec of a group: the basis.
3. The codec's own map to the space in which the covariances of photographs and of one generator's
   images are both diagonal (fingerprint_db/background.py).

Letters: N pictures, F block statistics, B directions of the basis, D fingerprint size.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from worker.extractor.blocks.picture_features import BLOCKS, accumulate, finish, pool
from worker.extractor.blocks.planes import Region

Floats = NDArray[np.float32]


def block_statistics(regions: Iterable[Region], blocks: Sequence[str] = tuple(BLOCKS)) -> Floats:
    """The statistics (F,) of the named blocks, in that order, over a picture's regions together.

    `regions` are uint8 RGB (3, H, W), sides of 32 and more, or their planes; at least one.
    """
    found = finish(pool(accumulate(region, blocks) for region in regions))
    return np.concatenate([found[name] for name in blocks])


@dataclass(frozen=True, slots=True, eq=False)
class CodecMap:
    """clip((x - mean) / scale) @ basis @ projection + offset.

    `blocks` are the statistics that x holds. `mean` and `scale` (F,), `basis` (F, B), `projection`
    (B, D) and `offset` (D,) are float32; `clip` is in deviations. ValueError where sizes differ,
    where a block is unknown, and where a scale is not positive.
    """

    blocks: tuple[str, ...]
    mean: Floats
    scale: Floats
    clip: float
    basis: Floats
    projection: Floats
    offset: Floats

    def __post_init__(self) -> None:
        if unknown := [name for name in self.blocks if name not in BLOCKS]:
            raise ValueError(f"{unknown} are no blocks; there are {', '.join(BLOCKS)}")
        size = sum(BLOCKS[name] for name in self.blocks)
        width, dimension = self.basis.shape[-1], self.projection.shape[-1]
        seen = tuple(
            array.shape
            for array in (self.mean, self.scale, self.basis, self.projection, self.offset)
        )
        expected = ((size,), (size,), (size, width), (width, dimension), (dimension,))
        if seen != expected:
            raise ValueError(
                f"mean, scale, basis, map and offset have shapes {seen}; expected {expected} for"
                f" the blocks {', '.join(self.blocks)}"
            )
        if not (self.scale > 0).all():
            raise ValueError("a scale of the map is not positive")
        if not all(np.isfinite(part).all() for part in (self.mean, self.scale, self.offset)):
            raise ValueError("a number of the map is not finite")

    @property
    def dimension(self) -> int:
        """D, the size of a fingerprint."""
        return len(self.offset)

    def standard(self, features: NDArray[np.floating]) -> Floats:
        """Block statistics (N, F) in deviations from their means, at most `clip` of them."""
        standard = np.array(features, np.float32)
        standard -= self.mean
        standard /= self.scale
        np.clip(standard, -self.clip, self.clip, out=standard)
        return standard

    def fingerprint(self, standard: Floats) -> Floats:
        """Standardised statistics (N, F) to fingerprints (N, D)."""
        led: Floats = standard @ self.basis  # (N, B)
        fingerprints: Floats = led @ self.projection + self.offset
        return fingerprints

    def shares(self, standard: Floats, direction: Floats) -> dict[str, float]:
        """What each block adds to a picture's score in a direction (D,), the offset apart.

        `standard` (F,) are its standardised statistics; all shares and offset @ direction together
        are the score, fingerprint @ direction.
        """
        parts = standard * (self.basis @ (self.projection @ direction))
        ends = np.cumsum([BLOCKS[name] for name in self.blocks])
        each = np.split(parts, ends[:-1])
        return {name: float(own.sum()) for name, own in zip(self.blocks, each, strict=True)}
