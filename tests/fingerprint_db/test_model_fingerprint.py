"""Statistics agree with each other, and lie so that rows can be read from them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fingerprint_db.model_fingerprint import Statistics

GIVEN = Statistics(
    ("one", "two"), (8, 9), (1.0, 2.0), np.zeros((2, 3), np.float16), np.ones((2, 3), np.float16)
)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"conditions": ("one",)}, "1 conditions .* 2 counts, 2 limits and 2 means"),
        ({"counts": (8, 9, 10)}, "2 conditions .* 3 counts"),
        ({"limits": (1.0,)}, "1 limits"),
        ({n: np.ones((3, 3), np.float16) for n in ("means", "variances")}, "3 means"),
        ({"variances": np.ones((2, 4), np.float16)}, "variances of"),
        ({"means": np.zeros(6, np.float16)}, r"shape \(6,\); expected \(C, D\)"),
        ({"means": np.zeros((3, 2), np.float16).T}, "in one piece"),
        ({"means": np.zeros((2, 3))}, "float64"),
    ],
)
def test_statistics_that_do_not_agree_are_refused(changed: dict[str, Any], said: str) -> None:
    assert len(GIVEN) == 2
    with pytest.raises(ValueError, match=said):
        replace(GIVEN, **changed)
