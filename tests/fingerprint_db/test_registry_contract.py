"""What every registry promises, in memory and in Redis alike."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from fingerprint_db.entry_encoding import content_digest
from fingerprint_db.errors import (
    IdTaken,
    NameTaken,
    RegistryRefused,
    RevisionGap,
    RevisionMoved,
    UnknownModel,
    WrongStatus,
)
from fingerprint_db.registry import Registry
from fingerprint_db.snapshot import EMPTY_ROOT, Snapshot
from tests.fingerprint_db.samples import OTHER_SPACE, SPACE, model

WHO: dict[str, Any] = {"by": "ada", "reason": "test"}


def test_a_space_that_was_never_filled_is_valid_and_empty(registry: Registry) -> None:
    assert registry.snapshot(SPACE) == Snapshot(SPACE, 0, EMPTY_ROOT, ())
    assert registry.list(SPACE) == ()
    assert registry.history(SPACE) == ()
    assert registry.revision(SPACE) == 0
    assert registry.spaces() == ()
    assert registry.follow(SPACE, 0, block_s=0.0, root=EMPTY_ROOT) == ()


def test_what_is_registered_comes_back_bit_for_bit(registry: Registry) -> None:
    given = model("progan", seed=5)
    change = registry.register(given, **WHO)
    found = registry.get(SPACE, "progan")
    assert content_digest(found) == content_digest(given)
    assert (found.status, change.revision, change.action) == ("shadow", 1, "register")
    assert (change.by, change.reason, change.model_id) == ("ada", "test", "progan")


def test_a_model_goes_from_shadow_to_live_to_retired_and_back_to_live(registry: Registry) -> None:
    registry.register(model("a"), **WHO)
    statuses = [
        registry.promote(SPACE, "a", **WHO).status,
        registry.retire(SPACE, "a", **WHO).status,
        registry.restore(SPACE, "a", **WHO).status,
    ]
    assert statuses == ["live", "retired", "live"]
    assert registry.get(SPACE, "a").status == "live"
    assert [c.action for c in registry.history(SPACE)] == [
        "register",
        "promote",
        "retire",
        "restore",
    ]


def test_restoring_a_retired_shadow_model_gives_a_shadow_model(registry: Registry) -> None:
    registry.register(model("a"), **WHO)
    registry.retire(SPACE, "a", **WHO)
    assert registry.restore(SPACE, "a", **WHO).status == "shadow"


def test_moves_that_the_status_does_not_allow_are_refused(registry: Registry) -> None:
    registry.register(model("live", status="live"), **WHO)
    registry.register(model("gone"), **WHO)
    registry.retire(SPACE, "gone", **WHO)
    with pytest.raises(WrongStatus, match="cannot promote 'live': its status is 'live'"):
        registry.promote(SPACE, "live", **WHO)
    with pytest.raises(WrongStatus, match="cannot restore 'live'"):
        registry.restore(SPACE, "live", **WHO)
    with pytest.raises(WrongStatus, match="cannot retire 'gone'"):
        registry.retire(SPACE, "gone", **WHO)
    with pytest.raises(WrongStatus, match="comes with status 'retired'"):
        registry.register(model("new", status="retired"), **WHO)
    assert registry.revision(SPACE) == 3


def test_an_id_is_never_used_twice(registry: Registry) -> None:
    registry.register(model("a"), **WHO)
    registry.retire(SPACE, "a", **WHO)
    with pytest.raises(IdTaken, match="the id 'a' belongs to 'A' \\(retired\\)"):
        registry.register(model("a", name="another", seed=9), **WHO)
    assert registry.get(SPACE, "a").name == "A"


def test_a_name_is_unique_among_the_models_that_are_not_retired(registry: Registry) -> None:
    registry.register(model("a", name="ProGAN"), **WHO)
    with pytest.raises(NameTaken, match="the name 'ProGAN' belongs to model 'a'"):
        registry.register(model("b", name="ProGAN"), **WHO)
    registry.retire(SPACE, "a", **WHO)
    registry.register(model("b", name="ProGAN"), **WHO)
    with pytest.raises(NameTaken, match="belongs to model 'b'"):
        registry.restore(SPACE, "a", **WHO)
    assert [entry.model_id for entry in registry.snapshot(SPACE).models] == ["b"]


def test_a_model_judged_against_an_older_revision_is_not_added(registry: Registry) -> None:
    registry.register(model("a"), **WHO, seen=0)
    with pytest.raises(RevisionMoved, match=r"judged against revision 0 .* at revision 1 now"):
        registry.register(model("twin", seed=2), **WHO, seen=0)
    assert registry.revision(SPACE) == 1
    registry.register(model("twin", seed=2), **WHO, seen=1)


def test_of_two_that_were_judged_against_one_revision_one_is_added(registry: Registry) -> None:
    def enrol(name: str) -> bool:
        try:
            registry.register(model(name, seed=ord(name)), **WHO, seen=0)
        except RevisionMoved:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(enrol, "abcdefgh")) == [False] * 7 + [True]
    assert registry.revision(SPACE) == 1


def test_one_change_is_had_by_its_revision(registry: Registry) -> None:
    done = [registry.register(model(name, seed=ord(name)), **WHO) for name in "ab"]
    assert [registry.change(SPACE, revision) for revision in range(4)] == [None, *done, None]


def test_unknown_models_are_named_in_the_error(registry: Registry) -> None:
    for attempt in (
        lambda: registry.get(SPACE, "nobody"),
        lambda: registry.history(SPACE, "nobody"),
        lambda: registry.promote(SPACE, "nobody", **WHO),
        lambda: registry.retire(SPACE, "nobody", **WHO),
        lambda: registry.restore(SPACE, "nobody", **WHO),
    ):
        with pytest.raises(UnknownModel, match="no model 'nobody' is registered"):
            attempt()
    assert registry.spaces() == ()


def test_a_change_without_author_or_reason_is_refused(registry: Registry) -> None:
    with pytest.raises(ValueError, match="needs an author and a reason"):
        registry.register(model("a"), by=" ", reason="why")
    with pytest.raises(ValueError, match="needs an author and a reason"):
        registry.register(model("a"), by="ada", reason="")
    assert registry.revision(SPACE) == 0


def test_models_are_listed_in_order_of_registration_whatever_their_names(
    registry: Registry,
) -> None:
    for model_id in ("zeta", "alpha", "mid"):
        registry.register(model(model_id), **WHO)
    registry.retire(SPACE, "alpha", **WHO)
    registry.promote(SPACE, "zeta", **WHO)
    registry.restore(SPACE, "alpha", **WHO)
    assert [entry.model_id for entry in registry.list(SPACE)] == ["zeta", "alpha", "mid"]
    assert [entry.model_id for entry in registry.list(SPACE, status="live")] == ["zeta"]
    assert registry.list(SPACE, status="retired") == ()


def test_spaces_do_not_touch_each_other(registry: Registry) -> None:
    registry.register(model("a", space=SPACE), **WHO)
    registry.register(model("a", space=OTHER_SPACE, seed=7), **WHO)
    registry.retire(SPACE, "a", **WHO)
    assert registry.spaces() == (SPACE, OTHER_SPACE)
    assert (registry.revision(SPACE), registry.revision(OTHER_SPACE)) == (2, 1)
    assert registry.get(OTHER_SPACE, "a").status == "shadow"


def test_a_snapshot_leaves_out_retired_models_and_its_root_can_be_recomputed(
    registry: Registry,
) -> None:
    for model_id in ("a", "b", "c"):
        registry.register(model(model_id, seed=ord(model_id)), **WHO)
    registry.retire(SPACE, "b", **WHO)
    snapshot = registry.snapshot(SPACE)
    assert [entry.model_id for entry in snapshot.models] == ["a", "c"]
    assert snapshot.root == snapshot.recomputed_root() == registry.history(SPACE)[-1].root


def test_the_root_returns_when_the_models_do(registry: Registry) -> None:
    registry.register(model("a"), **WHO)
    before = registry.snapshot(SPACE).root
    registry.promote(SPACE, "a", **WHO)
    promoted = registry.snapshot(SPACE).root
    registry.retire(SPACE, "a", **WHO)
    assert registry.snapshot(SPACE).root == EMPTY_ROOT
    registry.restore(SPACE, "a", **WHO)
    assert registry.snapshot(SPACE).root == promoted != before


def test_following_gives_the_changes_after_the_held_revision(registry: Registry) -> None:
    registry.register(model("a"), **WHO)
    held = registry.snapshot(SPACE)
    assert registry.follow(SPACE, held.revision, block_s=0.0, root=held.root) == ()
    registry.register(model("b"), **WHO)
    registry.promote(SPACE, "b", **WHO)
    changes = registry.follow(SPACE, held.revision, block_s=5.0, root=held.root)
    assert [(c.revision, c.action, c.model_id) for c in changes] == [
        (2, "register", "b"),
        (3, "promote", "b"),
    ]
    assert changes == registry.history(SPACE)[1:]


def test_following_waits_for_the_next_change_and_returns_with_it(registry: Registry) -> None:
    registry.register(model("a"), **WHO)
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(registry.follow, SPACE, 1, block_s=30.0)
        change = registry.promote(SPACE, "a", **WHO)
        assert following.result(timeout=10) == (change,)


def test_following_gives_up_after_the_time_asked_for(registry: Registry) -> None:
    registry.register(model("a"), **WHO)
    assert registry.follow(SPACE, 1, block_s=0.02) == ()


def test_following_from_a_revision_that_does_not_exist_is_a_gap(registry: Registry) -> None:
    registry.register(model("a"), **WHO)
    with pytest.raises(RevisionGap, match="revision 7 is held, the registry is at 1"):
        registry.follow(SPACE, 7, block_s=5.0)


def test_following_from_another_root_is_a_gap(registry: Registry) -> None:
    registry.register(model("a"), **WHO)
    registry.promote(SPACE, "a", **WHO)
    with pytest.raises(RevisionGap, match="it was replaced"):
        registry.follow(SPACE, 1, block_s=5.0, root="0" * 64)


def test_concurrent_writers_lose_nothing_and_each_revision_has_one_change(
    registry: Registry,
) -> None:
    writers, each = 6, 6

    def write(writer: int) -> list[int]:
        revisions = []
        for number in range(each):
            name = f"m{writer}-{number}"
            revisions.append(registry.register(model(name), by=f"w{writer}", reason="t").revision)
            revisions.append(registry.promote(SPACE, name, by=f"w{writer}", reason="t").revision)
        return revisions

    with ThreadPoolExecutor(writers) as pool:
        given = [
            revision for revisions in pool.map(write, range(writers)) for revision in revisions
        ]
    total = writers * each * 2
    assert sorted(given) == list(range(1, total + 1))
    assert [c.revision for c in registry.history(SPACE)] == list(range(1, total + 1))
    assert registry.follow(SPACE, 0, block_s=0.0) == registry.history(SPACE)
    assert len(registry.list(SPACE, status="live")) == writers * each


def test_of_writers_who_want_the_same_exactly_one_succeeds(registry: Registry) -> None:
    def write(writer: int) -> bool:
        try:
            registry.register(model(f"m{writer}", name="the one"), by=f"w{writer}", reason="t")
        except RegistryRefused:
            return False
        return True

    with ThreadPoolExecutor(6) as pool:
        successes = list(pool.map(write, range(6)))
    assert successes.count(True) == 1
    assert [entry.name for entry in registry.list(SPACE)] == ["the one"]


def test_snapshots_taken_during_writes_are_each_of_one_revision(registry: Registry) -> None:
    for model_id in ("a", "b"):
        registry.register(model(model_id, status="live"), **WHO)

    enough = Event()

    def write() -> None:
        while not enough.is_set():
            registry.retire(SPACE, "a", **WHO)
            registry.restore(SPACE, "a", **WHO)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            snapshots = [registry.snapshot(SPACE) for _ in range(30)]
        finally:
            enough.set()
        writing.result()
    history = registry.history(SPACE)
    assert len(snapshots) == 30
    for snapshot in snapshots:
        assert snapshot.root == history[snapshot.revision - 1].root == snapshot.recomputed_root()
