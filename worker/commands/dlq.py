"""`latentprint dlq ls|show|redrive|discard`: look after dead letters."""

import json
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from fingerprint_db.commands.listing import columns
from fingerprint_db.names import author_of, printable
from worker.broker.topics import Topics
from worker.commands.options import Brokers, By, Config, Json, Prefix, Reason
from worker.commands.stream import client_of, settings_of
from worker.errors import StopError
from worker.events.cloudevents import readable
from worker.outside.dead_letter_queue import Action, Kept, Place, State, kept_letters, settle
from worker.settings.settings import Settings

Places = Annotated[
    list[str] | None,
    typer.Argument(metavar="PLACE…", help="PARTITION:OFFSET, as `dlq ls` prints it."),
]
Code = Annotated[
    str | None, typer.Option("--code", help="Those with this reason code, such as decode.corrupt.")
]
Every = Annotated[bool, typer.Option("--all", help="All that are open.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say which, and do nothing.")]


def contribute(app: typer.Typer) -> None:
    """Add `dlq` and its commands to `app`."""
    dlq = typer.Typer(help="Look after dead letters.", no_args_is_help=True)
    dlq.command("ls")(list_command)
    dlq.command("show")(show_command)
    dlq.command("redrive")(redrive_command)
    dlq.command("discard")(discard_command)

    @dlq.callback()
    def group() -> None:
        """Look after dead letters."""

    app.add_typer(dlq, name="dlq")


