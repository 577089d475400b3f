"""How much a service needs: from measured figures, for a rate of your own, and as a page.

    python -m benchmarks.capacity                          writes docs/operations/capacity.md
    python -m benchmarks.capacity --peak 40 --mean 15      prints a plan

The figures are those of the newest `python -m benchmarks.capacity_measure`. A test compares the
page with what this would write.
"""

import argparse
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from worker.broker.topics import Topics, plan_topics
from worker.settings.delivery import DeliverySettings
from worker.settings.images import DecodeSettings

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results"
PAGE: Final = ROOT / "docs" / "operations" / "capacity.md"

BUSY: Final = 0.6
"""How busy cores are planned to be at the peak: what remains works off a backlog, and carries the
partitions of a slot that is down."""

SLOT_CORES: Final = 4
"""Cores that one slot is given: its decoders, and the threads that read statistics, fill them."""

LEAST_SLOTS: Final = 2
"""One may be down, or be restarted."""

REDIS_ROOM: Final = 2
"""Redis may need its memory twice while it writes its file anew (copy on write)."""

DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a service is to hold."""

    peak_per_s: float
    mean_per_s: float
    size: str
    models: int = 300
    flagged_share: float = 0.02
    rejected_share: float = 0.01
    replication: int = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """What it then needs."""

    slot_per_s: float
    slots: int
    decoders_per_slot: int
    partitions: int
    cores: int
    memory_gib: float
    redis_mib: int
    kafka_gib: Mapping[str, float]
    """By topic, all replicas together."""

    in_mbit_s: float


def newest() -> Path:
    """The file of results of the last day."""
    return max(RESULTS.glob("capacity-*.json"))


def load() -> dict[str, Any]:
    """The figures that plans are made of."""
    found: dict[str, Any] = json.loads(newest().read_text(encoding="utf-8"))
    return found


def plan(wanted: Wanted, figures: Mapping[str, Any]) -> Plan:
    """What a service needs at these rates; rounded up, and nothing beside what is measured."""
    cost = figures["sizes"][wanted.size]
    slot_per_s = SLOT_CORES * 1000 / cost["all_cpu_ms"]
    slots = max(LEAST_SLOTS, math.ceil(wanted.peak_per_s / (BUSY * slot_per_s)))
    decoders = max(1, round(SLOT_CORES * cost["decoders_cpu_ms"] / cost["all_cpu_ms"]))
    in_flight_mib = DeliverySettings().max_in_flight_mib
    image = cost["image_bytes"]
    records = figures["records"]
    bytes_per_event = {
        "images": image,
        "verdicts": records["verdicts"]["disk_bytes"],
        "fingerprints": records["fingerprints"]["disk_bytes"],
        "alerts": records["alerts"]["disk_bytes"] * wanted.flagged_share,
        "dead-letters": image * wanted.rejected_share,
    }
    kept_s = {
        topic.name.removeprefix(Topics().prefix): topic.retention_ms / 1000
        for topic in plan_topics(Topics())
    }
    return Plan(
        slot_per_s=round(slot_per_s, 1),
        slots=slots,
        decoders_per_slot=decoders,
        partitions=2 * slots,
        cores=slots * SLOT_CORES,
        memory_gib=round(slots * (cost["memory_mib"] + in_flight_mib) / 1024, 1),
        redis_mib=math.ceil(REDIS_ROOM * wanted.models * figures["redis_bytes_per_model"] / 2**20),
        kafka_gib={
            topic: round(wanted.mean_per_s * kept_s[topic] * weight * wanted.replication / 2**30, 1)
            for topic, weight in bytes_per_event.items()
        },
        in_mbit_s=round(wanted.peak_per_s * image * 8 / 1e6, 1),
    )


EXAMPLE: Final = Wanted(peak_per_s=100, mean_per_s=30, size="1600x1200")


def page(figures: Mapping[str, Any]) -> str:
    """The page as Markdown."""
    return "\n".join(_lines(figures)) + "\n"


def _lines(figures: Mapping[str, Any]) -> Iterator[str]:
    yield "# Capacity"
    yield ""
    yield "How many workers, partitions, bytes: from measured figures, for a rate of your own."
    yield (
        f"Measured by `{figures['command']}` on {figures['date'][:10]} ({figures['machine']},"
        f" load {figures['load_before']} before); all figures are in"
        f" [{newest().name}](../../benchmarks/results/{newest().name})."
    )
    yield "This page is made of that file by `python -m benchmarks.capacity`."
    yield ""
    yield (
        "Caveats first. One machine, one slot, no GPU, and other programs beside it: therefore"
        " processor time is told and not the clock."
    )
    yield (
        "The pictures are the photographs of the demo, cut or resized, as JPEG"
        f" {figures['jpeg_quality']}; PNG and WebP were not measured."
    )
    yield "Measure on your own machines with your own uploads before you buy."
    yield ""
    yield "## What one image costs"
    yield ""
    yield "| picture | file | processor time | of it decoders | a core takes | a slot's memory |"
    yield "|---|---|---|---|---|---|"
    for name, cost in figures["sizes"].items():
        yield (
            f"| {name} | {cost['image_bytes'] / 1000:.0f} kB | {cost['all_cpu_ms']:.0f} ms"
            f" | {cost['decoders_cpu_ms']:.0f} ms | {1000 / cost['all_cpu_ms']:.0f} a second"
            f" | {cost['memory_mib']} MiB |"
        )
    yield ""
    yield (
        "Of a picture above 512x512 a quarter megapixel is judged, so that what grows with it is"
        " decoding, and the bytes that go through Kafka."
    )
    yield "What the clock says on a machine of its own: `make bench`."
    yield (
        f"A worker that waits takes {figures['memory_at_rest_mib']} MiB with its decoders, pages"
        " that they share counted once; by process:"
        " [start.md](start.md#what-a-slot-holds-that-waits)."
    )
    yield (
        "On top come"
        f" `delivery.max_in_flight_mib` ({DeliverySettings().max_in_flight_mib}) and what a very"
        f" large image may take in a decoder, up to `decode.memory_mib`"
        f" ({DecodeSettings().memory_mib}) each: leave room for one."
    )
    yield ""
    yield "## What one image leaves"
    yield ""
    yield "| topic | a record | on disk, each replica | kept |"
    yield "|---|---|---|---|"
    kept = {t.name.removeprefix(Topics().prefix): t for t in plan_topics(Topics())}
    for name, found in figures["records"].items():
        days = kept[name].retention_ms // (1000 * DAY_S)
        yield f"| `{name}` | {found['bytes']} B | {found['disk_bytes']} B | {days} days |"
    yield ""
    yield (
        "On disk a batch is compressed (lz4), and the marks of its transaction come on top: a slot"
        " that has little to do writes small batches, and more bytes for each record."
    )
    yield (
        "An image takes its file in `images`, and as much again in `dead-letters` if it is"
        " rejected."
    )
    yield (
        "A registered generator takes"
        f" {figures['redis_bytes_per_model'] / 1024:.0f} KiB in Redis"
        f" (the {figures['registry_models']} of the bundle's zoo, and what the space takes itself)."
    )
    yield ""
    yield "## The rules"
    yield ""
    yield (
        f"- Slots: of {SLOT_CORES} cores each, as many as take the peak while they are"
        f" {BUSY:.0%} busy, and at least {LEAST_SLOTS}: the rest works off a backlog, and carries"
        " the partitions of a slot that is down."
    )
    yield (
        f"- Decoders of a slot (`decode.processes`): as many of its {SLOT_CORES} cores as decoding"
        " takes of the processor time."
    )
    yield (
        "- Partitions of `images`: twice the slots, so that there is room to grow; more can be"
        " added later, but keys then move."
    )
    yield (
        "- Redis: what the models take, twice, since it may write its file anew; nothing else grows"
        " there but your own photographs."
    )
    yield "- Kafka: the mean rate, times the time kept, times the bytes, times the replicas."
    yield (
        "- What an outage of an hour at the peak left is worked off within"
        f" {BUSY / (1 - BUSY) * 60:.0f} minutes of peak, or sooner when less comes in."
    )
    yield ""
    yield "## A worked example"
    yield ""
    yield from _example(EXAMPLE, plan(EXAMPLE, figures))
    yield ""
    yield "For your own numbers:"
    yield ""
    yield "```"
    yield "python -m benchmarks.capacity --peak 40 --mean 15 --size 512x512 --models 1000"
    yield "```"
    yield ""
    yield "What shows that a plan was too small: [alarms.md](alarms.md#latentprintlag)."


def _example(wanted: Wanted, found: Plan) -> Iterator[str]:
    yield (
        f"{wanted.peak_per_s:g} uploads a second at the peak, {wanted.mean_per_s:g} on average, of"
        f" {wanted.size}; {wanted.models} generators, {wanted.flagged_share:.0%} flagged,"
        f" {wanted.rejected_share:.0%} rejected, {wanted.replication} replicas."
    )
    yield ""
    yield "| what | how much |"
    yield "|---|---|"
    yield f"| a slot takes at most | {found.slot_per_s:g} images a second |"
    yield f"| slots | {found.slots} |"
    yield f"| decoders a slot (`decode.processes`) | {found.decoders_per_slot} |"
    yield f"| partitions of `images` | {found.partitions} |"
    yield f"| processor cores, all slots | {found.cores} |"
    yield f"| memory, all slots | {found.memory_gib:g} GiB |"
    yield f"| Redis | {found.redis_mib} MiB |"
    for topic, gib in found.kafka_gib.items():
        yield f"| Kafka, `{topic}`, all replicas | {gib:,.1f} GiB |"
    yield f"| into Kafka from producers, at the peak | {found.in_mbit_s:g} Mbit/s |"


def main() -> None:
    """Write the page, or print a plan for the rates that are given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    figures = load()
    parser.add_argument("--peak", type=float, help="images a second at the peak")
    parser.add_argument("--mean", type=float, help="images a second on average")
    parser.add_argument("--size", choices=list(figures["sizes"]), default=EXAMPLE.size)
    parser.add_argument("--models", type=int, default=EXAMPLE.models)
    parser.add_argument("--flagged", type=float, default=EXAMPLE.flagged_share, help="share")
    parser.add_argument("--rejected", type=float, default=EXAMPLE.rejected_share, help="share")
    parser.add_argument("--replication", type=int, default=EXAMPLE.replication)
    given = parser.parse_args()
    if given.peak is None:
        PAGE.write_text(page(figures), encoding="utf-8")
        print(PAGE.relative_to(ROOT))
        return
    wanted = Wanted(
        peak_per_s=given.peak,
        mean_per_s=given.mean if given.mean is not None else given.peak,
        size=given.size,
        models=given.models,
        flagged_share=given.flagged,
        rejected_share=given.rejected,
        replication=given.replication,
    )
    print("\n".join(_example(wanted, plan(wanted, figures))))


if __name__ == "__main__":
    main()
