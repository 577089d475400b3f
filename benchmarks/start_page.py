"""The page of starts, made of the newest results of `python -m benchmarks.start`.

    python -m benchmarks.start_page     writes docs/operations/start.md

A test compares the page with what this would write.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results"
PAGE: Final = ROOT / "docs" / "operations" / "start.md"

STARTS: Final = (
    ("help", "`latentprint --help`", 0.5),
    ("scan_jpeg", "`latentprint scan` of one JPEG, to its verdict", 3.0),
    ("scan_png", "the same picture as PNG, which is read in two spaces", 3.0),
    ("kafka_refused", "`latentprint run` where no Kafka listens, to its refusal", 3.0),
    ("redis_awaited", "`latentprint run` where no Redis listens, until it says so", 3.0),
    ("ready", "`latentprint run`, until it has joined its group", 6.0),
)
"""As the results name it, what it is, and the goal in seconds by the clock."""


def newest() -> Path:
    """The file of results of the last day."""
    return max(RESULTS.glob("start-*.json"))


def load() -> dict[str, Any]:
    """The figures that the page is made of."""
    found: dict[str, Any] = json.loads(newest().read_text(encoding="utf-8"))
    return found


def page(figures: Mapping[str, Any]) -> str:
    """The page as Markdown."""
    return "\n".join(_lines(figures)) + "\n"


def _lines(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "# Start"
    yield ""
    yield "How long the program takes to start, and what a slot holds that waits."
    yield (
        f"Measured by `{figures['command']}` on {figures['date'][:10]} ({figures['machine']},"
        f" load {figures['load_before']} before); all figures are in"
        f" [{newest().name}](../../benchmarks/results/{newest().name})."
    )
    yield "This page is made of that file by `python -m benchmarks.start_page`."
    yield ""
    yield (
        "Caveats first: one machine, no GPU, Kafka and Redis beside it; the clock counts what other"
        f" programs take, too, so that a goal is held against the least of {figures['rounds']}"
        " rounds; the other times are medians."
    )
    yield (
        f"The picture is a photograph of the demo, {figures['side']}x{figures['side']}, as JPEG"
        f" {figures['jpeg_quality']} or PNG."
    )
    yield ""
    yield "## How long"
    yield ""
    yield "| what | goal | by the clock, least | median | processor time |"
    yield "|---|---|---|---|---|"
    for name, what, goal_s in STARTS:
        taken = figures["starts"][name]
        missed = "" if taken["wall_least_s"] <= goal_s else ", **missed**"
        yield (
            f"| {what} | {goal_s:g} s | {taken['wall_least_s']:g} s{missed} | {taken['wall_s']:g} s"
            f" | {taken['cpu_s']:g} s |"
        )
    yield ""
    yield (
        "These are starts for which Python and numba have kept what they compile; the first start"
        " compiles it:"
    )
    yield ""
    yield "| `scan` of the JPEG, where | by the clock | processor time |"
    yield "|---|---|---|"
    for name, what in (
        ("nothing_kept", "nothing is kept"),
        ("loops_not_kept", "the loops over pixels are not kept"),
    ):
        taken = figures["cold"][name]
        yield f"| {what} | {taken['wall_s']:g} s | {taken['cpu_s']:g} s |"
    yield ""
    bytecode_s = (
        figures["cold"]["nothing_kept"]["cpu_s"] - figures["cold"]["loops_not_kept"]["cpu_s"]
    )
    yield (
        f"The difference, {bytecode_s:.1f} s, comes at every start where packages were installed"
        " without bytecode and `PYTHONDONTWRITEBYTECODE` keeps Python from writing it."
    )
    yield ""
    yield (
        "A command loads what it needs, when it needs it: `run` asks Kafka and then Redis before it"
        " loads anything to judge with, and `scan` loads a client of neither unless a Redis is"
        " named."
    )
    yield (
        "Where Redis is out of reach, `run` waits `redis.start_wait_s`; the line above is when it"
        " says so."
    )
    yield "The golden self-test is part of every start, whole: no verdict is given before it."
    yield "The decoders start meanwhile, and no garbage is looked for until all is loaded."
    yield (
        "Torch is loaded where there is a card; loading it alone takes"
        f" {figures['starts']['torch']['cpu_s']:g} s of processor time, which come on top there."
    )
    yield ""
    yield "## What a slot holds that waits"
    yield ""
    idle = figures["idle"]
    yield "| what | memory |"
    yield "|---|---|"
    yield f"| the worker, its bundle, and the bundle's zoo as registry | {idle['worker_mib']} MiB |"
    yield (
        f"| decoders ({idle['decoders']}): what each forks its children from"
        f" | {idle['templates_mib']} MiB |"
    )
    yield f"| their children ({idle['decoders']}) | {idle['children_mib']} MiB |"
    yield f"| all together | {idle['all_mib']} MiB |"
    yield ""
    yield (
        "Pages that processes share are counted in parts (PSS), so that the numbers add up; the"
        f" worker has {idle['worker_threads']} threads."
    )
    yield (
        "Decoders are started as programs of their own, not forked from the worker: they hold numpy"
        " and the codecs, and nothing of what judges."
    )
    yield (
        f"Torch, where there is a card, takes {figures['torch_mib']} MiB in a process that loads"
        " nothing else, before it uses the card."
    )
    yield "What comes on top at work: [capacity.md](capacity.md#what-one-image-costs)."


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(load()), encoding="utf-8")
    print(PAGE.relative_to(ROOT))


if __name__ == "__main__":
    main()
