"""What is told of an image after a search by bounds is what scoring every model in full tells."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fingerprint_db.background import Floats
from fingerprint_db.matching.enrolled import Enrolled
from fingerprint_db.matching.rows import pairs, search
from fingerprint_db.matching.rows.pairs import Scored
from fingerprint_db.matching.rows.shelf import asked
from fingerprint_db.matching.told import Closest
from fingerprint_db.model_fingerprint import ConditionStatistics, ModelFingerprint, Status
from fingerprint_db.snapshot import Difference
from tests.fingerprint_db.matching.small_spaces import (
    CONSTANTS,
    DIMENSION,
    images,
    model,
    photographs,
    small_space,
)

KNOWN = small_space()
NAMES = ("jpeg75", "twice_jpeg75")
Means = Callable[[np.random.Generator, int], Floats]


def spread(rng: np.random.Generator, count: int) -> Floats:
    """Generators all over the place."""
    return rng.normal(0, 1.0, (count, DIMENSION)).astype(np.float32)


def close(rng: np.random.Generator, count: int) -> Floats:
    """All within what a byte can tell apart, or hardly."""
    found = rng.normal(0, 1.0, DIMENSION) + rng.normal(0, 0.004, (count, DIMENSION))
    return found.astype(np.float32)


def twins(rng: np.random.Generator, count: int) -> Floats:
    """Each several times, to the bit."""
    found = rng.normal(0, 1.0, (count // 8 + 1, DIMENSION)).repeat(8, axis=0)[:count]
    return rng.permutation(found).astype(np.float32)


def one(rng: np.random.Generator, count: int) -> Floats:
    """All the same: everybody ties."""
    return rng.normal(0, 1.0, (1, DIMENSION)).repeat(count, axis=0).astype(np.float32)


def uneven(rng: np.random.Generator, count: int) -> Floats:
    """One number far larger than all others, so that bytes say little of these."""
    found = rng.normal(0, 0.3, (count, DIMENSION))
    found[:, 3] *= 60
    return found.astype(np.float32)


def registry(means: Means, count: int, seed: int, shadows: float) -> tuple[ModelFingerprint, ...]:
    """So many models of one condition or two, some of them shadows, their limits all over."""
    rng = np.random.default_rng(seed)
    places = means(rng, 2 * count).astype(np.float16).astype(np.float32)
    found = []
    for i in range(count):
        entries = [
            ConditionStatistics(
                name,
                int(rng.integers(2, 90)),
                places[2 * i + k],
                rng.uniform(0.3, 1.5, DIMENSION).astype(np.float16).astype(np.float32),
                float(np.float32(rng.uniform(5, 90))),
            )
            for k, name in enumerate(NAMES[: 1 + i % 2])
        ]
        status: Status = "shadow" if rng.uniform() < shadows else "live"
        found.append(model(f"model-{i}", *entries, status=status))
    return tuple(found)


def queries(models: tuple[ModelFingerprint, ...], seed: int) -> Floats:
    """Photographs, images of some of the models, what lies on a model, far out, and nothing."""
    rng = np.random.default_rng(seed)
    some = [models[i].statistics[0].mean for i in rng.integers(0, len(models), 4)]
    made = [images(KNOWN, mean, 2, seed + i) for i, mean in enumerate(some)]
    real = photographs(KNOWN, 6, seed)
    return np.concatenate([real, *made, *(m[None] for m in some), 9 * real[:2], 0 * real[:1]])


def in_full(enrolled: Enrolled, vectors: Floats, shown: int) -> list[dict[str, object]]:
    """What is to be told, one image and model after another, of everything scored in full."""
    every = enrolled.match(vectors)
    found = []
    for b in range(len(vectors)):
        likelihoods, live = every.likelihoods[b].tolist(), enrolled.live.tolist()
        order = sorted(range(len(live)), key=lambda k: (-likelihoods[k], k))
        told, leads = [], []
        for place, k in enumerate(order):
            others = [likelihoods[i] for i in range(len(live)) if live[i] and i != k]
            lead = likelihoods[k] - max(others, default=-np.inf)
            ties = live[k] and lead > -CONSTANTS.margin
            if place < shown or ties or (not live[k] and every.typical[b, k]):
                told.append(k)
                leads.append(lead)
        found.append(
            {
                "models": told,
                "leads": leads,
                "highest": float(every.highest[b]),
                **{
                    name: getattr(every, name)[b, told].tolist()
                    for name in ("rows", "scores", "distances", "typical", "likelihoods")
                },
            }
        )
    return found


def as_found(one: Closest) -> dict[str, object]:
    """The same form."""
    names = ("models", "leads", "rows", "scores", "distances", "typical", "likelihoods")
    return {**{name: getattr(one, name).tolist() for name in names}, "highest": one.highest}


@pytest.mark.parametrize("means", [spread, close, twins, one, uneven])
@pytest.mark.parametrize(("shown", "shadows"), [(3, 0.1), (1, 0.0), (9, 1.0), (0, 0.5)])
def test_what_is_told_is_what_scoring_all_in_full_tells(
    means: Means, shown: int, shadows: float
) -> None:
    models = registry(means, 300, shown, shadows)
    enrolled = Enrolled.of(KNOWN, CONSTANTS, models, "jpeg75")
    vectors = queries(models, 7)
    expected = in_full(enrolled, vectors, shown)
    assert [as_found(own) for own in enrolled.closest(vectors, shown)] == expected
    assert any(own["models"] for own in expected) or not shown


@pytest.mark.parametrize("means", [spread, close, twins, one, uneven])
def test_the_highest_score_and_whose_it_is_are_those_of_all_in_full(means: Means) -> None:
    models = registry(means, 300, 5, 0.3)
    enrolled = Enrolled.of(KNOWN, CONSTANTS, models, "jpeg75")
    vectors = np.concatenate([photographs(KNOWN, 90), queries(models, 8)])
    level = enrolled.impostors.level(vectors)
    for live in (True, False):
        found, places = enrolled.leading(vectors, live=live)
        expected = np.full((len(vectors), len(models)), -np.inf)
        for k, known in enumerate(models):
            if (known.status == "live") == live:
                alone = Enrolled.of(KNOWN, CONSTANTS, [known.with_status("live")], "jpeg75")
                expected[:, k] = alone.match(vectors).highest
        np.testing.assert_array_equal(found, expected.max(1).astype(np.float32))
        none = np.isneginf(expected.max(1))
        np.testing.assert_array_equal(places, np.where(none, -1, expected.argmax(1)))
        assert {False, True} == set(none.tolist())
        # Where no more than what is there already is asked for, nothing else is told.
        above = np.where(np.arange(len(found)) % 2, found, found - 0.01).astype(np.float32)
        higher, whose = enrolled.leading(vectors, live=live, above=above)
        asked_for = (np.arange(len(found)) % 2 == 0) & ~none
        np.testing.assert_array_equal(higher, np.where(asked_for, found, -np.inf))
        np.testing.assert_array_equal(whose, np.where(asked_for, places, -1))
    assert level.any(), "the example must set impostors against the models"


@pytest.mark.parametrize("count", [1, 7, 150])
def test_some_of_the_models_are_found_without_comparing_each_with_all(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = registry(spread, 300, 6, 0.0)
    enrolled = Enrolled.of(KNOWN, CONSTANTS, models, "jpeg75")
    vectors, some = queries(models[20:21], 9), models[20 : 20 + count]
    others = [own for own in models if own not in some]
    above = Enrolled.of(KNOWN, CONSTANTS, others, "jpeg75").highest(vectors)
    compared: list[int] = []

    def equal(one: object, other: object) -> bool:
        compared.append(1)
        return one is other

    monkeypatch.setattr(ModelFingerprint, "__eq__", equal)
    found, places = enrolled.leading(vectors, above=above, among=some)
    assert len(compared) <= 2
    expected = enrolled.highest(vectors)
    higher = expected > above
    assert higher.any()
    np.testing.assert_array_equal(found, np.where(higher, expected, -np.inf))
    assert {models[place] in some for place in places[higher]} == {True}


def test_where_too_many_may_matter_all_are_scored() -> None:
    models = registry(one, search.MOST + 500, 4, 0.0)
    enrolled = Enrolled.of(KNOWN, CONSTANTS, models, "jpeg75")
    vectors = queries(models[:9], 3)[:3]
    found = enrolled.closest(vectors, 3)
    every = enrolled.match(vectors)
    for b, own in enumerate(found):
        assert own.highest == every.highest[b]
        best = every.likelihoods[b].max()
        ties = np.flatnonzero(every.likelihoods[b] > best - CONSTANTS.margin)
        assert set(own.models.tolist()) == set(ties.tolist())
        assert len(ties) > 64


def test_however_many_pairs_there_are_only_so_many_are_scored_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    models = registry(one, search.MOST + 500, 4, 0.0)
    known = Enrolled.of(KNOWN, CONSTANTS, models, "jpeg75")
    vectors = queries(models[:9], 3)[:5]
    told, every = [as_found(own) for own in known.closest(vectors, 3)], known.match(vectors)
    plainly, scored = Scored.of.__func__, list[int]()  # type: ignore[attr-defined]

    def counted(cls: type[Scored], shelf: Any, vectors: Any, images: Any, *rest: Any) -> Scored:
        scored.append(len(images))
        found: Scored = plainly(cls, shelf, vectors, images, *rest)
        return found

    monkeypatch.setattr(Scored, "of", classmethod(counted))
    most = 2 * known.rows + 5
    monkeypatch.setattr(pairs, "_AT_ONCE", most)
    assert [as_found(own) for own in known.closest(vectors, 3)] == told
    anew = known.match(vectors)
    for name in ("scores", "distances", "typical", "likelihoods", "rows", "highest"):
        np.testing.assert_array_equal(getattr(anew, name), getattr(every, name))
    assert 2 * known.rows in scored, "the example must have more than are scored at once"
    assert max(scored) <= most


def test_bounds_hold_what_is_scored_in_full() -> None:
    """For every row and image, also where the variance that tells models apart has moved on."""
    models = (*registry(spread, 60, 1, 0.0), *registry(uneven, 60, 2, 0.0))
    models = tuple(replace(m, model_id=f"{i}", name=f"{i}") for i, m in enumerate(models))
    enrolled = Enrolled.of(KNOWN, CONSTANTS, models, "jpeg75")
    shelf, vectors = enrolled.shelf, queries(models, 2)
    for apart in (shelf.apart, shelf.apart * np.linspace(0.99, 1.01, DIMENSION, dtype=np.float32)):
        ratio = shelf.apart / apart
        query = asked(vectors, shelf)
        wanted = search.Wanted(
            search.LIVE, np.float32(1), True, np.float32(1),
            ratio.min(), ratio.max(), np.float32(8),
        )  # fmt: skip
        tight = 0
        for b, vector in enumerate(vectors):
            sums = products(shelf.codes, query, b)
            for r in range(enrolled.rows):
                mean = shelf.means(np.array([r]))[0].astype(np.float64)
                count = shelf.counts[r]
                x = vector.astype(np.float64)
                own = shelf.table[r // 16]
                score = x @ mean * own[search.INVERSE, r % 16] - own[search.CENTRE, r % 16]
                near, far = (
                    ((x - mean) ** 2 / variance).sum() / (1 + 1 / count)
                    for variance in (KNOWN.made_variance, apart)
                )
                u = (1 + far / 8) * (1 + 1 / count) ** (DIMENSION / (8 + DIMENSION))
                low = search._bounds.py_func(
                    own, r % 16, *sums[r], query.numbers[b], wanted, np.float32(1)
                )
                high = search._bounds.py_func(
                    own, r % 16, *sums[r], query.numbers[b], wanted, np.float32(-1)
                )
                assert low[0] <= u <= high[0]
                assert high[1] <= score <= low[1]
                assert low[2] <= near <= high[2]
                tight += int(high[0] / low[0] < 1.2)
        assert tight > len(vectors) * enrolled.rows // 2, "bounds that say nothing hold as well"


def products(
    codes: NDArray[np.uint8], query: search.Asked, image: int
) -> list[tuple[np.int32, np.int32]]:
    """Of every row the products of its bytes with those of an image's queries, by a loop."""
    steps, found = codes.shape[1], []
    for block in codes:
        for lane in range(block.shape[1]):
            own = block[:, lane].astype(np.int64).reshape(-1) - 128
            pair = []
            for asking in (2 * image, 2 * image + 1):
                large = asking < query.large * 16
                many = 16 if large else 4
                first = 0 if large else query.large * 16
                group, place = divmod(asking - first, many)
                start = (first + group * many) * steps * 4
                whole = query.groups[start : start + many * steps * 4].reshape(steps, many, 4)
                pair.append(np.int32(own @ whole[:, place].reshape(-1).astype(np.int64)))
            found.append((pair[0], pair[1]))
    return found


