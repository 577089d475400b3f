"""What the registry says of images whose files may belong to several spaces.

A lossless file may have been halved, which nothing in it tells: it is read in both spaces, and the
one in which a registered generator stands out most speaks for the image.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from fingerprint_db.background import size_class_of
from worker.extractor.extract import ImageFingerprint
from worker.judge.attribute import Matcher, NameFindings


def match_readings(
    matcher: Matcher, fingerprints: Sequence[ImageFingerprint], *, shown: int = 3
) -> list[NameFindings]:
    """Findings of each image, of its most telling reading; `shown` as in `Matcher.match`."""
    pairs = [(one, reading) for one in fingerprints for reading in one.readings]
    found = iter(
        matcher.match(
            np.stack([reading.vector for _, reading in pairs]),
            [reading.codec for _, reading in pairs],
            [size_class_of(one.pixels_read) for one, _ in pairs],
            shown=shown,
        )
    )
    return [_most_telling(list(islice(found, len(one.readings)))) for one in fingerprints]


def _most_telling(found: Sequence[NameFindings]) -> NameFindings:
    """That of the smallest p-value, the first of equals, corrected for how many could answer."""
    tests = max(1, sum(one.level.count > 0 for one in found))
    best = min(found, key=lambda one: one.standing.p_value)
    return replace(
        best,
        standing=best.standing.of_several(tests),
        source_p_value=min(1.0, tests * best.source_p_value),
        ranked=tuple(replace(m, standing=m.standing.of_several(tests)) for m in best.ranked),
        tests=tests,
    )
