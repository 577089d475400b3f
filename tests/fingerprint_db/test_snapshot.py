"""A difference names what went and what came, and nothing that stays."""

from collections.abc import Callable

import numpy as np
import pytest

from fingerprint_db.model_fingerprint import ModelFingerprint
from fingerprint_db.snapshot import Difference, RootLines, root_of
from tests.fingerprint_db.samples import model

Models = tuple[ModelFingerprint, ...]
EVERY = tuple(model(f"m{number}", seed=number) for number in range(30))


def applied(change: Difference) -> list[str]:
    """The names after it, one step after another."""
    found = [m.model_id for m in change.before]
    for place in reversed(change.left.tolist()):
        del found[place]
    for place, own in zip(change.places.tolist(), change.come, strict=True):
        found.insert(place, own.model_id)
    return found


def registries(rng: np.random.Generator) -> tuple[Models, Models]:
    """Two that share most: models went and came anywhere."""
    before = tuple(EVERY[i] for i in sorted(rng.choice(25, rng.integers(0, 26), replace=False)))
    there = set(before)
    for i in rng.integers(0, 30, rng.integers(0, 5)).tolist():
        there ^= {EVERY[i]}
    return before, tuple(m for m in EVERY if m in there)


def test_a_difference_is_what_went_and_what_came() -> None:
    rng, inside = np.random.default_rng(1), 0
    for _ in range(300):
        before, after = registries(rng)
        change = Difference.between(before, after)
        assert applied(change) == [m.model_id for m in after]
        assert change.gone == tuple(m for m in before if m not in after)
        assert change.come == tuple(m for m in after if m not in before)
        assert change.gone == tuple(before[i] for i in change.left)
        run = len(before) - change.start - change.behind
        inside += run > len(change.gone)
    assert inside > 50, "the example must have models that stay between those that go"


def test_models_that_changed_places_go_and_come() -> None:
    a, b, c, d, e = EVERY[:5]
    change = Difference.between((a, b, c, d), (a, c, b, d, e))
    assert applied(change) == [m.model_id for m in (a, c, b, d, e)]


BELONGS: dict[str, Callable[[ModelFingerprint], bool]] = {
    "all": lambda m: True,
    "some": lambda m: int(m.model_id[1:]) % 3 > 0,
    "none": lambda m: False,
}


@pytest.mark.parametrize("which", BELONGS)
def test_a_difference_among_some_is_that_of_these_alone(which: str) -> None:
    rng, belongs = np.random.default_rng(2), BELONGS[which]
    for _ in range(300):
        before, after = registries(rng)
        some = tuple(filter(belongs, before))
        found = Difference.between(before, after).among(some, belongs)
        expected = Difference.between(some, tuple(filter(belongs, after)))
        assert (found.before, found.after) == (expected.before, expected.after)
        assert (found.gone, found.come) == (expected.gone, expected.come)
        assert applied(found) == applied(expected)


def test_many_lines_of_a_root_go_together() -> None:
    rng = np.random.default_rng(3)
    digests = [rng.bytes(32).hex() for _ in range(400)]
    fresh, gone = digests[:9], digests[50:250]
    lines = RootLines.of(digests[9:])
    left = lines.changed(gone, fresh)
    assert left.root() == root_of([*digests[:50], *digests[250:]])
    with pytest.raises(ValueError, match="no entry"):
        left.changed(gone, [])


def test_a_root_follows_one_entry_after_another() -> None:
    rng = np.random.default_rng(4)
    held = [rng.bytes(32).hex() for _ in range(300)]
    lines = RootLines.of(held)
    for _ in range(200):
        gone, come = held.pop(int(rng.integers(len(held)))), rng.bytes(32).hex()
        held.append(come)
        lines = lines.changed([gone], [come])
        assert lines.root() == root_of(held)
