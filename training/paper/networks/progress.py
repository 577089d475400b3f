"""A bar for each training on a terminal, and now and then a plain line elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from training.paper.networks.learn import Report

LINE_EVERY_S = 60.0


@contextmanager
def shown() -> Iterator[tuple[Callable[[str], None], Callable[[str], Report]]]:
    """Gives `say(line)` and `progress(name)`, whose value is told (step, steps, loss)."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _say, _lines
        return
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
    )
    with Progress(*columns, console=console) as bars:

        def progress(name: str) -> Report:
            task = bars.add_task(name, total=None, loss=float("nan"))
            return lambda step, steps, loss: bars.update(
                task, completed=step, total=steps, loss=loss, visible=step < steps
            )

        yield lambda line: console.print(line, markup=False), progress


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _lines(name: str) -> Report:
    told = time.monotonic()

    def report(step: int, steps: int, loss: float) -> None:
        nonlocal told
        if step == steps or time.monotonic() - told > LINE_EVERY_S:
            told = time.monotonic()
            _say(f"{name}: step {step} of {steps}, loss {loss:.3f}")

    return report
