"""The commands on local files: `scan`, `explain` and `register`."""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fingerprint_db.calibration import Calibration
from fingerprint_db.errors import IdTaken, NameTaken, RegistryError
from fingerprint_db.gate.enrolment import Enrolment, Registration, enrol
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.names import author_of, check_name, model_id_of, printable
from fingerprint_db.registry import Registry
from fingerprint_db.transfer import import_
from worker.commands.options import By, Config, Json, Reason, Redis
from worker.enrol.gate_text import print_gate
from worker.enrol.hints import hints_of
from worker.enrol.image_files import require_there
from worker.errors import StopError
from worker.loading import loading
from worker.outside.watch_lines import line
from worker.outside.watched import Watched
from worker.registry.start import emptiness, open_registry
from worker.registry.trusted import distrust
from worker.registry.view import RegistryView
from worker.settings.settings import Settings
from worker.settings_sources import load_settings
from worker.telemetry import configure_logging

if TYPE_CHECKING:  # the compiled loops load only when a command runs
    from worker.enrol.samples import Progress, SampleSet
    from worker.extractor.bundle import Bundle

GATE_REFUSED = 4
"""Exit code when the enrolment gate refuses the samples."""


def contribute(app: typer.Typer) -> None:
    """Add `scan`, `explain` and `register`."""
    app.command("scan")(scan_command)
    app.command("explain")(explain_command)
    app.command("register")(register_command)


