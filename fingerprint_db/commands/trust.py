"""`latentprint registry endorse|checkpoint|verify`: who vouches for what, and whether it grew."""

import os
from pathlib import Path
from typing import Annotated

import typer

from fingerprint_db.change import Change, head_of, utc_now
from fingerprint_db.commands.opening import (
    By,
    Config,
    Json,
    Reason,
    Redis,
    Space,
    chosen,
    named,
    opened,
    reported,
    say,
)
from fingerprint_db.errors import RegistryCorrupt, WrongSettings
from fingerprint_db.names import author_of
from fingerprint_db.registry import Registry
from fingerprint_db.snapshot import EMPTY_ROOT
from fingerprint_db.trust.audit import disagreement
from fingerprint_db.trust.checkpoint import checkpoint_of, note_of, read_note
from fingerprint_db.trust.settings import read_trust_settings


def endorse(
    model: Annotated[
        str | None, typer.Argument(metavar="[MODEL]", help="A model's id, or its name.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every entry that your key has not signed.")
    ] = False,
    photographs: Annotated[
        bool, typer.Option("--photographs", help="Your own photographs that calibrate the space.")
    ] = False,
    reason: Reason = "",
    by: By = "",
    space: Space = None,
    redis: Redis = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Sign what stands there as it stands: entries of an import, or from before there were keys.

    Look at it first: from now on your key answers for it. Needs trust.signing_key_file.
    """
    with reported(as_json), opened(redis, config) as registry:
        key = read_trust_settings(os.environ, config).signing_key
        if key is None:
            raise WrongSettings(
                "trust.signing_key_file is not set, so that there is nothing to sign with; make a"
                " key with `latentprint trust create FILE`, and name FILE"
            )
        if not (model or every or photographs):
            raise WrongSettings("say what: MODEL, --all or --photographs")
        digest, author = chosen(registry.spaces(), space), author_of(by)
        last = {change.model_id: change for change in registry.history(digest)}
        wanted = [named(registry, digest, model).model_id] if model else []
        if every:
            mine = key.public.text
            wanted = [
                model_id
                for model_id, change in last.items()
                if change.signature is None or change.signature.key != mine
            ]
        changes = [registry.endorse(digest, one, by=author, reason=reason) for one in wanted]
        held = registry.calibration(digest)
        if photographs and held.written is not None:
            registry.store_calibration(digest, seen=held.revision, by=author, reason=reason)
        signed_photographs = held.photographs if photographs else 0
        document = {
            "space": digest,
            "key": key.public.text,
            "endorsed": [change.model_id for change in changes],
            "photographs": signed_photographs,
        }
        text = f"key {key.public.key_id} vouches for {len(changes)} entries"
        text += "".join(f"\n  {change.model_id} ({change.status})" for change in changes)
        if photographs:
            text += f"\nand for {signed_photographs} photographs"
        say(as_json, document, text)


def checkpoint(
    out: Annotated[
        Path | None, typer.Option("--out", help="Write it to this file instead; replaced if there.")
    ] = None,
    space: Space = None,
    redis: Redis = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Write down how far the history is: a few lines to be kept where Redis's users cannot write.

    `registry verify --since` proves later that nothing before it was changed. Signed where
    trust.signing_key_file is set.
    """
    with reported(as_json), opened(redis, config) as registry:
        digest = chosen(registry.spaces(), space)
        contents, calibration = registry.contents(digest), registry.calibration(digest)
        _require_agreement(disagreement(contents, calibration), digest)
        key = read_trust_settings(os.environ, config).signing_key
        taken = checkpoint_of(digest, contents.history, calibration, utc_now())
        note = note_of(taken, key)
        if out is not None:
            unfinished = out.with_name(f"{out.name}.unfinished")
            unfinished.write_text(note, encoding="utf-8")
            unfinished.replace(out)
        document = {
            "space": digest,
            "revision": taken.revision,
            "head": taken.head,
            "root": taken.root,
            "signed_by": key.public.text if key else None,
            "file": str(out) if out else None,
            "note": note,
        }
        by_whom = f"signed by {key.public.key_id}" if key else "not signed"
        told = f"wrote {out}: revision {taken.revision}, {by_whom}" if out else note.rstrip("\n")
        say(as_json, document, told)


def verify(
    since: Annotated[
        Path | None,
        typer.Option("--since", help="A checkpoint that you kept: history must lead on from it."),
    ] = None,
    space: Space = None,
    redis: Redis = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Read everything; check digests, signatures and the chain; replay the history with its roots.

    With trust.registry_keys every entry must be vouched for by one of them, as workers demand.
    Exit codes: 0 all in agreement, 1 something is not, 2 wrong use, 3 Redis out of reach.
    """
    with reported(as_json), opened(redis, config) as registry:
        trust = read_trust_settings(os.environ, config)
        known = read_note(since.read_text(encoding="utf-8"), trust.keys) if since else None
        digest = known.space if known and space is None else chosen(registry.spaces(), space)
        contents, calibration = registry.contents(digest), registry.calibration(digest)
        history = contents.history
        _require_agreement(disagreement(contents, calibration, trust.keys, known), digest)
        signed = sum(change.signature is not None for change in history)
        document = {
            "space": digest,
            "revision": contents.revision,
            "root": history[-1].root if history else EMPTY_ROOT,
            "head": head_of(digest, history),
            "models": len(contents.rows),
            "photographs": calibration.photographs,
            "chained_from": _chained_from(history),
            "signed_changes": signed,
            "trusted_keys": [key.text for key in trust.keys],
            "since": known.revision if known else None,
        }
        text = f"{len(contents.rows)} models, {contents.revision} changes"
        if calibration.photographs:
            text += f", {calibration.photographs} photographs of yours"
        text += f", all in agreement; root {document['root']}\n"
        text += f"{signed} of {contents.revision} changes are signed"
        if trust.keys:
            text += ", and trusted keys vouch for every entry"
        if known is not None:
            then = f"{known.at:%Y-%m-%d %H:%M}"
            text += f"\nnothing up to revision {known.revision} was changed since {then}"
        say(as_json, document, text)


def unvouched(registry: Registry, space: str, config: Path | None) -> str | None:
    """What of a space no trusted key vouches for; None where all is, or no key is trusted."""
    keys = read_trust_settings(os.environ, config).keys
    return (
        disagreement(registry.contents(space), registry.calibration(space), keys) if keys else None
    )


def _require_agreement(problem: str | None, space: str) -> None:
    if problem is not None:
        raise RegistryCorrupt(
            f"space {space}",
            seen=problem,
            expected="a space free of it",
            remedy="what each finding means, and the ways back, is on docs/operations/trust.md",
        )


def _chained_from(history: tuple[Change, ...]) -> int | None:
    """The first revision that names the history before it; the ones before it are covered by it."""
    return next((change.revision for change in history if change.previous is not None), None)
