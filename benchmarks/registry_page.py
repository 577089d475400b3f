"""Write `docs/operations/registry-size.md` from what `python -m benchmarks.registry` measured.

`python -m benchmarks.registry_page`; a test compares the page with what this would write.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results"
PAGE: Final = ROOT / "docs" / "operations" / "registry-size.md"

SHARE, MEMORY_MIB, USE_S, CHANGE_MS = 0.20, 4096, 1.0, 20.0
"""The goals for 100,000 models: of a CPU batch, in memory, until a change is in use, and of a core
at one change a second."""


def newest() -> list[Path]:
    """The files of results of the last day, by name."""
    found = sorted(RESULTS.glob("registry-*.json"))
    day = found[-1].name[: len("registry-2026-01-01")]
    return [path for path in found if path.name.startswith(day)]


def load() -> list[dict[str, Any]]:
    """The results that the page is made of, of each run."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in newest()]


def page(runs: Sequence[Mapping[str, Any]]) -> str:
    """The page as Markdown."""
    every = sorted((one for run in runs for one in run["registries"]), key=_models)
    batch = runs[0]["batch"]
    lines = [
        "# How large a registry may be",
        "",
        "What registered models cost a worker: matching, memory, loading, and a change a second.",
        *(
            f"Measured by `{run['command']}` on {run['date'][:10]} ({run['machine']}, load"
            f" {run['load_before']} before), commit {run['commit']}; all figures are in"
            f" [{path.name}](../../benchmarks/results/{path.name})."
            for run, path in zip(runs, newest(), strict=True)
        ),
        "This page is made of these files by `python -m benchmarks.registry_page`.",
        "",
        "Caveats first. One slot of one thread, and other programs beside it, so that processor"
        " time is told where it can be.",
        "The models are made up: drawn around the zoo's, more spread than these, live all of them.",
        f"The pictures are photographs as JPEG 85, {batch} a batch, of which a model is enrolled"
        " under two conditions; most codecs have one, and cost half as much.",
        "A batch of several codecs searches the rows of each, whatever the number of its pictures.",
        "Decoding is counted without its sandbox.",
        "",
        "## What a batch costs",
        "",
        "| models | decoding | extracting | matching and verdicts | of it all | an image |",
        "|---|---|---|---|---|---|",
        *(
            f"| {one['models']:,} | {one['decode_cpu_ms']:.0f} ms | {one['extract_cpu_ms']:.0f} ms"
            f" | {one['match_cpu_ms']:.1f} ms | {100 * one['match_of_batch']:.0f} %"
            f" | {one['match_cpu_ms'] / batch:.2f} ms |"
            for one in every
        ),
        "",
        "Every model is searched by bounds on its bytes, and what may be told is scored in full;"
        " verdicts are those of scoring everything (`fingerprint_db/matching/`).",
        *_floors(every[-1]),
        *_without(run for run in runs if run.get("without_vnni")),
        "",
        "## What it holds, and how long it loads",
        "",
        "| models | memory of the slot | without them | most while loading | an entry | in Redis"
        " | loading |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {one['models']:,} | {one['memory_mib']['held']:,} MiB |"
            f" {one['memory_mib']['before']:,} MiB | {one['memory_mib']['most']:,} MiB |"
            f" {one['entry_bytes'] / 1024:.0f} KiB | {one['redis_mib']:,} MiB |"
            f" {one['load_s']['cpu']:.0f} s |"
            for one in every
        ),
        "",
        "## A change a second",
        "",
        "From its writing to a verdict that carries its revision, half of them models that come and"
        " half models that go.",
        "",
        "| models | median | 99 % | processor time a change | the judge stands still, at most |",
        "|---|---|---|---|---|",
        *(
            f"| {one['models']:,} | {one['change_to_use_s']['median']:.2f} s |"
            f" {one['change_to_use_s']['p99']:.2f} s | {_change_ms(one):.0f} ms |"
            f" {max(0.0, one['judge_stops_ms']['most']):.0f} ms |"
            for one in every
        ),
        "",
        "## Against the goals",
        "",
        *_against(every[-1]),
        "",
    ]
    return "\n".join(lines)


def _against(one: Mapping[str, Any]) -> Iterator[str]:
    count = f"{one['models']:,}"
    yield f"| for {count} models | goal | measured | |"
    yield "|---|---|---|---|"
    share, held = 100 * one["match_of_batch"], one["memory_mib"]["held"]
    use, change = one["change_to_use_s"]["p99"], _change_ms(one)
    yield _line("of a CPU batch", f"{100 * SHARE:.0f} %", f"{share:.0f} %", share / 100 <= SHARE)
    yield _line("memory of the slot", f"{MEMORY_MIB:,} MiB", f"{held:,} MiB", held <= MEMORY_MIB)
    yield _line("99 % of changes in use", f"{USE_S:.0f} s", f"{use:.2f} s", use <= USE_S)
    yield _line(
        "of a core at a change a second",
        f"{CHANGE_MS / 10:.0f} %",
        f"{change / 10:.1f} %",
        change <= CHANGE_MS,
    )


def _change_ms(one: Mapping[str, Any]) -> float:
    """Of the process, or of the follower's thread alone where that is more: the process's is a
    difference, which other programs can make too small."""
    return max(float(one["change_cpu_ms"]), float(one.get("follower_cpu_ms", 0.0)))


def _floors(one: Mapping[str, Any]) -> Iterator[str]:
    """What the search of the largest registry takes at least, where that was measured."""
    if least := one.get("floor"):
        yield (
            f"Of {one['models']:,} models a batch reads {least['bytes'] / 2**20:.0f} MiB, which"
            f" takes {least['reading_cpu_ms']:.1f} ms, and multiplies them with two queries an"
            f" image, which takes {least['products_cpu_ms']:.1f} ms where nothing else is done: the"
            " least that this search can take."
        )


def _without(runs: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """What matching takes on other machines, as far as it was measured."""
    found = {one["models"]: one for run in runs for one in run["without_vnni"]}
    if not found:
        yield "Without AVX-512 VNNI the same search is plain loops, and slower."
    for one in found.values():
        yield (
            f"Without AVX-512 VNNI the same search is plain loops: of {one['models']:,} models"
            f" matching and verdicts take {one['match_cpu_ms']:.1f} ms a batch there,"
            f" {100 * one['match_of_batch']:.0f} % of it (measured here, compiled for a processor"
            " with AVX2 alone). `latentprint doctor` says which way a machine searches."
        )


def _models(one: Mapping[str, Any]) -> int:
    return int(one["models"])


def _line(what: str, goal: str, measured: str, met: bool) -> str:
    return f"| {what} | at most {goal} | {measured} | {'met' if met else 'missed'} |"


if __name__ == "__main__":
    PAGE.write_text(page(load()), encoding="utf-8")
