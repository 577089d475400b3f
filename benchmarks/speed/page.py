"""Write `docs/speed.md` from the newest results of `make bench`.

`python -m benchmarks.speed.page`; the measuring calls it at its end.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.peers.contenders import ROOT, WORKER
from benchmarks.peers.summary import END_SHARE, WARM_S, Spread, of, over

RESULTS: Final = ROOT / "benchmarks" / "results"
PAGE: Final = ROOT / "docs" / "speed.md"
AT_LEAST_ONCE: Final = f"{WORKER}-at-least-once"
ON_ONE_CORE: Final = f"{WORKER}-on-one-core"
"""The names of runs besides `worker`; the second has each slot on a core of its own."""


@dataclass(frozen=True, slots=True)
class Goal:
    """A figure, and what it is to be: `most`, or at least `least`."""

    what: str
    spread: Spread
    least: float | None = None
    most: float | None = None
    unit: str = ""

    @property
    def reached(self) -> bool:
        """By the median."""
        middle = self.spread.middle
        return (self.least is None or middle >= self.least) and (
            self.most is None or middle <= self.most
        )

    @property
    def row(self) -> str:
        """Of the table."""
        wanted = f"≥ {self.least:g}" if self.least is not None else f"≤ {self.most:g}"
        word = "reached" if self.reached else "**missed**"
        return f"| {self.what} | {wanted}{self.unit} | {_told(self.spread)}{self.unit} | {word} |"


def goals(results: Mapping[str, Any]) -> list[Goal]:
    """What was to be reached, and what was measured."""
    runs, alone = results["runs"], results["alone"]
    exactly, at_least = (of(runs, name, 1, "images_per_s") for name in (WORKER, AT_LEAST_ONCE))
    one, two = (of(runs, ON_ONE_CORE, slots, "images_per_s") for slots in (1, 2))
    slowest = min(alone["decode_per_s"], alone["extract_per_s"])
    whole = [rate / slowest for rate in exactly]
    p99_s, beside_ms = results["half_load"]["p99_s"], alone["beside_ms"]
    return [
        Goal("exactly once / at least once, images a second", over(exactly, at_least), 0.95),
        Goal("end to end / the slowest stage alone", Spread.of(whole), 0.9),
        Goal("two slots / one slot, a core for each slot", over(two, one), 1.8),
        Goal("from an image to its verdict that is seen, p99 at half load",
             Spread.of([p99_s]), most=0.5, unit=" s"),
        Goal("processor time of an event beside network, decoding and extraction",
             Spread.of([beside_ms]), most=0.4, unit=" ms"),
    ]  # fmt: skip


def page(results: Mapping[str, Any], raw: str) -> str:
    """The page as Markdown; `raw` is the name of the file of results."""
    return "\n".join(_lines(results, raw)) + "\n"


def _lines(results: Mapping[str, Any], raw: str) -> Iterator[str]:
    runs, alone, half = results["runs"], results["alone"], results["half_load"]
    rounds = 1 + max(run["round"] for run in runs)
    yield "# Speed"
    yield ""
    yield (
        f"Measured by `{results['command']}` (`make bench`) on {results['date'][:10]}"
        f" ({results['machine']}, load {results['load_before']} before), commit"
        f" {results['commit']}; all figures are in [{raw}](../benchmarks/results/{raw})."
    )
    yield "This page is made of that file by `python -m benchmarks.speed.page`."
    yield ""
    yield (
        "Caveats first. One machine with all of it on it, broker included, and no GPU: quote"
        " ratios."
    )
    yield (
        f"{rounds} rounds over {results['images']} JPEGs of 512x512"
        f" ({results['image_bytes'] / 1000:.0f} kB on average), of each the first"
        f" {WARM_S:g} s left out, while partitions move from slot to slot, and the last"
        f" {END_SHARE:.0%} of the verdicts; medians, ranges in brackets, ratios taken round by"
        " round."
    )
    yield (
        "Stages alone have the whole machine, a worker has all of its stages on it: where"
        f" {results['cores']} cores are busy with all of them, a worker cannot be as fast as its"
        " slowest stage alone."
    )
    yield ""
    yield "| what | goal | measured | |"
    yield "|---|---|---|---|"
    yield from (goal.row for goal in goals(results))
    yield ""
    yield "## Workers"
    yield ""
    yield (
        "| delivery | slots | cores | images a second | processor ms an image"
        " | events a transaction |"
    )
    yield "|---|---|---|---|---|---|"
    for name, slots in dict.fromkeys((run["contender"], run["slots"]) for run in runs):
        delivery = "at least once" if name == AT_LEAST_ONCE else "exactly once"
        figures = [
            _told(Spread.of(of(runs, name, slots, what)), digits)
            for what, digits in (
                ("images_per_s", 1),
                ("cpu_ms", 2),
                ("events_per_transaction", 1),
            )
        ]
        cores = "one a slot, with one decoder" if name == ON_ONE_CORE else "all"
        yield f"| {delivery} | {slots} | {cores} | {' | '.join(figures)} |"
    yield ""
    yield from _stages(alone, runs, results["cores"])
    yield "## At half load"
    yield ""
    yield (
        f"{half['per_s']:g} images a second, one by one: half of the images have a verdict that a"
        f" reader of committed records sees within {half['p50_s']:g} s, 99 of 100 within"
        f" {half['p99_s']:g} s."
    )


def _stages(
    alone: Mapping[str, float], runs: Sequence[Mapping[str, Any]], cores: int
) -> Iterator[str]:
    cpu_ms = Spread.of(of(runs, WORKER, 1, "cpu_ms")).middle
    stages_ms = alone["decode_ms"] + alone["extract_ms"] + alone["beside_ms"]
    yield "## Where the time goes"
    yield ""
    yield "| stage alone | images a second | processor ms an image |"
    yield "|---|---|---|"
    yield f"| decode, in one sandboxed child | {alone['decode_per_s']} | {alone['decode_ms']} |"
    yield f"| extract, in batches | {alone['extract_per_s']} | {alone['extract_ms']} |"
    yield f"| match against the bundle's zoo, in batches | {alone['match_per_s']} | |"
    yield (f"| an event beside network, decoding and extraction | | {alone['beside_ms']} |")
    yield ""
    yield (
        f"A worker takes {cpu_ms:.2f} ms of processor time an image in all, and what is above adds"
        f" up to {stages_ms:.2f} ms: the rest is the network, and threads that wake each other."
    )
    yield (
        f"So {cores} cores that do nothing else could give"
        f" {1000 * cores / cpu_ms:.0f} verdicts a second."
    )
    yield ""


def _told(spread: Spread, digits: int = 2) -> str:
    middle = f"{spread.middle:.{digits}f}"
    if spread.least == spread.most:
        return middle
    return f"{middle} ({spread.least:.{digits}f} to {spread.most:.{digits}f})"


def newest() -> Path | None:
    """The file of results of the last day; None before the first measuring."""
    return max(RESULTS.glob("speed-*.json"), default=None)


def load(path: Path) -> dict[str, Any]:
    """The results of a file."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def write() -> None:
    """Write the page."""
    path = newest()
    if path is None:
        raise SystemExit("nothing was measured yet; `make bench` does")
    PAGE.write_text(page(load(path), path.name), encoding="utf-8")
    print(PAGE.relative_to(ROOT))


if __name__ == "__main__":
    write()