def scan_command(
    paths: Annotated[list[Path], typer.Argument(help="Image files, or folders of them.")],
    redis: Redis = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Verdicts for local files, no Kafka needed.

    Without a Redis in flags, environment, file or running local services, the registry is what
    the bundle ships: the generators of the committed zoo. Exit codes: 0 all files judged or
    rejected with a reason, 1 a file could not be read, 2 wrong use, 3 Redis out of reach.
    """
    settings = local_settings(redis, config)
    require_there(paths)  # before anything is loaded
    with loading():
        from worker.commands.scan import scan
        from worker.commands.workshop import open_workshop

    at_once = _at_once(paths, settings.decode.children)
    own = partial(_own, settings)
    with open_workshop(settings, own, decoders=at_once) as workshop:
        view = registry_view(settings, workshop.bundle)
        unreadable = 0
        skipped: Counter[str] = Counter()
        for document in scan(
            paths,
            workshop.decoder.decode,
            workshop.pipeline(),
            view,
            settings.extract.batch_max_images,
            workers=at_once,
            skipped=lambda file: skipped.update([file.why]),
        ):
            unreadable += document["record"] == "unreadable"
            if as_json:
                print(json.dumps(document), flush=True)
            elif document["record"] == "unreadable":
                print(f"unreadable         {printable(document['subject'])}: {document['message']}")
            else:
                typer.echo(line(Watched(document["record"], document)))
    if skipped:
        why = ", ".join(f"{count} {reason}" for reason, count in skipped.most_common())
        print(f"left out {skipped.total()} files: {why}", file=sys.stderr)
    raise typer.Exit(1 if unreadable else 0)


def explain_command(
    image: Annotated[Path, typer.Argument(help="One image file.")],
    out: Annotated[
        Path, typer.Option("--out", help="Folder for the two files; made if it is not there.")
    ] = Path(),
    redis: Redis = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """One page on why an image is judged as it is: NAME.explained.html, and the same as PNG.

    Judges the image as `scan` does. The page shows no more of it than a few mean colours. Exit
    codes: 0 both files written, 1 the image was rejected or could not be read, 2 wrong use, 3 Redis
    out of reach.
    """
    settings = local_settings(redis, config)
    from worker.commands.explain import explain_file
    from worker.commands.workshop import open_workshop

    with open_workshop(settings, partial(_own, settings), decoders=1) as workshop:
        explained = explain_file(image, out, workshop, registry_view(settings, workshop.bundle))
    if as_json:
        print(json.dumps(explained.document))
    else:
        typer.echo(line(Watched(explained.judged["record"], explained.judged)))
        for path in explained.files:
            print(f"wrote {printable(str(path))}")
    raise typer.Exit(0 if explained.files else 1)


def register_command(
    name: Annotated[str, typer.Argument(help="What verdicts will call the generator.")],
    samples: Annotated[Path, typer.Argument(help="Folder with 50 or more of its images.")],
    family: Annotated[
        str | None, typer.Option("--family", help="Family of generators; default: the name.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Judge the samples, write nothing.")
    ] = False,
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Compare and record, but never name it in verdicts.")
    ] = False,
    by: By = "",
    reason: Reason = "registered from samples",
    redis: Redis = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Enrol a generator from sample images; live at once, no worker is restarted.

    Prints the gate's report. Exit codes: 0 registered (or would be, with --dry-run), 2 wrong use,
    3 Redis out of reach, 4 refused by the gate.
    """
    with _registry_errors():
        name = check_name(name)
        family = check_name(family or name, "family")
        author = author_of(by)
    model_id = model_id_of(name)
    settings = local_settings(redis, config)
    if not samples.is_dir():
        raise StopError(f"{samples} is no folder; give a folder of sample images", exit_code=2)
    from worker.commands.workshop import open_sample_reader, open_workshop
    from worker.enrol.samples import read_samples

    with (
        _registry_errors(),
        open_registry(settings.redis, settings.trust.signing_key()) as registry,
        open_workshop(settings, registry.calibration) as workshop,
    ):
        decode, bundle = workshop.decoder.decode, workshop.bundle
        _require_free(registry, bundle.digest, model_id, name)
        seen = registry.snapshot(bundle.digest)
        with open_sample_reader(settings.decode) as open_whole, _progress(as_json) as progress:
            sample_set = read_samples(
                samples,
                decode,
                open_whole,
                workshop.extractor,
                workers=settings.decode.children,
                progress=progress,
            )
        enrolment = enrol(
            sample_set.samples,
            Registration(
                model_id=model_id,
                name=name,
                family=family,
                by=author,
                reason=reason,
                at=datetime.now(UTC),
                status="shadow" if shadow else "live",
            ),
            bundle.background,
            seen.models,
            alpha_name=workshop.policy.alpha_name,
            alpha_source=workshop.policy.alpha_source,
            alpha_alike=workshop.policy.alpha_alike,
        )
        revision = None
        if enrolment.model is not None and not dry_run:
            revision = registry.register(
                enrolment.model, by=author, reason=reason, seen=seen.revision
            ).revision
    _print_report(enrolment, sample_set, revision, dry_run=dry_run, as_json=as_json)
    raise typer.Exit(0 if enrolment.model is not None else GATE_REFUSED)


def local_settings(redis: str | None, config: Path | None) -> Settings:
    """The settings of a command that may talk to Redis; it logs as they say."""
    settings = load_settings(environment=os.environ, flags={"redis.url": redis}, config_file=config)
    configure_logging(settings.logging)
    return settings


def _at_once(paths: Sequence[Path], most: int) -> int:
    """How many decoders have work: no more than there are files, of which a folder has any number.

    One takes as much processor time to start as thirty images to decode.
    """
    return most if any(path.is_dir() for path in paths) else min(len(paths), most)


def _redis_is_set(settings: Settings) -> bool:
    """Whether some source named a Redis, rather than the built-in default address."""
    return "url" in settings.redis.model_fields_set


def _own(settings: Settings, space: str) -> Calibration | None:
    """The tenant's photographs, where a Redis was named."""
    if not _redis_is_set(settings):
        return None
    with _registry_errors(), open_registry(settings.redis) as registry:
        return registry.calibration(space)


def registry_view(settings: Settings, bundle: "Bundle") -> RegistryView:
    """The registry as of now: Redis where one was named, else the zoo of the bundle."""
    from worker.extractor.bundle import ZOO_EXPORT

    with _registry_errors():
        if _redis_is_set(settings):
            with open_registry(settings.redis) as registry:
                snapshot = registry.snapshot(bundle.digest)
                if lack := emptiness(registry, bundle.digest, snapshot.revision):
                    print(f"warning: {lack}", file=sys.stderr)
                calibration = registry.calibration(bundle.digest)
                keys = settings.trust.of_registry()
                if unvouched := distrust(registry, snapshot, calibration, keys):
                    raise StopError(unvouched, exit_code=2)
                return RegistryView(snapshot, 0.0, calibration)
        memory = MemoryRegistry()
        if (bundle.path / ZOO_EXPORT).is_file():
            data = (bundle.path / ZOO_EXPORT).read_bytes()
            import_(memory, data, by="latentprint scan", reason="the bundle's zoo")
        print("registry: the zoo that ships with the bundle (no Redis named)", file=sys.stderr)
        return RegistryView(memory.snapshot(bundle.digest), 0.0)


@contextmanager
def _registry_errors() -> Iterator[None]:
    try:
        yield
    except RegistryError as error:
        raise StopError(str(error), exit_code=getattr(error, "exit_code", 3)) from error


@contextmanager
def _progress(quiet: bool) -> Iterator["Progress"]:
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield lambda done, total: None
        return
    with Bar(console=console, transient=True) as bar:
        task = bar.add_task("fingerprinting the samples under every condition", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _require_free(registry: Registry, space: str, model_id: str, name: str) -> None:
    """Refuse what the registry would refuse at the end, before minutes of work are done for it."""
    for model in registry.list(space):
        if model.model_id == model_id:
            raise IdTaken(
                f"the name {name!r} gives the id {model_id!r}, which belongs to {model.name!r}"
                f" ({model.status}); an id is never used twice. Register under another name, or"
                " restore that model"
            )
        if model.name == name and model.status != "retired":
            raise NameTaken(
                f"the name {name!r} belongs to {model.model_id!r}, which is {model.status}; choose"
                " another name, or retire that model first"
            )


def _print_report(
    enrolment: Enrolment,
    sample_set: "SampleSet",
    revision: int | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    report = enrolment.report
    if as_json:
        document = {
            "registered": revision is not None,
            "dry_run": dry_run,
            "model_id": enrolment.model.model_id if enrolment.model else None,
            "status": enrolment.model.status if enrolment.model else None,
            "space": enrolment.model.space if enrolment.model else None,
            "revision": revision,
            "left_out": [asdict(sample) for sample in sample_set.left_out],
            **asdict(report),
            "hints": hints_of(sample_set.traits),
        }
        print(json.dumps(document))
        return
    print_gate(report, sample_set.left_out, hints_of(sample_set.traits))
    if enrolment.model is None:
        print(f"REFUSED: {printable(report.name)} was not registered")
    elif revision is None:
        print(f"would register {printable(report.name)} as {enrolment.model.model_id} (dry run)")
    else:
        model = enrolment.model
        name = printable(model.name)
        print(f"registered {name} as {model.model_id} ({model.status}), revision {revision}")
