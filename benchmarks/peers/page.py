"""Write `docs/peers.md` and its plot from the newest results of `make bench-peers`.

`python -m benchmarks.peers.page`; the measuring calls it at its end.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.peers.contenders import CONTENDERS, NAMES, ROOT, WORKER
from benchmarks.peers.summary import END_SHARE, WARM_S, Spread, of, over

RESULTS: Final = ROOT / "benchmarks" / "results"
PAGE: Final = ROOT / "docs" / "peers.md"
PLOT: Final = ROOT / "docs" / "peers.svg"

GOALS: Final = (
    (("plain",), 2.5),
    (("quix",), 1.4),
    (("bytewax", "arroyo", "faust"), 1.2),
)
"""Peers, and how many times as fast as the fastest of them the worker is to be."""

WIDTH, LEFT, ROW = 680, 210, 22
"""Points of the plot: its width, where its axis begins, and the height of a row."""


def newest() -> Path | None:
    """The file of results of the last day; None before the first measuring."""
    return max(RESULTS.glob("peers-*.json"), default=None)


def load(path: Path) -> dict[str, Any]:
    """The results of a file."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def page(results: Mapping[str, Any], raw: str) -> str:
    """The page as Markdown; `raw` is the name of the file of results."""
    runs, images = results["runs"], results["images"]
    rounds = 1 + max(run["round"] for run in runs)
    lines = [
        "# The worker beside its peers",
        "",
        f"Measured by `{results['command']}` (`make bench-peers`) on {results['date'][:10]}"
        f" ({results['machine']}, load {results['load_before']} before), commit"
        f" {results['commit']}; all runs are in [{raw}](../benchmarks/results/{raw}).",
        "This page and its plot are made of that file by `python -m benchmarks.peers.page`.",
        "",
        "Caveats first. One machine with all of it on it, broker included: quote ratios.",
        f"{rounds} {'round' if rounds == 1 else 'rounds'}, each contender once a round, over the"
        f" same {images} JPEGs of 512x512"
        f" ({results['image_bytes'] / 1000:.0f} kB on average); the first"
        f" {WARM_S:g} s of a run are left out, while partitions move from process to process, and"
        f" the last {END_SHARE:.0%} of its verdicts.",
        "The clock runs by the time that each verdict bears, when it was judged: how long a"
        " transaction then hides it from readers is not in these figures.",
        "Processor time is of the whole tree of processes, those that ended included, without the"
        " broker.",
        "All run with one thread; a slot of the worker also has decoders, processes of their own,"
        " as many as it starts by default: they can use a second core while a peer's single process"
        " cannot.",
        "All read the bundle, decode and judge by the same functions; a peer reads the registry"
        " once.",
        "",
        "![images a second](peers.svg)",
        "",
    ]
    for slots in sorted({run["slots"] for run in runs}):
        lines += [f"## {_slots(slots)}", "", *_table(runs, slots), ""]
    lines += [*_goals(runs), *_two_slots(runs), *_what_they_are(results), *_verdicts(runs)]
    return "\n".join(lines) + "\n"


def _slots(slots: int) -> str:
    return "One slot" if slots == 1 else f"{slots} slots"


def _present(runs: Sequence[Mapping[str, Any]], slots: int) -> list[str]:
    return [name for name in NAMES if of(runs, name, slots, "cpu_ms")]


def _table(runs: Sequence[Mapping[str, Any]], slots: int) -> Iterator[str]:
    yield "Medians of the rounds; the range in brackets. Ratios are taken round by round."
    yield ""
    yield "| contender | images a second | worker / it | processor ms an image |"
    yield "|---|---|---|---|"
    worker = of(runs, WORKER, slots, "images_per_s")
    for name in _present(runs, slots):
        rates, costs = (of(runs, name, slots, what) for what in ("images_per_s", "cpu_ms"))
        ratio = _told(over(worker, rates), 2) if len(worker) == len(rates) else "-"
        yield f"| {name} | {_told(Spread.of(rates), 1)} | {ratio} | {_told(Spread.of(costs), 1)} |"


def _told(spread: Spread, digits: int) -> str:
    return f"{spread.middle:.{digits}f} ({spread.least:.{digits}f} to {spread.most:.{digits}f})"


