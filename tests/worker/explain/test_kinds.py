"""The picture's kind beside that of photographs."""

import numpy as np

from fingerprint_db.background import Cohort
from worker.explain.kinds import MEANINGS, KindNumber, kind_numbers
from worker.extractor.nuisance import Nuisance

V = len(Nuisance.NAMES)


def cohort(kinds: list[float], photographs: list[int], *, aside: int = 0) -> Cohort:
    """All fifteen numbers alike; the last `aside` stand behind the z-norm."""
    count = len(kinds)
    column = np.array(kinds, np.float32)[:, None]
    return Cohort(
        np.zeros((count, 2), np.float32),
        np.array(photographs),
        np.zeros(count, np.int64),
        np.zeros(count, np.int64),
        np.repeat(column, V, axis=1),
        np.arange(count) >= count - aside,
        np.ones(count, np.float32),
    )


def test_the_middle_is_taken_of_photographs_that_calibrate_one_vote_each() -> None:
    # A photograph of 1,000 views far away weighs as much as any other of the hundred.
    kinds = [*np.arange(99.0), *([500.0] * 1000), -900.0]
    photographs = [*range(99), *([99] * 1000), 100]
    found = kind_numbers(np.full(V, 50.0, np.float32), cohort(kinds, photographs, aside=1))
    assert [one.name for one in found] == list(Nuisance.NAMES)
    first = found[0]
    assert (first.low, first.high, first.least, first.most) == (2.0, 97.0, 0.0, 500.0)
    assert not first.unusual


def test_outside_the_middle_is_unusual_and_outside_all_unseen() -> None:
    def one(value: float) -> KindNumber:
        return KindNumber("noise", value, 1.0, 2.0, 0.0, 3.0)

    assert [(one(v).unusual, one(v).unseen) for v in (1.0, 2.5, 0.5, 3.5, -1.0)] == [
        (False, False),
        (True, False),
        (True, False),
        (True, True),
        (True, True),
    ]


def test_without_photographs_nothing_is_said() -> None:
    assert kind_numbers(np.zeros(V, np.float32), cohort([], [])) == ()


def test_every_number_is_explained() -> None:
    assert set(MEANINGS) == set(Nuisance.NAMES)
