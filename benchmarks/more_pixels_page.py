"""Write `docs/more-pixels.md` from the newest results of `python -m benchmarks.more_pixels`.

`python -m benchmarks.more_pixels_page`; a test compares the page with what this would write.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "more-pixels.md"

ARRIVALS = {"lossless": "PNG", "jpeg90": "JPEG 90", "jpeg75": "JPEG 75"}
LEAST, FIRST, ALL = "0.06", "0.25", "1"


def newest() -> Path:
    """The file of results of the last day."""
    return max(RESULTS.glob("more-pixels-*.json"))


def load() -> dict[str, Any]:
    """The results that the page is made of."""
    found: dict[str, Any] = json.loads(newest().read_text(encoding="utf-8"))
    return found


def page(results: Mapping[str, Any]) -> str:
    """The page as Markdown."""
    gain, cost = results["gain"], results["cost"]
    lines = [
        "# What more pixels would buy and cost",
        "",
        "Of a picture above 512x512 the worker reads about a quarter megapixel, spread over it: the"
        " first stage of [decision 0019](decisions/0019-regions.md).",
        "Later stages could follow while an answer lies between the thresholds.",
        f"Measured by `{results['command']}` on {results['date'][:10]} ({results['machine']},"
        f" load {results['load_before']} before),"
        f" commit {results['commit']}, bundle `{results['bundle']}`; all figures are in"
        f" [{newest().name}](../benchmarks/results/{newest().name}).",
        "This page is made of that file by `python -m benchmarks.more_pixels_page`.",
        "",
        "## In short",
        "",
        *_in_short(gain, cost),
        "",
        "## What they buy",
        "",
        f"Caveats first. Three networks over photographs, {_pictures(gain)} pictures of 1024x1024"
        " each, enrolled from 30 others of 512x512, against photographs cut to 1024x1024 and read"
        f" alike: {gain['photographs']} of {gain['sources']} sources.",
        "The maps are fitted as the bundle's are, from a quarter megapixel and less, but without"
        " the networks' families and without these photographs; other photographs of their sources"
        " are known.",
        "Scores are in deviations of photographs, as the worker's; whether a picture is typical of"
        " the generator, and ahead of the next, is not asked.",
        "A PNG that the pixels tell was a JPEG is judged in another space, and is left out.",
        "",
        "Share: pictures of the network above all but the highest 2 % of the photographs, in %."
        " Scores: mean ± deviation between pictures.",
        "",
        "| network | arrival | megapixels | its pictures | photographs | share |",
        "|---|---|---|---|---|---|",
        *_gain_rows(gain),
        "",
        "How far reading the whole picture moves a score beyond the first stage, as the deviation"
        " of the change, beside how far pictures differ:",
        "",
        "| network | arrival | its pictures: moved | differ | photographs: moved | differ |",
        "|---|---|---|---|---|---|",
        *_moved_rows(gain),
        "",
        "## What they cost",
        "",
        "Processor time on one thread, in ms, of one made picture of 2304x2304, the least of all"
        " rounds; over the first stage in brackets.",
        "`statistics` is a part of `extract`, which is all that the extractor does; decoding reads"
        " the whole file whatever is asked for.",
        "",
        "| file | megapixels read | decode | statistics | extract |",
        "|---|---|---|---|---|",
        *_cost_rows(cost),
        "",
        "## What cannot be had yet",
        "",
        f"A stage of its own needs levels of its own. The learning sources have"
        f" {gain['of_a_megapixel']['photographs']} photographs of a megapixel and more, of"
        f" {gain['of_a_megapixel']['sources']} sources, and what stands behind statistics and norms"
        " may not stand behind levels: of N photographs no p-value is below 1/(N + 1), so that a"
        " level of 1 % takes 99 that nothing else was learned from.",
        "Today's level of pictures of 384 pixels and more is of photographs read at the first"
        " stage, whatever their size.",
        "",
    ]
    return "\n".join(lines)


def _in_short(gain: Mapping[str, Any], cost: Mapping[str, Any]) -> Iterator[str]:
    for codec, name in ARRIVALS.items():
        found = gain["arrivals"][codec]
        least, first, whole = (_mean(found, read, "above") for read in (LEAST, FIRST, ALL))
        yield (
            f"- {name}: of the networks' pictures {first:.0f} % score above all but the highest 2 %"
            f" of photographs at the first stage, and {whole:.0f} % when the whole megapixel is"
            f" read: {whole - first:+.1f} points (95 %: {found['gain_from']:+.1f} to"
            f" {found['gain_to']:+.1f}). From a sixteenth of a megapixel they are {least:.0f} %."
        )
    moved, differ = (
        fmean(
            float(own) for found in gain["arrivals"].values() for own in _of_networks(found, what)
        )
        for what in ("made_moved", "made_deviation")
    )
    yield (
        f"- The rest of a picture moves its score by {moved:.2f} deviations of photographs, on"
        f" average of networks and arrivals; pictures of one network differ by {differ:.2f}. What"
        " hides a network beyond the first stage is the picture, not the count of its pixels."
    )
    for kind, sizes in cost.items():
        times = [sizes[read]["extract_ms"] / sizes[FIRST]["extract_ms"] for read in ("1", "4")]
        yield (
            f"- {kind}: extracting a megapixel takes {times[0]:.1f} times as long as the first"
            f" stage, four megapixels {times[1]:.1f} times."
        )


def _of_networks(found: Mapping[str, Any], what: str) -> Iterator[float]:
    for own in found["networks"].values():
        yield own[what] if what in own else own["read"][FIRST][what]


def _mean(found: Mapping[str, Any], read: str, what: str) -> float:
    return fmean(own["read"][read][what] for own in found["networks"].values())


def _pictures(gain: Mapping[str, Any]) -> str:
    counts = {
        own["pictures"] for found in gain["arrivals"].values() for own in found["networks"].values()
    }
    return " to ".join(str(count) for count in sorted({min(counts), max(counts)}))


def _gain_rows(gain: Mapping[str, Any]) -> Iterator[str]:
    for codec, name in ARRIVALS.items():
        found = gain["arrivals"][codec]
        for network, own in found["networks"].items():
            for read, seen in own["read"].items():
                yield (
                    f"| {network} | {name} | {read}"
                    f" | {seen['made_mean']:.2f} ± {seen['made_deviation']:.2f}"
                    f" | {seen['real_mean']:.2f} ± {seen['real_deviation']:.2f},"
                    f" {found['photographs']} | {seen['above']:.0f} |"
                )


def _moved_rows(gain: Mapping[str, Any]) -> Iterator[str]:
    for codec, name in ARRIVALS.items():
        for network, own in gain["arrivals"][codec]["networks"].items():
            first = own["read"][FIRST]
            yield (
                f"| {network} | {name} | {own['made_moved']:.2f} | {first['made_deviation']:.2f}"
                f" | {own['real_moved']:.2f} | {first['real_deviation']:.2f} |"
            )


def _cost_rows(cost: Mapping[str, Any]) -> Iterator[str]:
    for kind, sizes in cost.items():
        for read, times in sizes.items():
            cells = [
                f"{times[part]:.0f} ({times[part] / sizes[FIRST][part]:.1f})"
                for part in ("decode_ms", "statistics_ms", "extract_ms")
            ]
            yield f"| {kind} | {read} | {' | '.join(cells)} |"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(load()), encoding="utf-8")
    print(PAGE.relative_to(ROOT))


if __name__ == "__main__":
    main()
