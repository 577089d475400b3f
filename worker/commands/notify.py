"""`latentprint notify`: alerts to webhooks; `notify verify` and `notify redrive` beside it."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fingerprint_db.names import printable
from worker.commands.options import Brokers, Config, Json, Prefix
from worker.commands.run import stopping_on_signals
from worker.errors import StopError
from worker.settings.settings import Settings
from worker.settings_sources import load_settings

if TYPE_CHECKING:
    from worker.metrics import Figures
    from worker.notify.receivers import Plan
    from worker.seen.health import Health

Receivers = Annotated[
    Path | None, typer.Option("--receivers", help="TOML file of the receivers; default: settings.")
]


def contribute(app: typer.Typer) -> None:
    """Add `notify` and its commands to `app`."""
    notify = typer.Typer(invoke_without_command=True)
    notify.callback()(notify_command)
    notify.command("redrive")(redrive_command)
    notify.command("verify")(verify_command)
    app.add_typer(notify, name="notify")


def notify_command(
    context: typer.Context,
    receivers: Receivers = None,
    once: Annotated[
        bool, typer.Option("--once", help="Tell the alerts that are there, then end.")
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Print what all alerts kept would be sent as; send nothing."
        ),
    ] = False,
    slot: Annotated[
        int | None, typer.Option("--slot", min=0, help="This process's place in the group.")
    ] = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Tell alerts to webhooks, signed, until SIGTERM or Ctrl-C; SIGUSR1 also leaves the group.

    Exit codes: 0 drained, 1 stopped by an error (a fenced slot), 2 settings or the file of
    receivers, 3 Kafka or a topic out of reach, 70 unexpected error, 75 watchdog.
    """
    if context.invoked_subcommand is not None:
        return
    from worker.failpoints import from_environment
    from worker.notify.receivers import load_plan
    from worker.telemetry import configure_logging

    settings = _settings(brokers, prefix, config, receivers, slot)
    plan = load_plan(settings.notify.file, os.environ)
    if dry_run:
        _preview(settings, plan, as_json)
        return
    from worker.metrics import Figures
    from worker.notify.run import CHECKS, COUNTED, run
    from worker.seen.health import Health

    configure_logging(settings.logging)
    number = settings.kafka.slot
    figures, health = Figures(COUNTED, slot=number), Health(CHECKS)
    with _served(settings, figures, health), stopping_on_signals() as (stop, leaving):
        run(
            settings,
            plan,
            stop=stop,
            leaving=leaving.is_set,
            once=once,
            figures=figures,
            health=health,
            failpoint=from_environment(os.environ, allowed=settings.is_local),
            on_ready=lambda: _announce("ready", settings, as_json),
        )
        _announce("drained", settings, as_json)


