"""What one image costs a worker, and what it leaves in Kafka; figures to plan a service with.

Caveats: one machine, one slot. Processor time, not the clock, so that it tells the same where other
programs run. The pictures are photographs of `training/demo/photos`, cut or resized to each size
and saved as JPEG 85; what a photograph weighs at a size depends on the photograph.

    python -m benchmarks.capacity_measure [--images 300] [--output FILE]
"""

import argparse
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import redis as redis_client
from kafka import KafkaConsumer, TopicPartition
from PIL import Image, ImageOps

from deploy.services.kafka import RunningKafka, start_kafka
from deploy.services.redis import RunningRedis, start_redis
from worker.broker.topic_creation import create_topics
from worker.broker.topics import Topics
from worker.outside.submit import submit
from worker.outside.watch import watch
from worker.settings.cores import usable_cores

ROOT = Path(__file__).resolve().parents[1]
PHOTOS = ROOT / "training" / "demo" / "photos"
SIZES = {"512x512": (512, 512), "1600x1200": (1600, 1200), "4000x3000": (4000, 3000)}
LARGE = ("aitzgorri.jpg", "fog.jpg", "citrus-fruits.jpg")
QUALITY = 85
DIFFERENT = 12
"""So many pictures of each size; the others are the same again under other names."""

PARTITIONS = 4
ANSWER_S = 300.0


def main() -> None:
    """Print the figures as JSON; with --output also into a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    document = {
        "command": f"python -m benchmarks.capacity_measure --images {options.images}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {usable_cores()} cores",
        "load_before": round(os.getloadavg()[0], 1),
        "jpeg_quality": QUALITY,
        **measure(options.images),
    }
    print(json.dumps(document, indent=1))
    if options.output is not None:
        options.output.write_text(json.dumps(document, indent=1) + "\n")


def measure(images: int) -> dict[str, Any]:
    """A real Kafka, Redis and worker: each size in turn, then what lies in the topics."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        root = Path(folder)
        kafka = stack.enter_context(start_kafka(root / "kafka"))
        redis = stack.enter_context(start_redis(root / "redis"))
        create_topics(kafka.brokers, Topics(), partitions=PARTITIONS)
        before = _redis_bytes(redis)
        environment = _environment(kafka, redis)
        _program("registry", "import", environment=environment)
        listed = _program("registry", "list", "--json", environment=environment)
        models = len(json.loads(listed)["models"])
        per_model = (_redis_bytes(redis) - before) / models
        worker = stack.enter_context(_running_worker(environment))
        at_rest_mib = _memory_mib(worker)
        _judge(
            root / "first", SIZES["512x512"], 40, kafka.brokers
        )  # compiled and warm from here on
        sizes = {}
        for name, size in SIZES.items():
            began = _processor_s(worker)
            weights = _judge(root / name, size, images, kafka.brokers)
            ended = _processor_s(worker)
            sizes[name] = {
                "image_bytes": round(sum(weights) / len(weights)),
                **{
                    f"{part}_cpu_ms": round((ended[part] - at) / images * 1000, 1)
                    for part, at in began.items()
                },
                "memory_mib": _memory_mib(worker),
            }
        return {
            "images": images,
            "sizes": sizes,
            "memory_at_rest_mib": at_rest_mib,
            "registry_models": models,
            "redis_bytes_per_model": round(per_model),
            "records": _records(kafka, root / "kafka"),
        }


def _judge(folder: Path, size: tuple[int, int], images: int, brokers: str) -> list[int]:
    """Send so many pictures of a size and wait for as many answers; what each weighs."""
    folder.mkdir()
    files = [_picture(number, size) for number in range(min(images, DIFFERENT))]
    weights = []
    for number in range(images):
        data = files[number % len(files)]
        (folder / f"{number:05d}.jpg").write_bytes(data)
        weights.append(len(data))
    answers = 0
    sent = False

    def send(_partitions: int) -> None:
        nonlocal sent
        submit([folder], brokers=brokers, topic=Topics().images)
        sent = True

    for _ in watch(brokers, Topics(), until_idle_s=ANSWER_S, ready=send):
        answers += 1
        if answers == images:
            break
    assert sent
    assert answers == images, f"{answers} answers to {images} images"
    return weights


