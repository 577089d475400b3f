"""The page of the extractor's floor, made of the newest results of `blocks` and of `against`.

    python -m benchmarks.blocks_page     writes docs/extractor-floor.md

A test compares the page with what this would write.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results"
PAGE: Final = ROOT / "docs" / "extractor-floor.md"
GOALS_MS: Final = {"extract_jpeg": ("a JPEG", 3.0), "extract_png": ("a PNG", 5.0)}
GOAL_RATIO: Final = 0.5

ROWS: Final = (
    (
        "planes",
        "pixels to planes of brightness and colour",
        "read_pixels",
        "reading the pixels",
        "six planes are written, six times what is read, and every block reads some of them",
    ),
    (
        "block_dct",
        "DCT of Y, Cb and Cr on one grid",
        "dct_1_grid_3_planes",
        "the transforms by torch's products",
        "sums, squares and five sizes of every coefficient; Y comes with the next in an extraction",
    ),
    (
        "phase_dct",
        "DCT of Y on sixteen grids",
        "dct_16_grids",
        "the same",
        "sixteen times the coefficients of one grid, each with nine operations",
    ),
    (
        "chroma_phase",
        "DCT of halved Cb and Cr on sixteen grids",
        "dct_16_grids_chroma",
        "the same",
        "as above; PNG alone",
    ),
    (
        "co_occurrences",
        "co-occurrences of residuals",
        "read_whole_planes",
        "reading the whole planes",
        "27 residuals in two directions, 63 counts each of a quarter of the rows: half of the time"
        " is bits in words that are counted, most of the rest residuals that become bits",
    ),
    (
        "colour",
        "co-occurrences of colours",
        "read_pixels",
        "reading the pixels",
        "twelve residuals of three channels, 63 counts each; PNG alone",
    ),
    (
        "spectrum",
        "power in windows of 32x32",
        "fft",
        "the FFTs by torch",
        "windows, and squares; PNG alone",
    ),
    (
        "finish_jpeg",
        "sums to statistics",
        None,
        "",
        "some thousand logarithms and roots",
    ),
    (
        "products_jpeg",
        "products of a JPEG's row",
        "read_lossy_basis",
        "reading the basis",
        "its bytes become float32 before they are multiplied",
    ),
    (
        "products_png",
        "products of a PNG's two rows",
        "read_lossless_basis",
        "reading the basis",
        "the same, for two rows",
    ),
    (
        "nuisance",
        "what kind of picture it is",
        "read_luma",
        "reading Y twice, exact and whole",
        "edges, medians, profiles both ways, and numpy's calls on small arrays",
    ),
    (
        "earlier_jpeg",
        "was it a JPEG before",
        "read_luma",
        "the same",
        "two frequencies at every place, and histograms on two grids; PNG alone",
    ),
)
"""Part, in words, its floor, in words, and what stands between."""


def newest(kind: str) -> Path:
    """The file of results of the last day."""
    return max(RESULTS.glob(f"{kind}-*.json"))


def load(kind: str) -> dict[str, Any]:
    """The figures of the last day."""
    found: dict[str, Any] = json.loads(newest(kind).read_text(encoding="utf-8"))
    return found


def page(blocks: Mapping[str, Any], against: Mapping[str, Any]) -> str:
    """The page as Markdown."""
    return "\n".join([*_parts(blocks), "", *_former(against)]) + "\n"


def _parts(figures: Mapping[str, Any]) -> Iterator[str]:
    parts, raw = figures["parts"], newest("blocks").name
    side = figures["side"]
    yield "# The extractor and its floor"
    yield ""
    yield (
        f"What extraction takes of a processor, for a picture of {side}x{side}, and what the least"
        " of each part takes."
    )
    yield (
        f"Measured by `{figures['command']}` on {figures['date'][:10]} ({figures['machine']},"
        f" load {figures['load_before']} before); all figures are in"
        f" [{raw}](../benchmarks/results/{raw})."
    )
    yield "This page is made of that file and one more by `python -m benchmarks.blocks_page`."
    yield ""
    yield (
        "Caveats first: one machine, one thread, one made picture; processor time, the least of"
        f" {figures['rounds']} rounds in which all parts and all floors follow one another, so that"
        " no part finds its data near."
    )
    yield (
        "A floor is a library that does the least of the part (`benchmarks/floors.py`); a part"
        " below its floor does not write down what the library has to."
    )
    yield ""
    yield "| whole | takes | goal |"
    yield "|---|---|---|"
    for name, (words, goal) in GOALS_MS.items():
        held = _held(parts[name], goal)
        yield f"| {words}, pixels to fingerprint | {_ms(parts[name])} | {held} |"
    yield ""
    yield "| part | ours | floor | which is | what stands between |"
    yield "|---|---|---|---|---|"
    for name, words, floor, which, between in ROWS:
        least = "" if floor is None else _ms(parts[f"floor:{floor}"])
        yield f"| {words} | {_ms(parts[name])} | {least} | {which} | {between} |"


def _former(figures: Mapping[str, Any]) -> Iterator[str]:
    raw = newest("against").name
    yield f"## Beside commit {figures['against']}"
    yield ""
    yield (
        f"Measured by `{figures['command']}` on {figures['date'][:10]} ({figures['machine']},"
        f" load {figures['load_before']} before), commit {figures['commit']}; all figures are in"
        f" [{raw}](../benchmarks/results/{raw})."
    )
    yield (
        f"Both judge the same {figures['images']} photographs in turns, decoded in a sandboxed"
        " child, each with its own bundle and zoo; processor time of all processes an image,"
        f" medians of {figures['rounds']} rounds, ratios by round."
    )
    yield (
        f"The goal is that a JPEG takes at most {GOAL_RATIO:g} of what it took; a PNG was read as"
        " sixteen crops of 32x32 then, and is read whole and in two spaces now."
    )
    yield ""
    yield "| file | | all | the decoder's processes | extraction | the rest |"
    yield "|---|---|---|---|---|---|"
    for kind, own in figures["formats"].items():
        for name in ("then", "now"):
            times = own[name]["median_ms"]
            rest = times["all"] - times["decode"] - times["extract"]
            yield (
                f"| {kind.upper()} | {name} | {times['all']:.1f} ms | {times['decode']:.1f} ms |"
                f" {times['extract']:.1f} ms | {rest:.1f} ms |"
            )
        lowest, highest = own["ratio_range"]
        missed = ", missed" if kind == "jpeg" and own["ratio"] > GOAL_RATIO else ""
        yield (
            f"| {kind.upper()} | now / then | {own['ratio']:.2f} ({lowest:.2f} to {highest:.2f})"
            f"{missed} | | | |"
        )


def _ms(part: Mapping[str, float]) -> str:
    return f"{part['least_ms']:.2f} ms"


def _held(part: Mapping[str, float], goal: float) -> str:
    return f"{goal:g} ms{', missed' if part['least_ms'] > goal else ''}"


def write() -> None:
    """Write the page anew."""
    PAGE.write_text(page(load("blocks"), load("against")), encoding="utf-8")


if __name__ == "__main__":
    write()
