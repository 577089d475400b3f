"""`latentprint registry …`: look after the registered models; this package's wiring is here."""

import json
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer

from fingerprint_db.change import change_document
from fingerprint_db.commands.backup_figures import write_backup_figures
from fingerprint_db.commands.listing import changes_text, model_document, model_text, models_text
from fingerprint_db.commands.rights import rights
from fingerprint_db.entry_encoding import digest_of
from fingerprint_db.errors import RegistryCorrupt, RegistryError, UnknownModel, WrongSettings
from fingerprint_db.model_fingerprint import ModelFingerprint, Status
from fingerprint_db.names import author_of, printable
from fingerprint_db.redis_store.registry import RedisRegistry
from fingerprint_db.redis_store.settings import read_redis_settings
from fingerprint_db.snapshot import EMPTY_ROOT
from fingerprint_db.space_contents import contradiction
from fingerprint_db.transfer import absorb, decode_export, export

EXPORTS_GROUP = "latentprint.registry_exports"

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

registry_app = typer.Typer(
    name="registry", help="Look after the registered models.", no_args_is_help=True
)


def contribute(app: typer.Typer) -> None:
    """Adds `registry` and its commands to the program."""
    registry_app.command("rights")(rights)
    app.add_typer(registry_app)


@registry_app.command("list")
def list_models(
    status: Annotated[str | None, typer.Option(help="Only shadow, live or retired.")] = None,
    space: Space = None,
    redis: Redis = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List the registered models in order of registration."""
    with reported(as_json), _opened(redis, config) as registry:
        spaces = registry.spaces()
        if not spaces and space is None:
            _say(as_json, {"space": None, "revision": 0, "models": []}, "no model is registered")
            return
        digest = _chosen(spaces, space)
        models = registry.list(digest, status=_status(status))
        revision = registry.revision(digest)
        document = {
            "space": digest,
            "revision": revision,
            "models": [model_document(model, full=False) for model in models],
        }
        _say(as_json, document, models_text(digest, revision, models))


@registry_app.command()
def show(
    model: ModelArgument,
    space: Space = None,
    redis: Redis = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show one model: counts and thresholds for each recompression condition, and its history."""
    with reported(as_json), _opened(redis, config) as registry:
        found = _named(registry, _chosen(registry.spaces(), space), model)
        changes = registry.history(found.space, found.model_id)
        document = model_document(found, full=True)
        document["history"] = [change_document(change) for change in changes]
        _say(as_json, document, f"{model_text(found)}\n\n{changes_text(changes)}")


@registry_app.command()
def promote(
    model: ModelArgument,
    reason: Reason,
    by: By = "",
    space: Space = None,
    redis: Redis = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Make a shadow model live: from now on it can be named in verdicts and raise alerts."""
    _move("promote", model, reason, by, space, redis, config, as_json)


@registry_app.command()
def retire(
    model: ModelArgument,
    reason: Reason,
    by: By = "",
    space: Space = None,
    redis: Redis = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Take a model out of use; it stays in the registry and can be restored."""
    _move("retire", model, reason, by, space, redis, config, as_json)


@registry_app.command()
def restore(
    model: ModelArgument,
    reason: Reason,
    by: By = "",
    space: Space = None,
    redis: Redis = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Give a retired model the status it had before."""
    _move("restore", model, reason, by, space, redis, config, as_json)


@registry_app.command()
def history(
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="Only this one.")] = None,
    space: Space = None,
    redis: Redis = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show every change, oldest first: who did what, when and why."""
    with reported(as_json), _opened(redis, config) as registry:
        digest = _chosen(registry.spaces(), space)
        model_id = _named(registry, digest, model).model_id if model else None
        changes = registry.history(digest, model_id)
        document = {"space": digest, "history": [change_document(change) for change in changes]}
        _say(as_json, document, changes_text(changes))


@registry_app.command("export")
def export_space(
    file: Annotated[Path, typer.Argument(help="Where to write; an existing file is replaced.")],
    textfile: Annotated[
        Path | None,
        typer.Option("--textfile", help="Say there when, for Prometheus' textfile collector."),
    ] = None,
    space: Space = None,
    redis: Redis = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Write one space to a file, checked, with its whole history and your own photographs."""
    with reported(as_json), _opened(redis, config) as registry:
        digest = _chosen(registry.spaces(), space)
        data = export(registry, digest)
        unfinished = file.with_name(f"{file.name}.unfinished")
        unfinished.write_bytes(data)
        unfinished.replace(file)
        written = decode_export(data)
        if textfile is not None:
            write_backup_figures(textfile, written, len(data))
        document = {
            "file": str(file),
            "space": digest,
            "byte_size": len(data),
            "sha256": digest_of(data),
            "revision": written.contents.revision,
            "photographs": written.calibration.photographs,
        }
        text = f"wrote {file}: revision {document['revision']}, {len(data)} bytes"
        if written.calibration.photographs:
            text += f", {written.calibration.photographs} photographs of yours among them"
        _say(as_json, document, text)


@registry_app.command("import")
def import_spaces(
    file: Annotated[
        Path | None, typer.Argument(help="An export; default: what the installed packages bring.")
    ] = None,
    by: By = "",
    reason: Annotated[str, typer.Option("--reason", help="Why.")] = "registry import",
    redis: Redis = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Import an export: restores an empty space, adds what is missing to a filled one.

    What it holds of your own photographs comes with it.
    """
    with reported(as_json), _opened(redis, config) as registry:
        files = [file] if file else _contributed_exports()
        incoming = [decode_export(path.read_bytes()) for path in files]
        reports = [absorb(registry, one, by=author_of(by), reason=reason) for one in incoming]
        documents = [
            {
                "file": str(path),
                "space": report.space,
                "restored": report.restored,
                "added": list(report.added),
                "unchanged": list(report.unchanged),
                "kept_status": list(report.kept_status),
                "revision": report.revision,
                "photographs": report.photographs,
            }
            for path, report in zip(files, reports, strict=True)
        ]
        lines = [
            f"{path}: {len(report.added)} added, {len(report.unchanged)} already there;"
            f" space {report.space[:12]}… is at revision {report.revision}"
            + (f"; {report.photographs} photographs came with it" if report.photographs else "")
            + ("".join(f"\n  {name}: the status here stands" for name in report.kept_status))
            for path, report in zip(files, reports, strict=True)
        ]
        _say(as_json, {"imports": documents}, "\n".join(lines))


@registry_app.command()
def verify(
    space: Space = None, redis: Redis = None, config: Config = None, as_json: Json = False
) -> None:
    """Read everything, check every digest, and replay the history with all its roots."""
    with reported(as_json), _opened(redis, config) as registry:
        digest = _chosen(registry.spaces(), space)
        contents, calibration = registry.contents(digest), registry.calibration(digest)
        written = contents.history or calibration.revision
        problem = contradiction(contents) if written else "no history"
        if problem:
            raise RegistryCorrupt(f"space {digest}", seen=problem, expected="a space free of it")
        document = {
            "space": digest,
            "revision": contents.revision,
            "root": contents.history[-1].root if contents.history else EMPTY_ROOT,
            "models": len(contents.rows),
            "photographs": calibration.photographs,
        }
        text = f"{len(contents.rows)} models, {contents.revision} changes"
        if calibration.photographs:
            text += f", {calibration.photographs} photographs of yours"
        _say(as_json, document, f"{text}, all in agreement; root {document['root']}")


def _move(
    verb: str,
    model: str,
    reason: str,
    by: str,
    space: str | None,
    redis: str | None,
    config: Path | None,
    as_json: bool,
) -> None:
    with reported(as_json), _opened(redis, config) as registry:
        found = _named(registry, _chosen(registry.spaces(), space), model)
        act = {"promote": registry.promote, "retire": registry.retire, "restore": registry.restore}
        change = act[verb](found.space, found.model_id, by=author_of(by), reason=reason)
        text = f"{change.model_id} is {change.status} since revision {change.revision}"
        _say(as_json, {"space": found.space, **change_document(change)}, text)


def _contributed_exports() -> list[Path]:
    """The exports that installed packages bring under the entry-point group."""
    found = sorted(entry_points(group=EXPORTS_GROUP), key=lambda point: point.name)
    if not found:
        raise WrongSettings(
            "no file was given and no installed package brings one (entry points of group"
            f" {EXPORTS_GROUP}); give a file written by `latentprint registry export`"
        )
    return [Path(point.load()()) for point in found]


def _named(registry: RedisRegistry, space: str, model: str) -> ModelFingerprint:
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


def _chosen(spaces: tuple[str, ...], wanted: str | None) -> str:
    """The one space that `wanted` names by its start, or the only one there is."""
    fitting = [space for space in spaces if space.startswith(wanted or "")]
    if len(fitting) == 1:
        return fitting[0]
    present = ", ".join(space if wanted else f"{space[:12]}…" for space in spaces) or "none"
    asked = f"--space {wanted} fits {len(fitting)} spaces" if wanted else "no --space was given"
    raise WrongSettings(
        f"{asked}, expected exactly one; present: {present}. Give --space with the start of one"
        " of them, or import an export first"
    )


def _status(text: str | None) -> Status | None:
    statuses: dict[str | None, Status | None] = {
        None: None,
        "shadow": "shadow",
        "live": "live",
        "retired": "retired",
    }
    if text not in statuses:
        raise WrongSettings(f"--status is {text!r}, expected shadow, live or retired")
    return statuses[text]


@contextmanager
def _opened(redis: str | None, config: Path | None) -> Iterator[RedisRegistry]:
    registry = RedisRegistry(read_redis_settings(redis, os.environ, config))
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


def _say(as_json: bool, document: dict[str, Any], text: str) -> None:
    print(json.dumps(document) if as_json else "\n".join(map(printable, text.split("\n"))))