def redrive_command(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List them, and do nothing.")] = False,
    receivers: Receivers = None,
    brokers: Brokers = None,
    prefix: Prefix = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Send what could not be delivered once more, each to its receiver, under its own id.

    What is not taken again stays, behind the others. Exit codes: 0 all delivered, or listed,
    1 some were not, 2 wrong use, 3 Kafka or a topic out of reach.
    """
    from worker.notify.receivers import load_plan
    from worker.notify.redrive import Redriven, redrive
    from worker.telemetry import configure_logging

    settings = _settings(brokers, prefix, config, receivers, None)
    plan = load_plan(settings.notify.file, os.environ)
    configure_logging(settings.logging)
    told: list[Redriven] = []

    def tell(one: Redriven) -> None:
        told.append(one)
        letter = one.again or one.letter
        state = "open" if dry_run else "delivered" if one.again is None else "not delivered"
        document = {
            "id": letter.message_id,
            "kind": letter.kind,
            "receiver": letter.receiver,
            "state": state,
            "reason": letter.reason,
            "attempts": letter.attempts,
            "message": letter.message,
        }
        if as_json:
            typer.echo(json.dumps(document))
        else:
            words = f"{state:<14} {letter.receiver:<16} {letter.kind} {letter.message_id}"
            why = "" if state == "delivered" else f"  {letter.reason}: {letter.message}"
            typer.echo(printable(words + why))

    redrive(settings, plan, dry_run=dry_run, tell=tell)
    failed = sum(one.again is not None for one in told)
    if not as_json:
        sent = "open" if dry_run else "delivered"
        typer.echo(f"{len(told) - failed} {sent}" + (f", {failed} not" if failed else ""))
    if failed:
        raise typer.Exit(1)


def verify_command(
    secret_file: Annotated[
        Path, typer.Option("--secret-file", help="File of the secrets, one a line.")
    ],
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="On 127.0.0.1.")] = 8474,
    count: Annotated[
        int | None, typer.Option("--count", min=1, help="End after so many that were verified.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Receive webhooks on loopback, check their signatures and print what arrives.

    Exit codes: 0 ended as asked, 2 wrong use, 130 interrupted.
    """
    from worker.notify.secret_source import SecretSource
    from worker.notify.verify import HOST, Arrived, VerifyingServer

    try:
        secrets = SecretSource((secret_file,), (), {}).read()
    except ValueError as error:
        raise StopError(f"--secret-file: {error}", exit_code=2) from error
    enough = threading.Event()
    verified = 0

    def arrived(one: Arrived) -> None:
        nonlocal verified
        if as_json:
            line = {"id": one.message_id, "verified": one.why is None, "why": one.why}
            typer.echo(json.dumps({**line, "body": one.document}))
        elif one.why is None:
            typer.echo(f"verified {printable(one.message_id)}")
            typer.echo(printable(json.dumps(one.document, ensure_ascii=False)))
        else:
            typer.echo(f"refused {printable(one.message_id)}: {printable(one.why)}")
        sys.stdout.flush()
        verified += one.why is None
        if count is not None and verified >= count:
            enough.set()

    try:
        server = VerifyingServer(port, secrets, arrived)
    except OSError as error:
        raise StopError(
            f"{HOST}:{port} cannot be had ({error.strerror}); give another --port", exit_code=2
        ) from error
    server.start()
    print(f"listening on http://{HOST}:{server.port}/", file=sys.stderr, flush=True)
    try:
        enough.wait()
    finally:
        server.close()


def _settings(
    brokers: str | None,
    prefix: str | None,
    config: Path | None,
    receivers: Path | None,
    slot: int | None,
) -> Settings:
    flags = {
        "kafka.brokers": brokers,
        "kafka.prefix": prefix,
        "kafka.slot": slot,
        "notify.file": None if receivers is None else str(receivers),
    }
    return load_settings(environment=os.environ, flags=flags, config_file=config)


@contextmanager
def _served(settings: Settings, figures: "Figures", health: "Health") -> Iterator[None]:
    """Figures and health over HTTP, where `notify.listen` names an address."""
    from worker.seen import pages
    from worker.seen.server import PageServer, listening

    slot = settings.kafka.slot
    address = settings.notify.address(slot)
    if address is None:
        yield
        return
    listener = listening(
        *address, what=f"notify, slot {slot},", setting="LATENTPRINT_NOTIFY__LISTEN"
    )
    server = PageServer(
        listener,
        {
            pages.METRICS: lambda accept: pages.figures_page(figures, accept),
            pages.LIVE: pages.state_page(health.live),
            pages.READY: pages.state_page(health.ready),
            pages.STARTED: pages.state_page(health.startup),
        },
    )
    try:
        yield
    finally:
        server.close()


def _preview(settings: Settings, plan: "Plan", as_json: bool) -> None:
    from worker.broker.topics import Topics
    from worker.commands.stream import client_of
    from worker.notify.preview import preview

    for planned in preview(
        settings.kafka.brokers,
        Topics(settings.kafka.prefix),
        plan,
        client_of(settings),
        time.time,
    ):
        message, told = planned.message, ", ".join(planned.receivers) or "nobody"
        if message is None:
            typer.echo(printable(f"no alert: {planned.why}"), err=True)
        elif as_json:
            body = json.loads(message.standard)
            line = {"id": str(message.message_id), "receivers": planned.receivers, "body": body}
            typer.echo(json.dumps(line))
        else:
            typer.echo(f"{message.severity:<9} {message.kind:<7} {message.message_id}  to {told}")


def _announce(event: str, settings: Settings, as_json: bool) -> None:
    if as_json:
        line = {"event": event, "slot": settings.kafka.slot, "pid": os.getpid()}
        print(json.dumps(line), flush=True)
