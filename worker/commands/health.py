"""`latentprint health`: asks a worker how it is, for probes that can only run a command."""

import json
import os
from typing import Annotated

import typer

from worker.commands.options import Config, Json
from worker.errors import StopError
from worker.settings_sources import load_settings, variable


def contribute(app: typer.Typer) -> None:
    """Add `health` to `app`."""
    app.command("health")(health_command)


def health_command(
    live: Annotated[
        bool, typer.Option("--live", help="Does its loop come round? Kafka and Redis aside.")
    ] = False,
    ready: Annotated[
        bool, typer.Option("--ready", help="Does it judge as it should, now? The default.")
    ] = False,
    startup: Annotated[bool, typer.Option("--startup", help="Has it started?")] = False,
    notify: Annotated[
        bool, typer.Option("--notify", help="Ask `latentprint notify`, at notify.listen.")
    ] = False,
    slot: Annotated[
        int | None, typer.Option("--slot", min=0, help="As given to `run`; default: settings.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Ask the worker at metrics.listen, or notify, how it is, and say what is missing.

    Where it can be asked over HTTP (/livez, /readyz, /startupz), that is the cheaper way.

    Exit codes: 0 yes, 1 no, or nobody answers, 2 wrong use, or no address is set.
    """
    from worker.seen.pages import LIVE, READY, STARTED
    from worker.seen.probe import ask

    if live + ready + startup > 1:
        raise StopError("--live, --ready and --startup: ask one thing at a time", exit_code=2)
    settings = load_settings(environment=os.environ, flags={"kafka.slot": slot}, config_file=config)
    who, group = ("notify", "notify") if notify else ("worker", "metrics")
    address = (settings.notify if notify else settings.metrics).address(settings.kafka.slot)
    if address is None:
        raise StopError(
            f"no {who} can be asked: {group}.listen is empty; set"
            f" {variable((group, 'listen'))}=HOST:PORT, for the {who} too",
            exit_code=2,
        )
    told = ask(*address, LIVE if live else STARTED if startup else READY)
    if as_json:
        typer.echo(json.dumps({"ok": told.holds, "said": told.document, "words": told.words}))
    else:
        for line in told.words:
            typer.echo(line)
    if not told.holds:
        raise typer.Exit(1)