def _picture(number: int, size: tuple[int, int]) -> bytes:
    """Cut out of a photograph where it is large enough for that; else the whole one, resized."""
    at = (number % 7 / 6, number % 5 / 4)
    with Image.open(PHOTOS / LARGE[number % len(LARGE)]) as file:
        photo = file.convert("RGB")
    if size[0] <= photo.width // 2:
        left, top = (int(at[i] * (photo.size[i] - size[i])) for i in (0, 1))
        picture = photo.crop((left, top, left + size[0], top + size[1]))
    else:
        picture = ImageOps.fit(photo, size, centering=at)
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=QUALITY)
    return data.getvalue()


@contextmanager
def _running_worker(environment: Mapping[str, str]) -> Iterator[psutil.Process]:
    """One slot, ready; drained at the end."""
    command = [sys.executable, "-m", "worker.program", "run", "--slot", "0", "--json"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert '"ready"' in line, f"the worker did not become ready: {line!r}"
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


def _program(*arguments: str, environment: Mapping[str, str]) -> str:
    command = [sys.executable, "-m", "worker.program", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return done.stdout


def _environment(kafka: RunningKafka, redis: RunningRedis) -> dict[str, str]:
    return {
        **os.environ,
        "LATENTPRINT_KAFKA__BROKERS": kafka.brokers,
        "LATENTPRINT_REDIS__URL": redis.url,
        "LATENTPRINT_LOGGING__LEVEL": "warning",
    }


def _processor_s(worker: psutil.Process) -> dict[str, float]:
    """Processor time so far, of the decoders and of all."""
    own = worker.cpu_times()
    decoders = 0.0
    for child in worker.children(recursive=True):
        times = child.cpu_times()
        decoders += times.user + times.system + times.children_user + times.children_system
    decoders += own.children_user + own.children_system
    return {"all": own.user + own.system + decoders, "decoders": decoders}


def _memory_mib(worker: psutil.Process) -> int:
    """Of the worker and its decoders, shared pages counted once (PSS)."""
    every = [worker, *worker.children(recursive=True)]
    held: int = sum(process.memory_full_info().pss for process in every)
    return round(held / 2**20)


def _redis_bytes(redis: RunningRedis) -> int:
    with redis_client.Redis.from_url(redis.url) as client:
        return int(str(client.info("memory")["used_memory"]))


def _records(kafka: RunningKafka, folder: Path) -> dict[str, dict[str, int]]:
    """What a record weighs in each output topic, and what it takes on a broker's disk.

    Its weight is key, value and headers; on disk it is compressed, and the marks of transactions
    come on top.
    """
    time.sleep(1)  # the broker writes its log without haste
    topics, found = Topics(), {}
    for topic in (topics.verdicts, topics.fingerprints, topics.alerts):
        weights = _weights(kafka, topic)
        logs = (folder / "data").glob(f"{topic}-*/*.log")
        if weights:
            found[topic.removeprefix(topics.prefix)] = {
                "records": len(weights),
                "bytes": round(sum(weights) / len(weights)),
                "disk_bytes": round(sum(log.stat().st_size for log in logs) / len(weights)),
            }
    return found


def _weights(kafka: RunningKafka, topic: str) -> list[int]:
    consumer = KafkaConsumer(
        bootstrap_servers=kafka.brokers,
        isolation_level="read_committed",
        auto_offset_reset="earliest",
        consumer_timeout_ms=5000,
    )
    try:
        partitions = consumer.partitions_for_topic(topic) or set()
        consumer.assign([TopicPartition(topic, partition) for partition in partitions])
        return [
            len(record.key or b"")
            + len(record.value or b"")
            + sum(len(key) + len(value or b"") for key, value in record.headers)
            for record in consumer
        ]
    finally:
        consumer.close()


if __name__ == "__main__":
    main()
