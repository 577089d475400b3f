"""`latentprint registry …`: look after the registered models; this package's wiring is here."""

from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated

import typer

from fingerprint_db.change import change_document
from fingerprint_db.commands import trust
from fingerprint_db.commands.backup_figures import write_backup_figures
from fingerprint_db.commands.keys import trust_app
from fingerprint_db.commands.listing import changes_text, model_document, model_text, models_text
from fingerprint_db.commands.opening import (
    By,
    Config,
    Json,
    ModelArgument,
    Reason,
    Redis,
    Space,
    chosen,
    named,
    opened,
    reported,
    say,
)
from fingerprint_db.commands.rights import rights
from fingerprint_db.entry_encoding import digest_of
from fingerprint_db.errors import WrongSettings
from fingerprint_db.model_fingerprint import Status
from fingerprint_db.names import author_of
from fingerprint_db.transfer import absorb, decode_export, export

EXPORTS_GROUP = "latentprint.registry_exports"

registry_app = typer.Typer(
    name="registry", help="Look after the registered models.", no_args_is_help=True
)


def contribute(app: typer.Typer) -> None:
    """Adds `registry` and `trust` and their commands to the program."""
    registry_app.command("rights")(rights)
    registry_app.command()(trust.endorse)
    registry_app.command()(trust.checkpoint)
    registry_app.command()(trust.verify)
    app.add_typer(registry_app)
    app.add_typer(trust_app)


@registry_app.command("list")
def list_models(
    status: Annotated[str | None, typer.Option(help="Only shadow, live or retired.")] = None,
    space: Space = None,
    redis: Redis = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List the registered models in order of registration."""
    with reported(as_json), opened(redis, config) as registry:
        spaces = registry.spaces()
        if not spaces and space is None:
            say(as_json, {"space": None, "revision": 0, "models": []}, "no model is registered")
            return
        digest = chosen(spaces, space)
        models = registry.list(digest, status=_status(status))
        revision = registry.revision(digest)
        document = {
            "space": digest,
            "revision": revision,
            "models": [model_document(model, full=False) for model in models],
        }
        say(as_json, document, models_text(digest, revision, models))


@registry_app.command()
def show(
    model: ModelArgument,
    space: Space = None,
    redis: Redis = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show one model: counts and thresholds for each recompression condition, and its history."""
    with reported(as_json), opened(redis, config) as registry:
        found = named(registry, chosen(registry.spaces(), space), model)
        changes = registry.history(found.space, found.model_id)
        document = model_document(found, full=True)
        document["history"] = [change_document(change) for change in changes]
        say(as_json, document, f"{model_text(found)}\n\n{changes_text(changes)}")


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
    with reported(as_json), opened(redis, config) as registry:
        digest = chosen(registry.spaces(), space)
        model_id = named(registry, digest, model).model_id if model else None
        changes = registry.history(digest, model_id)
        document = {"space": digest, "history": [change_document(change) for change in changes]}
        say(as_json, document, changes_text(changes))


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
    with reported(as_json), opened(redis, config) as registry:
        digest = chosen(registry.spaces(), space)
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
        say(as_json, document, text)


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
    with reported(as_json), opened(redis, config) as registry:
        files = [file] if file else _contributed_exports()
        incoming = [decode_export(path.read_bytes()) for path in files]
        reports = [absorb(registry, one, by=author_of(by), reason=reason) for one in incoming]
        doubts = {r.space: trust.unvouched(registry, r.space, config) for r in reports}
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
                "not_vouched_for": doubts[report.space],
            }
            for path, report in zip(files, reports, strict=True)
        ]
        lines = [
            f"{path}: {len(report.added)} added, {len(report.unchanged)} already there;"
            f" space {report.space[:12]}… is at revision {report.revision}"
            + (f"; {report.photographs} photographs came with it" if report.photographs else "")
            + ("".join(f"\n  {name}: the status here stands" for name in report.kept_status))
            + (f"\n  workers refuse it so far: {doubt}" if (doubt := doubts[report.space]) else "")
            for path, report in zip(files, reports, strict=True)
        ]
        say(as_json, {"imports": documents}, "\n".join(lines))


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
    with reported(as_json), opened(redis, config) as registry:
        found = named(registry, chosen(registry.spaces(), space), model)
        act = {"promote": registry.promote, "retire": registry.retire, "restore": registry.restore}
        change = act[verb](found.space, found.model_id, by=author_of(by), reason=reason)
        text = f"{change.model_id} is {change.status} since revision {change.revision}"
        say(as_json, {"space": found.space, **change_document(change)}, text)


def _contributed_exports() -> list[Path]:
    """The exports that installed packages bring under the entry-point group."""
    found = sorted(entry_points(group=EXPORTS_GROUP), key=lambda point: point.name)
    if not found:
        raise WrongSettings(
            "no file was given and no installed package brings one (entry points of group"
            f" {EXPORTS_GROUP}); give a file written by `latentprint registry export`"
        )
    return [Path(point.load()()) for point in found]


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
