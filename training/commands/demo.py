"""`latentprint demo`: the whole way, on this machine."""

from pathlib import Path
from typing import Annotated

import typer


def contribute(app: typer.Typer) -> None:
    """Add `demo` to the program."""
    app.command("demo")(demo)


def demo(
    as_json: Annotated[
        bool, typer.Option("--json", help="One line of JSON on stdout at the end.")
    ] = False,
    slots: Annotated[int, typer.Option("--slots", min=1, help="Processes of the worker.")] = 1,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", help="A new folder to leave logs, images and verdicts in."),
    ] = None,
) -> None:
    """Real photographs and GAN images through a real Kafka to verdicts, and a summary.

    Starts its own Kafka, Redis and worker, and stops them; needs no Java, Docker or root. Exit
    codes: 0 all went well, 1 events were lost or duplicated or accuracy is below 0.85, 2 wrong use,
    3 a service cannot be started, 4 the enrolment gate refused, 130 interrupted.
    """
    # torch takes seconds to import, which other commands need not pay.
    from training.demo.run import run_demo

    raise typer.Exit(run_demo(slots=slots, as_json=as_json, keep=keep))
