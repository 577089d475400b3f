"""`latentprint leave`: slots that ended for good give up their partitions at once."""

import json
from typing import Annotated

import typer

from worker.commands.options import Brokers, Config, Json
from worker.commands.stream import settings_of

TIMEOUT_S = 10.0
"""What a person waits for Kafka; the worker itself, which drains against a deadline, waits less."""


def contribute(app: typer.Typer) -> None:
    """Add `leave` to `app`."""
    app.command("leave")(leave_command)


def leave_command(
    slots: Annotated[
        list[int], typer.Option("--slot", min=0, help="A slot that has ended; give it once a slot.")
    ],
    group: Annotated[str | None, typer.Option("--group", help="Consumer group.")] = None,
    brokers: Brokers = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Take slots that have ended out of the group, so that others get their partitions at once.

    A slot that stops keeps its partitions for its return, for kafka.session_timeout_s (45 s).
    Needed where one ended for good without being told so: `run` leaves by itself on SIGUSR1.
    One that still runs joins again.

    Exit codes: 0 none of them is in the group now, 2 wrong use or no right, 3 Kafka out of reach.
    """
    from worker.broker.leaving import leave_group

    kafka = settings_of(brokers, None, config).kafka
    if group is not None:
        kafka = kafka.model_copy(update={"group": group})
    left = leave_group(kafka, slots, timeout_s=TIMEOUT_S)
    if as_json:
        typer.echo(json.dumps({"group": kafka.group, "left": left}))
        return
    for slot in slots:
        state = "left" if slot in left else "was not in the group"
        typer.echo(f"slot {slot} of {kafka.group}: {state}")
