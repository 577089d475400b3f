"""How fast the worker is against its own slowest stage, side by side in one run.

`make bench` starts a real Kafka and Redis, times decode, extract and match on their own, then a
real worker over the same images from a waiting backlog, and writes a dated JSON file into
benchmarks/results/. Quote the ratios: absolute figures belong to one machine on one day.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch

from deploy.services.kafka import start_kafka
from deploy.services.redis import start_redis
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.transfer import import_
from training.histories.encodings import Encoding, write
from training.zoo.catalog import CATALOG
from training.zoo.generate import generate, load_generator
from worker.broker.topic_creation import create_topics
from worker.broker.topics import Topics
from worker.decoder.decode import DecodedImage
from worker.decoder.pool import DecoderPool
from worker.errors import RejectError
from worker.extractor.bundle import ZOO_EXPORT, Bundle, load_bundle
from worker.extractor.extract import BlockExtractor, ImageFingerprint
from worker.judge.attribute import Matcher
from worker.outside.submit import submit
from worker.outside.watch import watch

IMAGES = 2_000
BATCH = 16
PARTITIONS = 4
RESULTS = Path(__file__).parent / "results"


def main() -> None:
    """Run everything once and write the result."""
    first = next(name for name, entry in CATALOG.items() if entry.weights.is_file())
    pictures = generate(load_generator(first), IMAGES, 700_000)
    qualities = (0, 75, 90)
    files = [
        write(picture, Encoding("jpeg", int(q), 2) if q else Encoding("png", 0, 0))
        for picture, q in zip(pictures, np.resize(qualities, IMAGES), strict=True)
    ]
    rates = {**_stages(files), "end_to_end_per_s": end_to_end(files)}
    slowest = min(rates["decode_per_s"], rates["extract_per_s"])
    result: dict[str, object] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}",
        "images": IMAGES,
        **rates,
        "end_to_end_over_slowest_stage": round(rates["end_to_end_per_s"] / slowest, 3),
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"pipeline-{datetime.now(UTC):%Y-%m-%d}.json"
    path.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def rate(count: int, work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return round(count / (time.perf_counter() - started), 1)


def _stages(files: Sequence[bytes]) -> dict[str, float]:
    """Images a second of each stage alone: decode in one sandboxed child, extract, match."""
    bundle = load_bundle()
    extractor = BlockExtractor(bundle)
    with DecoderPool(extractor.limits, 1) as pool:
        pool.decode(files[0])
        images: list[DecodedImage] = []
        decode = rate(len(files), lambda: images.extend(pool.decode(data) for data in files))
    batches = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    extractor.extract(batches[0])
    found: list[list[ImageFingerprint | RejectError]] = []
    extract = rate(len(files), lambda: found.extend(map(extractor.extract, batches)))
    match = match_rate(bundle, [f for f in found[0] if isinstance(f, ImageFingerprint)])
    return {"decode_per_s": decode, "extract_per_s": extract, "match_per_s": match}


def match_rate(bundle: Bundle, batch: Sequence[ImageFingerprint], rounds: int = 100) -> float:
    """Images a second of the matcher alone, against the zoo."""
    registry = MemoryRegistry()
    import_(registry, (bundle.path / ZOO_EXPORT).read_bytes(), by="bench", reason="the zoo")
    matcher = Matcher(bundle.background, registry.snapshot(bundle.digest))
    matcher.match(batch)  # a codec is prepared when it is first met
    return rate(rounds * len(batch), lambda: [matcher.match(batch) for _ in range(rounds)])


def end_to_end(
    files: Sequence[bytes], *, slots: int = 1, settings: Mapping[str, str] | None = None
) -> float:
    """Verdicts a second of worker processes over a backlog, from the first to the last.

    `settings` are variables without their prefix, such as EXTRACT__DEVICE.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "images").mkdir()
        for number, data in enumerate(files):
            (root / "images" / f"{number:05d}.jpg").write_bytes(data)
        with start_kafka(root / "kafka") as kafka, start_redis(root / "redis") as redis:
            topics = Topics()
            create_topics(kafka.brokers, topics, partitions=max(PARTITIONS, slots))
            submit([root / "images"], brokers=kafka.brokers, topic=topics.images)
            environment = {
                **os.environ,
                "LATENTPRINT_KAFKA__BROKERS": kafka.brokers,
                "LATENTPRINT_REDIS__URL": redis.url,
                "LATENTPRINT_LOGGING__LEVEL": "warning",
                **{f"LATENTPRINT_{name}": value for name, value in (settings or {}).items()},
            }
            command = [sys.executable, "-m", "worker.program", "run", "--slots", str(slots)]
            worker = subprocess.Popen(command, env=environment)
            try:
                times = []
                for _ in watch(kafka.brokers, topics, from_start=True, until_idle_s=120.0):
                    times.append(time.perf_counter())
                    if len(times) == len(files):
                        break
            finally:
                worker.terminate()
                worker.wait(60)
    return round((len(times) - 1) / (times[-1] - times[0]), 1)


if __name__ == "__main__":
    main()