def list_command(
    code: Code = None,
    decided: Annotated[
        bool, typer.Option("--decided", help="Also those that were redriven or discarded.")
    ] = False,
    brokers: Brokers = None,
    prefix: Prefix = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """List the dead letters on which nothing was decided yet, the oldest first.

    Exit codes: 0 listed, 2 wrong use, 3 Kafka or a topic out of reach.
    """
    settings = settings_of(brokers, prefix, config)
    letters = [  # what is said of each, without the images
        _document(kept)
        for kept in _kept(settings)
        if (decided or kept.state == "open") and code in (None, kept.letter.code)
    ]
    if as_json:
        typer.echo(json.dumps({"letters": letters}))
    elif not letters:
        typer.echo("no dead letters" if decided else "no open dead letters")
    else:
        _print_table(letters)


def show_command(
    place: Annotated[str, typer.Argument(metavar="PLACE", help="PARTITION:OFFSET.")],
    save: Annotated[
        Path | None, typer.Option("--save", help="Write the value to this file, byte for byte.")
    ] = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Show one dead letter: why it was rejected, its headers, what was decided.

    Exit codes: 0 shown, 1 there is none at PLACE, or FILE could not be written, 2 wrong use,
    3 Kafka or a topic out of reach.
    """
    settings = settings_of(brokers, prefix, config)
    (kept,) = _named(settings, [Place.parse(place)])
    if save is not None:
        _save(kept, save)
    document = _document(kept) | {
        "headers": [[name, _text(value)] for name, value in kept.letter.headers],
        "value_bytes": None if kept.letter.value is None else len(kept.letter.value),
    }
    if as_json:
        typer.echo(json.dumps(document))
        return
    for name, value in document.items():
        if name == "headers":
            for header, content in kept.letter.headers:
                typer.echo(f"header         {printable(header)}: {printable(_text(content) or '')}")
        elif value is not None:
            typer.echo(f"{name:<14} {printable(str(value))}")


def redrive_command(
    places: Places = None,
    code: Code = None,
    every: Every = False,
    reason: Reason = "",
    by: By = "",
    again: Annotated[
        bool, typer.Option("--again", help="Also those of PLACE that were decided before.")
    ] = False,
    dry_run: DryRun = False,
    brokers: Brokers = None,
    prefix: Prefix = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Send dead letters to be judged again, once their cause is mended.

    The verdict gets the id that the first try would have given it. An event that is rejected again
    becomes another dead letter, whose attempts go on counting. Exit codes: 0 sent, 1 some cannot
    be sent or someone else decides at the same time, 2 wrong use, 3 Kafka out of reach.
    """
    named = _check_way(places, code, every)
    settings = settings_of(brokers, prefix, config)
    incomplete = 0

    def whole() -> Iterator[Kept]:
        nonlocal incomplete
        for kept in _chosen(settings, named, code, every, again):
            if not kept.omitted:
                yield kept
                continue
            incomplete += 1
            typer.echo(
                f"{kept.place}: cannot be redriven, its {' and '.join(kept.omitted)} did not fit"
                " the dead-letter topic; send the image again, or discard it",
                err=True,
            )

    unsent = _settle(
        settings, whole(), "redriven", by=by, reason=reason, dry_run=dry_run, as_json=as_json
    )
    if incomplete or unsent:
        raise typer.Exit(1)


def discard_command(
    places: Places = None,
    code: Code = None,
    every: Every = False,
    reason: Reason = "",
    by: By = "",
    dry_run: DryRun = False,
    brokers: Brokers = None,
    prefix: Prefix = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Note that nothing is to be done about dead letters; they leave the list.

    The records themselves stay until their retention ends. Exit codes: 0 noted, 1 someone else
    decides at the same time, 2 wrong use or no --reason, 3 Kafka out of reach.
    """
    if not reason.strip():
        raise StopError("--reason is missing: say why these events are let go", exit_code=2)
    named = _check_way(places, code, every)
    settings = settings_of(brokers, prefix, config)
    chosen = _chosen(settings, named, code, every, again=False)
    _settle(settings, chosen, "discarded", by=by, reason=reason, dry_run=dry_run, as_json=as_json)


def _check_way(places: list[str] | None, code: str | None, every: bool) -> list[Place]:
    """The places that were named; exactly one way of naming dead letters must be used."""
    if sum((bool(places), code is not None, every)) != 1:
        raise StopError(
            "say which: PLACE…, --code CODE or --all, one of the three; `latentprint dlq ls` lists"
            " what is open",
            exit_code=2,
        )
    return [Place.parse(text) for text in places or ()]


def _chosen(
    settings: Settings, places: list[Place], code: str | None, every: bool, again: bool
) -> Iterator[Kept]:
    """The letters that a command is about; what is decided of them is read at the first `next`."""
    if not places:
        for kept in _kept(settings):
            if kept.state == "open" and (every or kept.letter.code == code):
                yield kept
        return
    named = _named(settings, places)
    decided = [kept for kept in named if kept.state != "open"]
    if decided and not again:
        listed = ", ".join(f"{kept.place} ({kept.state})" for kept in decided)
        raise StopError(
            f"decided before: {listed}; nothing was done. `redrive --again` sends them once more",
            exit_code=2,
        )
    yield from named


def _kept(settings: Settings, places: list[Place] | None = None) -> Iterator[Kept]:
    return kept_letters(
        settings.kafka.brokers,
        Topics(settings.kafka.prefix),
        places=places,
        max_image_bytes=settings.decode.max_image_bytes,
        client=client_of(settings),
    )


def _named(settings: Settings, places: list[Place]) -> list[Kept]:
    found = {kept.place: kept for kept in _kept(settings, places)}
    missing = [str(place) for place in dict.fromkeys(places) if place not in found]
    if missing:
        topic = Topics(settings.kafka.prefix).dead_letters
        raise StopError(
            f"{topic} holds no dead letter at {', '.join(missing)}; it may have been deleted after"
            " its retention. `latentprint dlq ls --decided` lists what is there"
        )
    return [found[place] for place in dict.fromkeys(places)]


def _settle(
    settings: Settings,
    letters: Iterable[Kept],
    action: Action,
    *,
    by: str,
    reason: str,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Redrive or discard, and tell; returns how many could not be sent."""
    places: list[str] = []
    unsent: list[Kept] = []

    def tell(kept: Kept) -> None:
        places.append(str(kept.place))
        if not as_json:
            doing = f"would be {action}" if dry_run else action
            typer.echo(f"{kept.place}: {doing} ({kept.letter.code}, {_subject(kept)})")

    def refuse(kept: Kept, why: str) -> None:
        unsent.append(kept)
        typer.echo(
            f"{kept.place}: cannot be redriven, {printable(why)}; raise decode.max_image_bytes to"
            " what the topics take, or discard it",
            err=True,
        )

    if dry_run:
        for kept in letters:
            tell(kept)
    else:
        settle(
            settings.kafka.brokers,
            Topics(settings.kafka.prefix),
            letters,
            action=action,
            by=author_of(by),
            reason=reason,
            max_image_bytes=settings.decode.max_image_bytes,
            client=client_of(settings),
            done=tell,
            refused=refuse,
        )
    if as_json:
        typer.echo(json.dumps({"action": action, "dry_run": dry_run, "places": places}))
    elif dry_run:
        would = "redrive" if action == "redriven" else "discard"
        typer.echo(f"would {would} {len(places)}")
    else:
        typer.echo(f"{len(places)} {action}")
    return len(unsent)


def _document(kept: Kept) -> dict[str, Any]:
    letter, decision = kept.letter, kept.decision
    state: State = kept.state
    event = letter.event()
    event_id, subject = (event.event_id, event.subject) if event else (None, None)
    return {
        "place": str(kept.place),
        "state": state,
        **letter.document(event_id, subject),
        "rejected_at": _time(kept.record.timestamp_ms),
        "omitted": list(kept.omitted),
        "decided_by": decision.by if decision else None,
        "decided_login": decision.login if decision else None,
        "decided_at": decision.at.isoformat() if decision else None,
        "decided_because": decision.reason if decision else None,
    }


def _print_table(letters: list[dict[str, Any]]) -> None:
    shown = {"place": "place", "rejected": "rejected_at", "state": "state"}
    if any(one["decided_by"] is not None for one in letters):
        shown |= {"by": "decided_by", "login": "decided_login"}
    shown |= {"code": "code", "tries": "attempts", "subject": "subject", "message": "message"}
    heading, names = tuple(shown), tuple(shown.values())
    if not sys.stdout.isatty():  # for programs: one line a letter, whatever its length
        typer.echo(columns(heading, [[str(one[n] or "-") for n in names] for one in letters]))
        return
    table = Table(box=None, pad_edge=False)
    for name in heading:
        table.add_column(name, overflow="fold" if name in ("subject", "message") else "ellipsis")
    for one in letters:
        table.add_row(*(printable(str(one[name] or "-")) for name in names))
    Console(soft_wrap=False).print(table, markup=False)


def _subject(kept: Kept) -> str:
    event = kept.letter.event()
    return printable(readable(event.subject)) if event and event.subject else "-"


def _time(timestamp_ms: int | None) -> str:
    if timestamp_ms is None:
        return "-"
    return datetime.fromtimestamp(timestamp_ms / 1000, UTC).isoformat(timespec="seconds")


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "backslashreplace")


def _save(kept: Kept, path: Path) -> None:
    try:
        path.write_bytes(kept.letter.value or b"")
    except OSError as error:
        raise StopError(f"{path} could not be written: {error}") from error
