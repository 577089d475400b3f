"""Which entries trusted keys vouch for, and what is said of one that they do not."""

from collections.abc import Sequence
from dataclasses import replace

from fingerprint_db.change import Change, sealed
from fingerprint_db.lifecycle import row_digest
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.signing.keys import SigningKey
from fingerprint_db.trust.signatures import (
    untrusted_entry,
    untrusted_photographs,
    wrong_photographs,
    wrong_signature,
)
from tests.fingerprint_db.photograph_parts import part
from tests.fingerprint_db.samples import SPACE, model
from tests.fingerprint_db.trust.lived_in import WHO, lived_in

OURS, THEIRS = SigningKey.create(), SigningKey.create()


def trouble(registry: MemoryRegistry, history: Sequence[Change] | None = None) -> str | None:
    contents = registry.contents(SPACE)
    rows = {model_id: row_digest(row) for model_id, row in contents.rows.items()}
    return untrusted_entry(SPACE, history or contents.history, rows, [OURS.public])


def test_entries_that_our_key_signed_are_trusted() -> None:
    assert trouble(lived_in(MemoryRegistry(key=OURS))) is None


def test_an_entry_that_nobody_signed_is_named_with_the_keys_and_the_way_out() -> None:
    registry = MemoryRegistry(key=OURS)
    registry.register(model("a"), **WHO)
    unsigned = MemoryRegistry()
    unsigned.absorb(registry.contents(SPACE), **WHO)
    unsigned.register(model("slipped-in"), by="mallory", reason="test")
    said = str(trouble(unsigned))
    assert "the entry 'slipped-in'" in said
    assert "revision 2 (register by 'mallory'): it is not signed" in said
    assert f"expected a signature of one of the keys {OURS.public.key_id}" in said
    assert "latentprint registry endorse slipped-in" in said


def test_an_entry_of_another_key_is_named_with_that_key() -> None:
    said = str(trouble(lived_in(MemoryRegistry(key=THEIRS))))
    assert f"it is signed by key {THEIRS.public.key_id}" in said


def test_a_retirement_that_nobody_signed_is_refused_too() -> None:
    registry = MemoryRegistry(key=OURS)
    registry.register(model("a"), **WHO)
    unsigned = MemoryRegistry()
    unsigned.absorb(registry.contents(SPACE), **WHO)
    unsigned.retire(SPACE, "a", by="mallory", reason="hide it")
    assert "retire by 'mallory'" in str(trouble(unsigned))


def test_an_endorsement_of_our_key_makes_an_entry_trusted() -> None:
    foreign = lived_in(MemoryRegistry())
    registry = MemoryRegistry(key=OURS)
    registry.absorb(foreign.contents(SPACE), **WHO)
    assert trouble(registry) is not None
    for model_id in ("a", "b", "c", "d"):
        registry.endorse(SPACE, model_id, **WHO)
    assert trouble(registry) is None


def test_a_signature_does_not_move_with_a_change_to_another_place_or_content() -> None:
    history = lived_in(MemoryRegistry(key=OURS)).history(SPACE)
    edited = (*history[:-1], replace(history[-1], reason="another"))
    assert wrong_signature(SPACE, history) is None
    assert "its signature is not that of key" in str(wrong_signature(SPACE, edited))
    (forged,) = sealed([replace(history[-1], by="eve")], SPACE, str(history[-1].previous), THEIRS)
    claimed = replace(forged, signature=replace(forged.signature, key=OURS.public.text))  # type: ignore[type-var]
    assert wrong_signature(SPACE, [*history[:-1], claimed]) is not None


def test_an_index_that_names_another_content_than_was_signed_is_refused() -> None:
    registry = lived_in(MemoryRegistry(key=OURS))
    contents = registry.contents(SPACE)
    rows = {name: row_digest(replace(row, name="X")) for name, row in contents.rows.items()}
    said = untrusted_entry(SPACE, contents.history, rows, [OURS.public])
    assert "what was signed is another entry" in str(said)


def test_photographs_are_signed_and_held_against_the_keys() -> None:
    registry = lived_in(MemoryRegistry(key=OURS))
    held = registry.calibration(SPACE)
    assert untrusted_photographs(held, [OURS.public]) is None
    assert OURS.public.key_id in str(untrusted_photographs(held, [THEIRS.public]))
    assert wrong_photographs(replace(held, revision=7)) is not None
    unsigned = MemoryRegistry()
    assert untrusted_photographs(unsigned.calibration(SPACE), [OURS.public]) is None
    unsigned.store_calibration(SPACE, [part("shop")], seen=0, **WHO)
    assert "not signed" in str(untrusted_photographs(unsigned.calibration(SPACE), [OURS.public]))