def test_it_stays_so_while_the_registry_changes_and_what_was_there_before_stays_as_it_was() -> None:
    models = registry(spread, 200, 11, 0.2)
    rng, given = np.random.default_rng(5), models[:120]
    enrolled = Enrolled.of(KNOWN, CONSTANTS, given, "jpeg75")
    vectors = queries(models, 12)
    before = enrolled, [as_found(own) for own in enrolled.closest(vectors, 3)]
    for _ in range(30):
        held = {m.model_id for m in given}
        out = rng.choice(len(given), 3, replace=False)
        fresh = [m for m in models if m.model_id not in held][: int(rng.integers(1, 6))]
        kept = [m for i, m in enumerate(given) if i not in out]
        kept.insert(int(rng.integers(0, len(kept))), fresh[0])
        after = (*kept, *fresh[1:])
        enrolled = enrolled.following(Difference.between(given, after))
        given = after
        plain = Enrolled.of(KNOWN, CONSTANTS, given, "jpeg75")
        np.testing.assert_allclose(enrolled.apart, plain.apart, rtol=1e-5)
        expected = in_full(enrolled, vectors, 3)
        assert [as_found(own) for own in enrolled.closest(vectors, 3)] == expected
        anew = plain.closest(vectors, 3)
        assert [own["models"] for own in expected] == [own.models.tolist() for own in anew]
    assert [as_found(own) for own in before[0].closest(vectors, 3)] == before[1]
