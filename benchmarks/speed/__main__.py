"""How fast the worker is: `make bench`, or `python -m benchmarks.speed`.

    python -m benchmarks.speed [--images 4500] [--rounds 3] [--output FILE]

One run, side by side: the stages alone; what an event costs beside network, decoding and
extraction; rounds of workers over one topic of 512x512 JPEGs: one slot in both modes of delivery,
with as many decoders as it starts by default, then one and two slots that have one core and one
decoder each; at last images one by one at half the rate of one slot.
Writes benchmarks/results/speed-DATE.json, and the page of it.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from subprocess import Popen
from typing import Any

from benchmarks.peers.contenders import WORKER, Services, start
from benchmarks.peers.measure import DEADLINE_S, PARTITIONS, feed, import_zoo, stop
from benchmarks.peers.summary import measured
from benchmarks.peers.watching import Reader, follow
from benchmarks.pipeline import stages
from benchmarks.speed import beside, half_load, page
from deploy.services.kafka import start_kafka
from deploy.services.redis import start_redis
from training.paper.studies.measured import commit
from worker.broker.topic_creation import create_topics
from worker.broker.topics import Topics
from worker.settings.cores import usable_cores
from worker.settings.seen import LoggingSettings
from worker.telemetry import configure_logging

RUNS = ((WORKER, 1), (page.AT_LEAST_ONCE, 1), (page.ON_ONE_CORE, 1), (page.ON_ONE_CORE, 2))
ALONE_IMAGES = 400
"""At most, for stages alone and at half load."""

BESIDE_EVENTS = 3000
HALF_LOAD_PREFIX = "half."
COMMITTED = '"event": "commit"'
"""In the log of a worker, once a transaction."""


def main() -> None:
    """Measure, write the results, and the page of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=int, default=4500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--output", type=Path, help="JSON alone, without the page")
    options = parser.parse_args()
    configure_logging(LoggingSettings(level="warning"))
    now = datetime.now(UTC)
    document = {
        "command": f"python -m benchmarks.speed {' '.join(sys.argv[1:])}".rstrip(),
        "date": now.isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {usable_cores()} cores",
        "cores": usable_cores(),
        "load_before": round(os.getloadavg()[0], 1),
        "commit": commit(),
        "images": options.images,
        **speed(options.images, options.rounds),
    }
    text = json.dumps(document, separators=(",", ":")) + "\n"
    (options.output or page.RESULTS / f"speed-{now:%Y-%m-%d}.json").write_text(text)
    print(json.dumps(document, indent=1))
    if options.output is None:
        page.write()


def speed(images: int, rounds: int) -> dict[str, Any]:
    """All figures but those of the machine."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        root = Path(folder)
        kafka = stack.enter_context(start_kafka(root / "kafka"))
        redis = stack.enter_context(start_redis(root / "redis"))
        services = Services(kafka.brokers, redis.url, Topics().images)
        create_topics(kafka.brokers, Topics(), partitions=PARTITIONS)
        import_zoo(services)
        image_bytes = feed(root / "images", images, services)
        few = sorted((root / "images").iterdir())[:ALONE_IMAGES]
        files = [path.read_bytes() for path in few]
        alone, seen = stages(files)
        alone |= beside.processor_ms(
            seen.bundle, seen.limits, files, seen.images, seen.fingerprints, BESIDE_EVENTS
        )
        del seen
        runs = [
            {"contender": name, "slots": slots, "round": number, **_run(
                name, slots, f"{name}-{slots}-{number}", services, root, images
            )}
            for number in range(rounds)
            for name, slots in RUNS
        ]  # fmt: skip
        own = [run["images_per_s"] for run in runs if (run["contender"], run["slots"]) == RUNS[0]]
        half = _half_load(median(own) / 2, services, root, files)
    return {"image_bytes": image_bytes, "alone": alone, "runs": runs, "half_load": half}


def _run(
    name: str, slots: int, run: str, services: Services, root: Path, images: int
) -> dict[str, Any]:
    """Workers over the whole topic: rate, processor time, and events in a transaction."""
    reader = Reader(services.brokers, Topics().verdicts)
    with _workers(name, slots, run, services, root) as workers:
        delivered, used = follow(reader, workers, images, DEADLINE_S)
    reader.close()
    transactions = sum(log.read_text().count(COMMITTED) for log in (root / run).glob("*.log"))
    found = measured(delivered.made_at_s, used)
    found["events_per_transaction"] = round(images / transactions, 1)
    print(run, found, flush=True)
    return found


def _half_load(
    per_s: float, services: Services, root: Path, files: list[bytes]
) -> dict[str, float]:
    """One slot with topics of its own: the others hold what it would have to judge first."""
    topics = Topics(HALF_LOAD_PREFIX)
    create_topics(services.brokers, topics, partitions=PARTITIONS)
    further = {"LATENTPRINT_KAFKA__PREFIX": HALF_LOAD_PREFIX}
    with _workers(WORKER, 1, "half-load", services, root, **further) as workers:
        return half_load.visible_after(
            services.brokers, topics.images, topics.verdicts, files, per_s, workers
        )


@contextmanager
def _workers(
    name: str, slots: int, run: str, services: Services, root: Path, **further: str
) -> Iterator[list["Popen[bytes]"]]:
    """So many worker processes; what they logged is told where something fails."""
    told = {"LATENTPRINT_LOGGING__LEVEL": "info", **further}
    of_peers = name
    if name == page.ON_ONE_CORE:
        of_peers, told["LATENTPRINT_DECODE__PROCESSES"] = WORKER, "1"
    workers = start(of_peers, slots, f"group-{run}", "", services, root / run, **told)
    try:
        if name == page.ON_ONE_CORE:
            # At once: threads and decoders are started later, and stay there too.
            cores = sorted(os.sched_getaffinity(0))
            for slot, worker in enumerate(workers):
                os.sched_setaffinity(worker.pid, {cores[slot % len(cores)]})
        yield workers
    except RuntimeError as error:
        said = "\n".join(log.read_text()[-3000:] for log in sorted((root / run).glob("*.log")))
        raise RuntimeError(f"{run}: {error}\n{said}") from error
    finally:
        stop(workers)


if __name__ == "__main__":
    main()
