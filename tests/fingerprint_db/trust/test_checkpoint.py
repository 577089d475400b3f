"""A checkpoint that was kept proves that a history only grew."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from fingerprint_db.errors import WrongSettings
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.registry import Registry
from fingerprint_db.signing.keys import SigningKey
from fingerprint_db.transfer import export, import_
from fingerprint_db.trust.audit import disagreement
from fingerprint_db.trust.checkpoint import (
    Checkpoint,
    checkpoint_of,
    departure,
    note_of,
    read_note,
)
from tests.fingerprint_db.photograph_parts import part
from tests.fingerprint_db.samples import OTHER_SPACE, SPACE, model
from tests.fingerprint_db.trust.lived_in import WHO, lived_in

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)


def taken(registry: Registry) -> Checkpoint:
    return checkpoint_of(SPACE, registry.history(SPACE), registry.calibration(SPACE), AT)


def left(registry: Registry, since: Checkpoint) -> str | None:
    return departure(since, SPACE, registry.history(SPACE), registry.calibration(SPACE))


def test_what_only_grew_leads_on(registry: Registry) -> None:
    empty = taken(registry)
    lived_in(registry)
    middle = taken(registry)
    registry.register(model("e"), **WHO)
    registry.store_calibration(SPACE, [part("more", 2)], forget="shop", seen=2, **WHO)
    for since in (empty, middle, taken(registry)):
        assert left(registry, since) is None
    assert disagreement(registry.contents(SPACE), registry.calibration(SPACE), (), middle) is None


def test_an_export_that_was_restored_leads_on_too(registry: Registry) -> None:
    source = lived_in(MemoryRegistry(key=SigningKey.create()))
    import_(registry, export(source, SPACE), **WHO)
    assert taken(registry) == taken(source)
    assert registry.history(SPACE) == source.history(SPACE)


def test_a_registry_that_was_rolled_back_or_filled_anew_does_not() -> None:
    registry = MemoryRegistry()
    registry.register(model("a"), **WHO)
    early = registry.contents(SPACE)
    since = taken(lived_in(MemoryRegistry()))
    back = MemoryRegistry()
    back.absorb(early, **WHO)
    assert "it was rolled back" in str(left(back, since))
    anew = lived_in(MemoryRegistry())
    anew.register(model("e"), **WHO)
    assert "it was edited, or filled anew" in str(left(anew, since))
    assert "is of space" in str(left(anew, replace(since, space=OTHER_SPACE)))


def test_photographs_that_were_rolled_back_or_replaced_do_not_lead_on() -> None:
    registry = lived_in(MemoryRegistry())
    since = taken(registry)
    held, history = registry.calibration(SPACE), registry.history(SPACE)
    older = replace(held, revision=1, before=())
    assert "they were rolled back" in str(departure(since, SPACE, history, older))
    other = replace(held, before=("0" * 64,))
    assert "were altered, or stored anew" in str(departure(since, SPACE, history, other))
    grown = replace(held, revision=3, before=(*held.before, "0" * 64))
    assert "were altered, or stored anew" in str(departure(since, SPACE, history, grown))


def test_a_note_is_read_back_with_its_signature_or_without() -> None:
    key, other = SigningKey.create(), SigningKey.create()
    since = taken(lived_in(MemoryRegistry()))
    assert read_note(note_of(since, None), ()) == since
    signed = note_of(since, key)
    assert signed.splitlines()[0] == f"latentprint/registry/{SPACE}"
    assert signed.splitlines()[-1].startswith(f"— latentprint-{key.public.key_id} ")
    assert read_note(signed, [other.public, key.public]) == since
    for note, keys in ((signed, [other]), (note_of(since, None), [key])):
        with pytest.raises(WrongSettings, match="is not signed by any of the keys"):
            read_note(note, [one.public for one in keys])


EDITS: dict[str, Callable[[str], str]] = {
    "the revision": lambda note: note.replace("\n9\n", "\n8\n"),
    "the root": lambda note: note.replace("root ", "root 0"),
    "the time": lambda note: note.replace("12:00", "11:00"),
    "a line more": lambda note: note.replace("\n\n", "\nmore\n\n"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_signed_note_that_was_edited_is_refused(edit: str) -> None:
    key = SigningKey.create()
    note = note_of(taken(lived_in(MemoryRegistry())), key)
    edited = EDITS[edit](note)
    assert edited != note
    with pytest.raises(WrongSettings, match="was changed since"):
        read_note(edited, [key.public])


def test_what_is_no_checkpoint_is_said_to_be_none() -> None:
    for text in ("", "something\n", "a\nb\nc\nd\ne\nf\n\n"):
        with pytest.raises(WrongSettings, match="not a checkpoint of a registry"):
            read_note(text, ())
