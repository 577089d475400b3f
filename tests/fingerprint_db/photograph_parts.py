"""Made-up parts of a calibration."""

import numpy as np

from fingerprint_db.calibration import Origin, PhotographPart
from fingerprint_db.calibration_encoding import eight_bits
from fingerprint_db.conditions import CODECS, Codec


def part(
    source: str,
    count: int = 4,
    *,
    seed: int = 0,
    dimension: int = 24,
    codec: Codec = "lossless",
    size_class: int = 2,
    origin: Origin = "files",
    spread: float = 1.0,
) -> PhotographPart:
    """Ordinary photographs of one codec and size class; the same for the same arguments."""
    rng = np.random.default_rng([seed, len(source)])
    vectors, scales = eight_bits(spread * rng.normal(size=(count, dimension)))
    return PhotographPart(
        source,
        origin,
        0.0 if origin == "files" else 0.25,
        rng.integers(0, 256, (count, 16), dtype=np.uint8),
        np.full(count, CODECS.index(codec), np.uint8),
        np.full(count, size_class, np.uint8),
        rng.normal(size=(count, 15)).astype(np.float16),
        vectors,
        scales,
    )
