"""`latentprint train …`: one file for each step of the science."""

import typer

from training.commands import evaluate, field_set, likelihood, open_set, paper, zoo


def contribute(app: typer.Typer) -> None:
    """Add the `train` commands to the program."""
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
