"""Crop origins follow from the sha256 of the file alone, and lie on the 8x8 grid."""

import hashlib
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.decoder.crops import (
    CANDIDATES_PER_CROP,
    candidate_origins,
    carries_evidence,
    choose_origins,
    digest_stream,
    luminance,
)

DIGEST = hashlib.sha256(b"an image").digest()


def slow_origins(
    digest: bytes, height: int, width: int, size: int, max_crops: int, bad: set[tuple[int, int]]
) -> list[tuple[int, int]]:
    """The same choice, spelt out: list all positions, shuffle them, take in two rounds."""
    ys = [y for y in range(0, height, 8) if y + size <= height] or [0]
    xs = [x for x in range(0, width, 8) if x + size <= width] or [0]
    positions = [(y, x) for y in ys for x in xs]
    numbers = b"".join(
        hashlib.sha256(digest + i.to_bytes(8, "big")).digest() for i in range(len(positions))
    )
    for i in range(len(positions)):
        j = i + int.from_bytes(numbers[8 * i : 8 * i + 8], "big") % (len(positions) - i)
        positions[i], positions[j] = positions[j], positions[i]
    candidates = positions[: CANDIDATES_PER_CROP * max_crops]
    chosen: list[tuple[int, int]] = []
    for first_round in (True, False):
        for y, x in candidates:
            if len(chosen) == max_crops or (y, x) in bad or (y, x) in chosen:
                continue
            covered = {(r, c) for r in range(y, y + size) for c in range(x, x + size)}
            clear = all(
                not covered & {(r, c) for r in range(v, v + size) for c in range(u, u + size)}
                for v, u in chosen
            )
            if clear or not first_round:
                chosen.append((y, x))
    return chosen


@settings(max_examples=60, deadline=None)
@given(
    digest=st.binary(min_size=32, max_size=32),
    height=st.integers(12, 90),
    width=st.integers(12, 90),
    max_crops=st.integers(1, 9),
    data=st.data(),
)
def test_the_choice_equals_a_slow_loop(
    digest: bytes, height: int, width: int, max_crops: int, data: st.DataObject
) -> None:
    aligned = st.tuples(
        st.integers(0, 9).map(lambda i: 8 * i), st.integers(0, 9).map(lambda i: 8 * i)
    )
    bad = data.draw(st.sets(aligned, max_size=30))
    chosen = choose_origins(
        digest,
        height,
        width,
        crop_size=16,
        max_crops=max_crops,
        usable=lambda y, x: (y, x) not in bad,
    )
    assert chosen == slow_origins(digest, height, width, 16, max_crops, bad)


def test_origins_of_a_known_digest_never_change() -> None:
    """A frozen example: if this fails, old verdicts can no longer be computed again."""
    assert list(itertools.islice(digest_stream(bytes(32)), 2)) == [
        3185397464471143308,
        6538991910595841187,
    ]
    assert candidate_origins(bytes(32), 218, 178, 32, 5) == [
        (176, 16),
        (48, 112),
        (40, 128),
        (72, 136),
        (176, 112),
    ]


def test_every_aligned_position_is_reachable() -> None:
    seen = {
        candidate_origins(hashlib.sha256(bytes([i])).digest(), 45, 64, 32, 1)[0] for i in range(256)
    }
    assert seen == {(y, x) for y in (0, 8) for x in (0, 8, 16, 24, 32)}


def test_a_small_image_has_all_its_positions_looked_at() -> None:
    candidates = candidate_origins(DIGEST, 64, 64, 32, 128)
    assert sorted(candidates) == [(y, x) for y in range(0, 40, 8) for x in range(0, 40, 8)]


def test_a_side_shorter_than_the_crop_has_one_position() -> None:
    assert candidate_origins(DIGEST, 24, 31, 32, 128) == [(0, 0)]


def test_a_large_image_gets_crops_that_do_not_overlap() -> None:
    chosen = choose_origins(
        DIGEST, 3000, 4000, crop_size=32, max_crops=16, usable=lambda y, x: True
    )
    assert len(chosen) == 16
    for (y, x), (v, u) in itertools.combinations(chosen, 2):
        assert abs(y - v) >= 32 or abs(x - u) >= 32


def test_no_more_than_eight_candidates_per_crop_are_looked_at() -> None:
    asked: list[tuple[int, int]] = []

    def never(y: int, x: int) -> bool:
        asked.append((y, x))
        return False

    chosen = choose_origins(DIGEST, 3000, 4000, crop_size=32, max_crops=16, usable=never)
    assert chosen == []
    assert len(asked) == len(set(asked)) == 128


def test_luminance_is_rec_601_within_a_rounding() -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    exact = rgb @ np.asarray((0.299, 0.587, 0.114))
    assert np.abs(luminance(rgb) - exact).max() <= 0.51


@pytest.mark.parametrize(("step", "usable"), [(1, False), (2, True)])
def test_flat_means_a_deviation_below_two(step: int, usable: bool) -> None:
    crop = np.full((32, 32, 3), 100, dtype=np.uint8)
    crop[::2] -= np.uint8(step)
    crop[1::2] += np.uint8(step)  # the standard deviation is exactly `step`
    assert carries_evidence(crop) is usable


@pytest.mark.parametrize(
    ("value", "rows", "usable"), [(255, 16, True), (255, 17, False), (0, 16, True), (0, 17, False)]
)
def test_clipped_means_more_than_half_the_pixels(value: int, rows: int, usable: bool) -> None:
    crop = np.random.default_rng(2).integers(90, 160, (32, 32, 3), dtype=np.uint8)
    crop[:rows] = value
    assert carries_evidence(crop) is usable
