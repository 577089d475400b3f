"""The commands of the training package; heavy imports wait until a command runs."""

from pathlib import Path
from typing import Annotated

import typer

from training.commands import evaluate, field_set, likelihood, open_set, paper, zoo


def contribute(app: typer.Typer) -> None:
    """Add `demo` and the `train` commands to the program."""
    app.command("demo")(demo)
    train = typer.Typer(
        no_args_is_help=True, help="The science: photographs, GANs, extractors, their measures."
    )

    @train.callback()
    def group() -> None:
        """The science: photographs, GANs, extractors, their measures."""

    train.command("data")(zoo.data)
    train.command("zoo")(zoo.zoo)
    train.command("likelihood")(likelihood.likelihood)
    train.command("corpus")(open_set.corpus)
    train.command("trial")(open_set.trial)
    train.command("bundle")(open_set.bundle)
    train.command("evaluate")(evaluate.evaluate)
    train.command("fieldset")(field_set.field_set)
    train.command("reproduce")(paper.reproduce)
    train.command("visualise")(paper.visualise)
    app.add_typer(train, name="train")


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
