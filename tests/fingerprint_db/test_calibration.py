"""A tenant's photographs are stored in parts, the same bit for bit, in every kind of registry."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from fingerprint_db.calibration import (
    MOST_OF_A_PART,
    Calibration,
    digest_of_parts,
)
from fingerprint_db.calibration_encoding import decode_part, eight_bits, encode_part
from fingerprint_db.entry_encoding import digest_of
from fingerprint_db.errors import (
    CalibrationMoved,
    RegistryCorrupt,
    UnsignedChange,
    WrongSettings,
)
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.redis_store.keys import SpaceKeys
from fingerprint_db.redis_store.registry import RedisRegistry
from fingerprint_db.registry import Registry
from tests.fingerprint_db.conftest import Database
from tests.fingerprint_db.photograph_parts import part
from tests.fingerprint_db.samples import OTHER_SPACE, SPACE, model

WHO: dict[str, Any] = {"by": "ada", "reason": "a test"}


def sources(calibration: Calibration) -> list[str]:
    return [one.source for one in calibration.parts.values()]


def test_a_part_comes_back_bit_for_bit() -> None:
    given = part("shop", 7, codec="jpeg75", origin="stream")
    data = encode_part(SPACE, given)
    found = decode_part(SPACE, data)
    assert (found.source, found.origin, found.trimmed) == ("shop", "stream", 0.25)
    for name in ("identities", "codecs", "size_classes", "kinds", "vectors", "scales"):
        assert np.array_equal(getattr(found, name), getattr(given, name)), name
    assert encode_part(SPACE, found) == data


def test_eight_bits_are_within_half_a_step_of_each_number() -> None:
    vectors = np.random.default_rng(1).normal(0, 2, (50, 30)).astype(np.float32)
    whole, scales = eight_bits(vectors)
    assert whole.dtype == np.int8
    for row, (given, scale) in enumerate(zip(vectors, scales, strict=True)):
        assert np.abs(whole[row] * scale - given).max() <= 0.5001 * np.abs(given).max() / 127
    assert eight_bits(np.zeros((1, 3), np.float32))[0].tolist() == [[0, 0, 0]]


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (lambda data: data[:-1], "the arrays take"),
        (lambda data: b"something" + data, "photographs start with"),
        (lambda data: data.replace(b"jpeg75", b"jpeg77"), "other codecs or size classes"),
        (lambda data: data.replace(b'"source"', b'"saurce"'), "lacks or misuses"),
        (lambda data: data.replace(SPACE.encode(), OTHER_SPACE.encode()), "of space"),
        (lambda data: data[:60], "end inside"),
    ],
)
def test_bytes_that_are_no_part_are_refused(damage: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        decode_part(SPACE, damage(encode_part(SPACE, part("shop"))))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"source": " "}, "no name"),
        ({"trimmed": 1.0}, "expected 0 to below 1"),
        ({"codecs": np.zeros(3, np.uint8)}, "expected as many of each"),
        ({"identities": np.zeros((4, 15), np.uint8)}, r"expected \(N, 16\)"),
    ],
)
def test_a_part_that_cannot_be_is_refused(changes: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        replace(part("shop"), **changes)
    with pytest.raises(ValueError, match="expected 1 to"):
        part("shop", MOST_OF_A_PART + 1)


def test_a_space_that_nobody_calibrated_has_no_photographs(registry: Registry) -> None:
    found = registry.calibration(SPACE)
    assert (found.revision, found.digest, found.count) == (0, None, 0)
    assert registry.spaces() == ()


def test_parts_are_added_and_named_by_a_digest(registry: Registry) -> None:
    first = registry.store_calibration(SPACE, [part("shop", 5)], seen=0, **WHO)
    second = registry.store_calibration(SPACE, [part("news", 3)], seen=1, **WHO)
    assert (first.revision, first.count) == (1, 5)
    found = registry.calibration(SPACE)
    assert (found.revision, found.count) == (second.revision, second.count) == (2, 8)
    assert found.photographs == 8
    expected = [digest_of(encode_part(SPACE, part(*p))) for p in (("shop", 5), ("news", 3))]
    assert list(found.parts) == expected
    assert found.digest == second.digest == digest_of_parts(expected) != first.digest
    assert found.written is not None
    assert (found.written.by, found.written.reason) == ("ada", "a test")
    assert registry.calibration(SPACE) is found
    assert registry.calibration(OTHER_SPACE).count == 0


def test_a_photograph_with_several_fingerprints_is_one_photograph(registry: Registry) -> None:
    shown = part("shop", 5)
    beside = replace(part("shop", 5, seed=3, codec="half_lossless"), identities=shown.identities)
    found = registry.store_calibration(SPACE, [shown, beside], seen=0, **WHO)
    assert (found.count, found.photographs) == (10, 5)


def test_models_and_photographs_of_a_space_have_revisions_of_their_own(registry: Registry) -> None:
    registry.store_calibration(SPACE, [part("shop")], seen=0, **WHO)
    assert registry.revision(SPACE) == 0
    assert registry.follow(SPACE, 0, block_s=0.0) == ()


def test_a_space_that_holds_photographs_alone_is_listed(registry: Registry) -> None:
    registry.store_calibration(OTHER_SPACE, [part("shop")], seen=0, **WHO)
    assert registry.spaces() == (OTHER_SPACE,)
    registry.register(model("a", space=SPACE), **WHO)
    assert registry.spaces() == (SPACE, OTHER_SPACE)
    registry.store_calibration(OTHER_SPACE, forget="shop", seen=1, **WHO)
    assert registry.spaces() == (SPACE, OTHER_SPACE)


def test_a_source_is_forgotten_as_a_whole(registry: Registry) -> None:
    both = [part("shop", 5), part("news", 3), part("shop", 6, seed=1)]
    registry.store_calibration(SPACE, both, seen=0, **WHO)
    found = registry.store_calibration(SPACE, forget="shop", seen=1, **WHO)
    assert sources(found) == sources(registry.calibration(SPACE)) == ["news"]
    again = registry.store_calibration(SPACE, [part("n", 2)], forget="news", seen=2, **WHO)
    assert sources(again) == ["n"]
    gone = registry.store_calibration(SPACE, forget="n", seen=3, **WHO)
    assert (gone.digest, gone.revision) == (None, 4)


def test_who_decided_on_an_older_state_is_told(registry: Registry) -> None:
    registry.store_calibration(SPACE, [part("shop")], seen=0, **WHO)
    with pytest.raises(CalibrationMoved, match="read at revision 0 and is at 1"):
        registry.store_calibration(SPACE, [part("news")], seen=0, **WHO)
    assert sources(registry.calibration(SPACE)) == ["shop"]


def test_nobody_calibrates_without_a_name_and_a_reason(registry: Registry) -> None:
    with pytest.raises(UnsignedChange):
        registry.store_calibration(SPACE, [part("shop")], seen=0, by="", reason="a test")


def test_more_photographs_than_a_space_may_have_are_refused(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fingerprint_db.calibration.MOST_FINGERPRINTS", 6)
    registry.store_calibration(SPACE, [part("shop", 4)], seen=0, **WHO)
    with pytest.raises(WrongSettings, match=r"7 fingerprints of photographs would .*, 6 may"):
        registry.store_calibration(SPACE, [part("news", 3)], seen=1, **WHO)
    assert registry.calibration(SPACE).count == 4


def test_what_a_write_does_is_said_once_for_every_keeper() -> None:
    for keeper in (MemoryRegistry, RedisRegistry):
        assert keeper.store_calibration is Registry.store_calibration


def test_another_process_sees_what_was_stored(stored: RedisRegistry, database: Database) -> None:
    other = RedisRegistry(database.url)
    assert other.calibration(SPACE).count == 0
    many = [part("shop", 3, seed=seed) for seed in range(20)]
    stored.store_calibration(SPACE, many, seen=0, **WHO)
    assert other.calibration(SPACE).digest == stored.calibration(SPACE).digest
    stored.store_calibration(SPACE, [part("news")], forget="shop", seen=1, **WHO)
    assert sources(other.calibration(SPACE)) == ["news"]
    assert database.client.keys("*photographs*") == [
        SpaceKeys(SPACE).photographs(digest_of(encode_part(SPACE, part("news")))).encode()
    ]
    other.close()


def test_damage_is_named_and_never_passed_over(stored: RedisRegistry, database: Database) -> None:
    stored.store_calibration(SPACE, [part("shop"), part("news")], seen=0, **WHO)
    key = SpaceKeys(SPACE).photographs(next(iter(stored.calibration(SPACE).parts)))
    database.client.set(key, b"something else")
    other = RedisRegistry(database.url)
    with pytest.raises(RegistryCorrupt, match="photographs"):
        other.calibration(SPACE)
    database.client.delete(key)
    with pytest.raises(RegistryCorrupt, match="found nothing"):
        other.calibration(SPACE)
    for text in (b"no list", b'{"parts": [], "revision": 1}'):
        database.client.set(SpaceKeys(SPACE).calibration, text)
        with pytest.raises(RegistryCorrupt, match="expected a list of parts"):
            other.calibration(SPACE)
    other.close()
