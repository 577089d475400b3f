"""Write `docs/operations/gpu.md` from the newest results of `python -m benchmarks.gpu`.

`python -m benchmarks.gpu.page`; a test compares the page with what this would write.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.gpu import model
from benchmarks.gpu.histograms import WAYS
from worker.extractor.on_device.canvas import BATCH_BYTES, BYTES_A_PIXEL

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
PAGE = ROOT / "docs" / "operations" / "gpu.md"
MIB = 1024 * 1024
SLOTS = (1, 4, 8)


def newest() -> Path:
    """The file of results of the last day."""
    return max(RESULTS.glob("gpu-*.json"))


def load() -> dict[str, Any]:
    """The results that the page is made of."""
    found: dict[str, Any] = json.loads(newest().read_text(encoding="utf-8"))
    return found


def page(results: Mapping[str, Any]) -> str:
    """The page as Markdown."""
    lines = [
        "# On a GPU",
        "",
        "Where torch finds a card, the block statistics and the fingerprints are computed there"
        " ([decision 0034](../decisions/0034-gpu.md)); where not, by compiled loops on the CPU.",
        f"Measured by `{results['command']}` on {results['date'][:10]} ({results['machine']}, load"
        f" {results['load_before']} before), commit {results['commit']}; all figures are in"
        f" [{newest().name}](../../benchmarks/results/{newest().name}).",
        "This page is made of that file by `python -m benchmarks.gpu.page`.",
        "",
        *_caveat(results),
        "",
        "## To measure a card",
        "",
        "    python -m benchmarks.gpu --device cuda --images 4000 --slots 4",
        "",
        "It writes the results and this page anew: decode alone, extract alone in batches of 32 and"
        " 128, match alone, then a worker of four slots on the card behind a real Kafka and Redis.",
        "Before all that the card proves itself: its fingerprints are compared with those of the"
        " bundle and of the compiled loops, as at every start of a worker.",
        "",
        "## What a batch asks of the card",
        "",
        *_counts(results["counts"]),
        "",
        "## Images a second, on paper",
        "",
        *_on_paper(results),
        "",
        "## What was measured",
        "",
        *_measured(results),
        "",
        "## Settings",
        "",
        "- `extract.device`: `cuda:K` names a card; where none is named, the slots take the cards"
        " in turn. Several slots, each a process, may share one.",
        f"- A slot is reckoned to take up to {2 * BATCH_BYTES / 1e9:.0f} GB of the card's memory,"
        " beside what CUDA itself takes: twice what the largest batch holds at once,"
        f" {BYTES_A_PIXEL} bytes a pixel, once for graphs and once for shapes that have none. A"
        " batch that finds no room is halved.",
        "- `extract.batch_max_images`: 32 to 128. A batch is padded to a power of two, by a third"
        " at most.",
        "- `decode.processes`: by itself all cores but one, shared by the slots.",
    ]
    return "\n".join(lines) + "\n"


def _is_card(results: Mapping[str, Any]) -> bool:
    return "cpu" not in results["device"]


def _caveat(results: Mapping[str, Any]) -> Iterator[str]:
    if _is_card(results):
        yield f"The card: {results['device']}."
        return
    yield (
        "**No card has been measured yet.** Operations, bytes and waits below were counted while"
        " torch's CPU device computed a batch; images a second of a card are a model on paper."
    )


def _counts(counts: Mapping[str, Sequence[Mapping[str, int]]]) -> Iterator[str]:
    yield (
        "An operation of torch is one kernel, or a few; where its shapes come again, the sums of 32"
        " pictures are one launch, a CUDA graph, and the fingerprints of a batch another."
    )
    yield (
        "Bytes are those that operations must read and write when no cache holds anything from one"
        " to the next."
    )
    yield ""
    yield "| batch | operations | waits for the card | numbers read back between | MiB over the bus | GB through its memory | billion multiply-adds | million rows added |"  # noqa: E501
    yield "|---|---|---|---|---|---|---|---|"
    names = {"jpeg": "JPEG", "lossless": "PNG"}
    for kind, batches in counts.items():
        for one in batches:
            traffic = one["read_bytes"] + one["written_bytes"]
            yield (
                f"| {one['images']} {names[kind]} | {one['operations']} | {one['waits']} |"
                f" {one['read_back']} | {one['pixel_bytes'] / MIB:.0f} | {traffic / 1e9:.1f} |"
                f" {one['multiply_adds'] / 1e9:.1f} | {one['rows_added'] / 1e6:.0f} |"
            )


def _on_paper(results: Mapping[str, Any]) -> Iterator[str]:
    spent, decode_ms = results["processor_ms"], results["decode"]["processor_ms"]
    beside, host = spent["lossy_beside_a_card"], results["extract"][0]["host_ms"]
    yield f"Assumed of one {model.CARD}:"
    yield ""
    yield (
        f"- {model.MEMORY_BYTES_S / 1e12:.2f} TB/s of memory, of which operations reach"
        f" {model.MEMORY_SHARE:g}; {model.PRODUCTS_S / 1e12:.1f} tera multiply-adds a second of"
        f" float32, of which products reach {model.PRODUCTS_SHARE:g};"
        f" {model.BUS_BYTES_S / 1e9:.0f} GB/s of bus, of which copies reach {model.BUS_SHARE:g}."
    )
    yield (
        f"- {model.ROWS_S / 1e9:.0f} billion rows of a table of 32 numbers added a second: so"
        " symbols are counted."
    )
    yield (
        f"- {model.OPERATION_S * 1e6:g} µs from operation to operation of a graph, and nothing"
        " overlaps with anything."
    )
    yield (
        f"- {model.CORES} cores beside it, each as fast as the one that this was measured on:"
        f" decoding takes {decode_ms:.1f} ms of a processor for an image, what stays beside the"
        f" card of extracting {beside:.1f} ms (of a lossless file"
        f" {spent['lossless_beside_a_card']:.1f}), and all else between {model.PYTHON_MS[0]:g} and"
        f" {model.PYTHON_MS[1]:g} ms."
    )
    yield (
        f"- One thread of each slot's process runs Python: {host:.2f} ms an image to lay pixels out"
        " and hand fingerprints over, and all else as above."
    )
    yield ""
    yield "The card, in microseconds an image:"
    yield ""
    yield "| batch | memory | products | rows | bus | operations | together | images a second |"
    yield "|---|---|---|---|---|---|---|---|"
    for kind, batches in results["counts"].items():
        for one in batches:
            share = model.card(one)
            parts = " | ".join(f"{part:.0f}" for part in share)
            name = {"jpeg": "JPEG", "lossless": "PNG"}[kind]
            yield (
                f"| {one['images']} {name} | {parts} | {share.whole:.0f} |"
                f" {_rounded(1e6 / share.whole)} |"
            )
    card = min(1e6 / model.card(one).whole for one in results["counts"]["jpeg"])
    yield ""
    yield "All of it, images a second of JPEGs, the least of each row being the wall:"
    yield ""
    yield "| all else | slots | the card | all cores | the slots' Python | the wall |"
    yield "|---|---|---|---|---|---|"
    for python_ms in model.PYTHON_MS:
        for slots in SLOTS:
            walls = {
                "the card": card,
                "all cores": model.cores_per_s(decode_ms, beside, python_ms),
                "the slots' Python": model.slots_per_s(slots, host, python_ms),
            }
            each = " | ".join(_rounded(rate) for rate in walls.values())
            yield f"| {python_ms:g} ms | {slots} | {each} | {min(walls, key=walls.__getitem__)} |"
    yield ""
    alone = model.CORES * 1000 / decode_ms
    yield (
        f"Decoding alone would allow {_rounded(alone)} on these cores, and"
        f" {_rounded(model.cores_per_s(decode_ms, 0, model.PYTHON_MS[0]))} with the least of all"
        " else and nothing beside the card."
    )


def _measured(results: Mapping[str, Any]) -> Iterator[str]:
    spent = results["processor_ms"]
    yield (
        f"A JPEG of {results['side']}x{results['side']} on a processor, one thread, least of some"
        f" rounds: {spent['loops']:.1f} ms by the compiled loops, {spent['operations']:.0f} ms by"
        f" the card's operations on torch's CPU device,"
        f" {spent['operations'] / spent['loops']:.0f} times as much."
    )
    yield "So the loops serve where there is no card."
    yield ""
    yield f"| stage, on {results['device']} | images a second |"
    yield "|---|---|"
    decode = results["decode"]
    yield f"| decode alone, {decode['children']} children | {_rounded(decode['per_s'])} |"
    for one in results["extract"]:
        yield f"| extract alone, batches of {one['batch']} | {_rounded(one['per_s'])} |"
        yield (
            f"| the same, each launched before the last is there |"
            f" {_rounded(one['launched_ahead_per_s'])} |"
        )
    yield f"| match alone, against the zoo | {_rounded(results['match_per_s'])} |"
    stream = results.get("end_to_end")
    if stream is not None:
        yield (
            f"| end to end through Kafka and Redis, slots: {stream['slots']}, extract.device"
            f" {stream['extract__device']} | {_rounded(stream['per_s'])} |"
        )
    yield ""
    graphs = results.get("graphs")
    if graphs is not None and _is_card(results):
        yield f"CUDA graphs kept: {graphs['kept']}; refused: {graphs['refused']}."
        yield ""
    ways = results["histograms_us"]
    each = ", ".join(f"{name} {us:,.0f}" for name, us in ways.items() if name in WAYS)
    yield (
        f"To count the symbols of a picture of {ways['places']:,} places takes, in microseconds, by"
        f" each of the ways in `benchmarks/gpu/histograms.py`: {each}."
    )
    if not _is_card(results):
        yield ""
        yield (
            "With `extract.device` cpu a worker extracts by the loops: the last line is that of the"
            " CPU's path. The others only show that the script runs."
        )


def _rounded(rate: float) -> str:
    return f"{float(f'{rate:.2g}'):,.0f}" if rate >= 10 else f"{rate:.1f}"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(load()), encoding="utf-8")


if __name__ == "__main__":
    main()