def _goals(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What was to be reached with one slot; of several peers the fastest counts."""
    worker = of(runs, WORKER, 1, "images_per_s")
    yield "## Against the goals"
    yield ""
    yield "| one slot of the worker / one process of | goal | measured | |"
    yield "|---|---|---|---|"
    for names, least in GOALS:
        if worker and all(of(runs, name, 1, "images_per_s") for name in names):
            rates = [of(runs, name, 1, "images_per_s") for name in names]
            ratio = over(worker, list(map(max, *rates)) if len(rates) > 1 else rates[0])
            word = "reached" if ratio.middle >= least else "**missed**"
            best = f"the best of {', '.join(names)}" if len(names) > 1 else names[0]
            yield f"| {best} | ≥ {least:g} | {_told(ratio, 2)} | {word} |"
    yield ""
    yield (
        "All wait for the same extraction; the worker also decodes in a sandbox, which the others"
        " do not, and pays more processor time for an image than they do: on cores that are all"
        " busy it cannot be ahead by the goals."
    )
    yield ""


def _two_slots(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    both = [name for name in _present(runs, 1) if name in _present(runs, 2)]
    if both:
        yield "## Two slots over one"
        yield ""
        yield "| contender | two slots / one |"
        yield "|---|---|"
        for name in both:
            ratio = over(*(of(runs, name, slots, "images_per_s") for slots in (2, 1)))
            yield f"| {name} | {_told(ratio, 2)} |"
        yield ""


def _what_they_are(results: Mapping[str, Any]) -> Iterator[str]:
    versions = results["versions"]
    yield "## What they do, and do not"
    yield ""
    yield "| contender | version | delivery | lacks, beside the worker |"
    yield "|---|---|---|---|"
    for one in CONTENDERS:
        version = f"{one.distribution} {versions[one.distribution]}"
        yield f"| {one.name} | {version} | {one.delivery} | {one.lacks or '-'} |"
    yield ""
    yield (
        f"All with torch {versions['torch']} and numba {versions['numba']}."
        " sentry-arroyo is the newest that can live beside quixstreams: both pin confluent-kafka."
    )
    yield (
        "quix-streams applies a function to each message and has no batches outside of windows, so"
        " that it judges image by image."
    )
    yield ""


def _verdicts(runs: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "## Are the verdicts the same"
    yield ""
    yield (
        "Each run's verdicts are compared with those of the worker's first run, field by field but"
        " for what is of the run (ids, times); numbers with a fraction may differ by one part in"
        " ten thousand."
    )
    yield ""
    yield "| contender | runs | images with another verdict or none | verdicts that came twice |"
    yield "|---|---|---|---|"
    for name in NAMES:
        own = [run for run in runs if run["contender"] == name]
        if own:
            other = sum(run["differing"] for run in own)
            twice = sum(run["twice"] for run in own)
            yield f"| {name} | {len(own)} | {other} | {twice} |"


def plot(results: Mapping[str, Any]) -> str:
    """Images a second as SVG: a dot for each round, a bar at the median."""
    runs = results["runs"]
    rows = [(slots, name) for slots in (1, 2) for name in _present(runs, slots)]
    most = max(run["images_per_s"] for run in runs)
    height = ROW * (len(rows) + 2)
    parts = []
    for number, (slots, name) in enumerate(rows):
        y, rates = ROW * (number + 1), of(runs, name, slots, "images_per_s")
        words = name if slots == 1 else f"{name}, {slots} slots"
        colour = "#c0392b" if name.startswith(WORKER) else "#2980b9"
        middle = _x(Spread.of(rates).middle, most)
        parts += [
            f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{words}</text>',
            f'<rect x="{LEFT}" y="{y - 6}" width="{middle - LEFT:.1f}" height="12" fill="{colour}"'
            ' fill-opacity="0.25"/>',
            *(f'<circle cx="{_x(r, most):.1f}" cy="{y}" r="3" fill="{colour}"/>' for r in rates),
            f'<text x="{_x(max(rates), most) + 8:.1f}" y="{y + 4}">{Spread.of(rates).middle:.1f}'
            "</text>",
        ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
        ' font-family="sans-serif" font-size="12">\n'
        '<rect width="100%" height="100%" fill="#fff"/>\n'  # for who reads on a dark ground
        + "\n".join(parts)
        + f'\n<text x="{LEFT}" y="{height - 8}">images a second: each round, and the median</text>'
        "\n</svg>\n"
    )


def _x(rate: float, most: float) -> float:
    return LEFT + (WIDTH - LEFT - 60) * rate / most


def write() -> None:
    """Write page and plot."""
    path = newest()
    if path is None:
        raise SystemExit("nothing was measured yet; `make bench-peers` does")
    results = load(path)
    PAGE.write_text(page(results, path.name), encoding="utf-8")
    PLOT.write_text(plot(results), encoding="utf-8")
    print(PAGE.relative_to(ROOT))


if __name__ == "__main__":
    write()
