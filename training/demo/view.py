"""What the demo shows: a live table on a terminal, plain lines elsewhere, all on stderr."""

import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Self

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from fingerprint_db.names import printable
from training.demo.accounting import OUTCOMES, Answer, SourceRow, Summary
from worker.outside.watch_lines import line
from worker.outside.watched import Watched

_PLAIN_EVERY_S = 5.0
_LIVE_EVERY_S = 0.15
_WRONG_SHOWN = 10


class DemoView:
    """Steps as they happen, and the state of the stream below them."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._began = time.monotonic()
        self._live: Live | None = None
        self._next_at = self._began

    def step(self, text: str) -> None:
        """One line that stays: the story goes on."""
        self._console.print(f"[{time.monotonic() - self._began:5.1f} s] {text}", markup=False)

    def quote(self, text: str) -> None:
        """What another program said, indented."""
        for quoted in text.splitlines():
            self._console.print(f"          {printable(quoted)}", markup=False, highlight=False)

    def update(
        self, rows: Sequence[SourceRow], newest: Sequence[Answer], total: int, rate: float | None
    ) -> None:
        """The stream as it is now; without a terminal only now and then."""
        if time.monotonic() < self._next_at:
            return
        answered = sum(sum(row.outcomes.values()) for row in rows)
        speed = "" if rate is None else f", {rate:.0f} events/s"
        progress = f"{answered} of {total} events answered{speed}"
        if self._live is not None:
            self._live.update(_screen(rows, newest, progress), refresh=True)
        else:
            self.step(progress)
        self._next_at = time.monotonic() + (_LIVE_EVERY_S if self._live else _PLAIN_EVERY_S)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None


def source_table(rows: Sequence[SourceRow], title: str | None = None) -> Table:
    """True source by outcome; the outcome that is right for a source is bold."""
    # At 80 columns sources are wrapped and headings whole: two outcomes begin alike.
    table = Table(title=title, box=SIMPLE_HEAD, padding=0, show_edge=False)
    table.add_column("true source")
    for heading in ("events", *(o.replace("_", " ") for o in OUTCOMES), "right"):
        table.add_column(heading, justify="right", width=max(map(len, heading.split())))
    for row in rows:
        cells: list[RenderableType] = []
        for outcome in OUTCOMES:
            count = row.outcomes.get(outcome, 0)
            misnamed = sum(row.misnamed.values()) if outcome == "attributed" else 0
            shown = str(count) if count else "·"
            if misnamed and misnamed < count:
                shown = f"{count - misnamed} + {misnamed} misnamed"
            due = outcome == row.source.outcome
            wrong = (bool(count) and not due) or bool(misnamed)
            cells.append(Text(shown, "bold red" if wrong else "bold green" if due else "dim"))
        share = f"{row.accuracy:.0%}" if row.events else ""
        table.add_row(row.source.name.replace("_", " "), str(row.events), *cells, share)
    return table


def print_summary(console: Console, summary: Summary, seconds: float, rate: float) -> None:
    """The end of the story, for people."""
    console.print(source_table(summary.rows, "what came out, by true source"))
    for event, answer in summary.wrong[:_WRONG_SHOWN]:
        said = "no answer" if answer is None else _readable(answer).plain
        console.print(f"  wrong: {event.source.name}: {said}", markup=False, soft_wrap=True)
    if len(summary.wrong) > _WRONG_SHOWN:
        console.print(f"  and {len(summary.wrong) - _WRONG_SHOWN} more; every verdict with --keep")
    if summary.wrong:
        console.print(f"wrong by reason: {_counted(summary.wrong_by_reason)}", soft_wrap=True)
    right = summary.events - len(summary.wrong)
    console.print(
        f"{right} of {summary.events} events were answered rightly (accuracy"
        f" {summary.accuracy:.3f}): {summary.verdicts} verdicts, {summary.dead_letters} dead"
        f" letters, {summary.lost} lost, {summary.duplicated} duplicated;"
        f" {rate:.0f} events/s, {seconds:.0f} s in all.",
        soft_wrap=True,
    )


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items())


def _screen(rows: Sequence[SourceRow], newest: Sequence[Answer], progress: str) -> Group:
    return Group(
        source_table([row for row in rows if row.events]),
        *(_readable(answer) for answer in newest),
        Text(progress, style="bold"),
    )


def _readable(answer: Answer) -> Text:
    kind = "dead_letter" if answer.document["record"] == "dead_letter" else "verdict"
    text = Text.from_ansi(line(Watched(kind, answer.document)))  # type: ignore[arg-type]
    text.no_wrap = True
    text.overflow = "ellipsis"
    return text
