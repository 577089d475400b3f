"""What the registry's commands share: options, the registry itself, and how they answer."""

import json
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from fingerprint_db.errors import RegistryError, UnknownModel, WrongSettings
from fingerprint_db.model_fingerprint import ModelFingerprint
from fingerprint_db.names import printable
from fingerprint_db.redis_store.registry import RedisRegistry
from fingerprint_db.redis_store.settings import read_redis_settings
from fingerprint_db.trust.settings import read_trust_settings

Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Redis = Annotated[
    str | None, typer.Option("--redis", help="Redis URL; default: settings, local services.")
]
Config = Annotated[Path | None, typer.Option("--config", help="TOML file with [redis] url.")]
Space = Annotated[
    str | None,
    typer.Option("--space", help="Digest of the bundle, or its start; default: the only one."),
]
By = Annotated[str, typer.Option("--by", help="Who does this; default: your login name.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept in the history.")]
ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", help="A model's id, or its name.")]


def named(registry: RedisRegistry, space: str, model: str) -> ModelFingerprint:
    """The model with this id, else the one with this name; active ones before retired ones."""
    try:
        return registry.get(space, model)
    except UnknownModel:
        composed = unicodedata.normalize("NFC", model)
        named = [entry for entry in registry.list(space) if entry.name in (model, composed)]
        active = [entry for entry in named if entry.status != "retired"]
        if len(active or named) != 1:
            raise
        return (active or named)[0]


def chosen(spaces: tuple[str, ...], wanted: str | None) -> str:
    """The one space that `wanted` names by its start, or the only one there is."""
    fitting = [space for space in spaces if space.startswith(wanted or "")]
    if len(fitting) == 1:
        return fitting[0]
    present = ", ".join(space if wanted else f"{space[:12]}…" for space in spaces) or "none"
    asked = f"--space {wanted} fits {len(fitting)} spaces" if wanted else "no --space was given"
    remedy = (
        "Give --space with the start of one: a space is a bundle, and its digest stands in each"
        " line of a worker's log (bundle)"
        if spaces
        else "Import an export or register a model first"
    )
    raise WrongSettings(f"{asked}, expected exactly one; present: {present}. {remedy}")


@contextmanager
def opened(redis: str | None, config: Path | None) -> Iterator[RedisRegistry]:
    """The registry of the settings; what is written is signed where they name a key."""
    trust = read_trust_settings(os.environ, config)
    address = read_redis_settings(redis, os.environ, config)
    registry = RedisRegistry(address, key=trust.signing_key)
    try:
        yield registry
    finally:
        registry.close()


@contextmanager
def reported(as_json: bool) -> Iterator[None]:
    """Turns the registry's errors, and those of files, into one message and their exit code.

    Nothing else: a ValueError that the registry did not raise on purpose is a bug, and the program
    shows it as one.
    """
    try:
        yield
    except (RegistryError, OSError) as error:
        kind = type(error).__name__
        if as_json:
            print(json.dumps({"error": kind, "message": str(error)}))
        print(printable(f"{kind}: {error}"), file=sys.stderr)
        code = error.exit_code if isinstance(error, RegistryError) else 2
        raise typer.Exit(code) from error


def say(as_json: bool, document: dict[str, Any], text: str) -> None:
    """The answer: one JSON document, or text with nothing in it that a terminal would obey."""
    print(json.dumps(document) if as_json else "\n".join(map(printable, text.split("\n"))))
