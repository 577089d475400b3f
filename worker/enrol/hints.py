"""What is left out of a folder of samples or unusual about it: told, nothing is refused for it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SMALLEST_HALVED = 48
"""Below, a halved copy has sides under 24 pixels, of which no verdict is given."""

NOISE_CORRELATION = 0.5
"""Between neighbouring pixels; of photographs and generated pictures it is 0.8 and more."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A sample that was not used, and why."""

    subject: str
    why: str


@dataclass(frozen=True, slots=True)
class Traits:
    """What the hints look at in one sample.

    `stored_as` is Pillow's mode (RGB, P, CMYK, RGBA …); `jpeg_quality` is None unless JPEG;
    `correlation`, -1..1, says how much neighbouring pixels are alike.
    """

    width: int
    height: int
    stored_as: str
    lossy: bool
    jpeg_quality: int | None
    correlation: float


def correlation_of(picture: NDArray[np.uint8]) -> float:
    """How much each pixel of (3, H, W) is like its right neighbour: -1..1, 1 for a flat picture."""
    grey = picture.mean(axis=0, dtype=np.float32)  # (H, W)
    left, right = grey[:, :-1] - grey.mean(), grey[:, 1:] - grey.mean()
    scale = float(np.sqrt((left * left).mean() * (right * right).mean()))
    return float((left * right).mean()) / scale if scale > 0 else 1.0


def hints_of(samples: Sequence[Traits]) -> tuple[str, ...]:
    """Each thing that is unusual, with what follows from it and what to do."""
    if not samples:
        return ()
    count, hints = len(samples), []
    noise = sum(sample.correlation < NOISE_CORRELATION for sample in samples)
    if 2 * noise > count:
        hints.append(
            f"{noise} of {count} samples look like noise: neighbouring pixels have little to do"
            " with one another. Are these what the generator shows? What is registered here will"
            " be found in noisy pictures of any origin"
        )
    small = sum(min(sample.width, sample.height) < SMALLEST_HALVED for sample in samples)
    if small:
        hints.append(
            f"{small} of {count} samples have a side below {SMALLEST_HALVED} pixels, so they say"
            " nothing of halved copies, and larger pictures of the generator may differ. Register"
            " from pictures at the size that it writes"
        )
    sizes = sorted(
        {(sample.width * sample.height, sample.width, sample.height) for sample in samples}
    )
    if sizes[-1][0] >= 2 * sizes[0][0]:
        first, last = sizes[0], sizes[-1]
        hints.append(
            f"the samples have {len(sizes)} sizes, from {first[1]}x{first[2]} to"
            f" {last[1]}x{last[2]} pixels. A picture that was resized carries traces of that"
            " instead of its generator's. Register each size on its own, or the originals alone"
        )
    stored = Counter(sample.stored_as for sample in samples)
    if len(stored) > 1 or set(stored) & {"P", "CMYK"}:
        kinds = ", ".join(f"{number} {kind}" for kind, number in stored.most_common())
        hints.append(
            f"the samples are stored as {kinds}. A palette or CMYK changes the very pixels that"
            " carry the fingerprint. Register from files as the generator wrote them"
        )
    lossy = [sample for sample in samples if sample.lossy]
    if lossy:
        qualities = sorted({s.jpeg_quality for s in lossy if s.jpeg_quality is not None})
        between = f", JPEG quality {qualities[0]} to {qualities[-1]}" if qualities else ""
        hints.append(
            f"{len(lossy)} of {count} samples were compressed with loss already{between}. What is"
            " said below of each condition holds for pictures that were compressed like these"
            " first; the generator's own PNG files, and copies made of them, may not be"
            " recognised. Register from uncompressed originals where you can"
        )
    return tuple(hints)
