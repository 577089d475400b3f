"""The stages of a worker alone, and a worker over a backlog: what other benchmarks put together."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from deploy.services.kafka import start_kafka
from deploy.services.redis import start_redis
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.transfer import import_
from worker.broker.topic_creation import create_topics
from worker.broker.topics import Topics
from worker.decoder.decode import DecodedImage, DecodeLimits
from worker.decoder.pool import DecoderPool
from worker.errors import RejectError
from worker.extractor.bundle import ZOO_EXPORT, Bundle, load_bundle
from worker.extractor.extract import BlockExtractor, ImageFingerprint
from worker.extractor.products import stay_on_this_thread
from worker.judge.attribute import Matcher
from worker.outside.submit import submit
from worker.outside.watch import watch

BATCH = 16
PARTITIONS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Together:
    """What decoding and extraction made of some files, in their order."""

    bundle: Bundle
    limits: DecodeLimits
    images: Sequence[DecodedImage]
    fingerprints: Sequence[ImageFingerprint | RejectError]


def rate(count: int, work: Callable[[], object]) -> float:
    """So many a second."""
    started = time.perf_counter()
    work()
    return round(count / (time.perf_counter() - started), 1)


def stages(files: Sequence[bytes]) -> tuple[dict[str, float], Together]:
    """Each stage alone, in images a second and processor ms an image, and what came of them.

    Decoding in one sandboxed child, extraction and matching in batches of the worker's size.
    """
    bundle = load_bundle()
    extractor = BlockExtractor(bundle)
    stay_on_this_thread()  # as the worker
    images: list[DecodedImage] = []
    with DecoderPool(extractor.limits, 1) as pool:
        pool.decode(files[0])
        us = psutil.Process()
        began = _processor_s(us)
        decode = rate(len(files), lambda: images.extend(pool.decode(data) for data in files))
        decode_ms = _ms(_processor_s(us) - began, len(files))
    batches = [images[start : start + BATCH] for start in range(0, len(images), BATCH)]
    extractor.extract(batches[0])
    found: list[ImageFingerprint | RejectError] = []
    began = time.process_time()
    extracted = (one for batch in batches for one in extractor.extract(batch))
    extract = rate(len(files), lambda: found.extend(extracted))
    extract_ms = _ms(time.process_time() - began, len(files))
    match = match_rate(bundle, [f for f in found[:BATCH] if isinstance(f, ImageFingerprint)])
    rates = {"decode_per_s": decode, "extract_per_s": extract, "match_per_s": match}
    costs = {"decode_ms": decode_ms, "extract_ms": extract_ms}
    return {**rates, **costs}, Together(bundle, extractor.limits, images, found)


def _processor_s(process: psutil.Process) -> float:
    """Of a process and of all below it that live."""
    every = [process, *process.children(recursive=True)]
    return sum(sum(one.cpu_times()[:4]) for one in every)


def _ms(seconds: float, images: int) -> float:
    return round(1000 * seconds / images, 2)


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
