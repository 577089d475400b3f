"""Goal G21: of an image that was accepted, no byte is found anywhere but where it came in.

Every image carries one marker four times over: in a comment and a segment of a JPEG or in a text
of a PNG, and among the pixels of a PNG whose data is stored and not compressed. It is looked for as
it is, in hexadecimal and in base64.
"""

import base64
import io
import json
import os
import secrets
import signal
import struct
import subprocess
import sys
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from kafka import KafkaProducer
from PIL import Image

from deploy.services.kafka import RunningKafka
from fingerprint_db.redis_store.connection import connect
from tests.scenarios.report import Report
from tests.scenarios.sizes import SEED, size
from tests.waiting import wait_for
from tests.worker.broker.reading import read_all
from tests.worker.seen.collector import Collector, collecting

MARKER = f"CANARY{secrets.token_hex(16)}".encode()
IMAGES = size(60, 10_000)
SIDE = 64
OUTPUTS = ("verdicts", "alerts", "fingerprints", "dead-letter-decisions", "redrives")
ROOT = Path(__file__).resolve().parents[2]


def forms(marker: bytes) -> tuple[bytes, ...]:
    """The marker as logs, documents and dumps may hold it; of base64 what is the same in all."""
    inner = [base64.b64encode(b"\0" * shift + marker)[4:-4] for shift in range(3)]
    return (marker, marker.hex().encode(), marker.hex().upper().encode(), *inner)


FORMS = forms(MARKER)


def holds(data: bytes) -> bool:
    return any(form in data for form in FORMS)


def canary_png(rng: np.random.Generator) -> bytes:
    pixels = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    rows = pixels.reshape(SIDE, SIDE * 3)
    rows[:, : len(MARKER)] = np.frombuffer(MARKER, np.uint8)
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)),
        (b"tEXt", b"Comment\0" + MARKER),
        (b"IDAT", zlib.compress(raw, 0)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def canary_jpeg(rng: np.random.Generator) -> bytes:
    buffer = io.BytesIO()
    pixels = rng.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    data = buffer.getvalue()
    length = struct.pack(">H", len(MARKER) + 2)
    segments = b"\xff\xfe" + length + MARKER + b"\xff\xe9" + length + MARKER  # COM and APP9
    return data[:2] + segments + data[2:]


class Worker:
    """`latentprint run` with folders of its own, and everything that it may have written."""

    def __init__(self, brokers: str, redis_url: str, traces: str, folder: Path) -> None:
        self.folder = folder
        self.prefix = f"canary-{uuid.uuid4().hex[:8]}."
        settings = {
            "KAFKA__BROKERS": brokers,
            "KAFKA__PREFIX": self.prefix,
            "KAFKA__GROUP": f"{self.prefix}worker",
            "REDIS__URL": redis_url,
            "LOGGING__FORMAT": "json",
            "LOGGING__LEVEL": "debug",
            "TRACING__ENDPOINT": traces,
            "STATE": str(folder / "no-services.json"),
        }
        others = {k: v for k, v in os.environ.items() if not k.startswith("LATENTPRINT_")}
        own = {"HOME": "home", "TMPDIR": "temporary", "XDG_CACHE_HOME": "home/.cache"}
        for name in own.values():
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.environment = {
            **others,
            **{name: str(folder / place) for name, place in own.items()},
            **{f"LATENTPRINT_{name}": value for name, value in settings.items()},
            "PYTHONPATH": str(ROOT),
        }
        self.log = folder / "worker.log"
        self.process: subprocess.Popen[bytes] | None = None

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "worker.program", *arguments]

    def start(self) -> subprocess.Popen[bytes]:
        made = self.command("topics", "create", "--partitions", "2")
        subprocess.run(made, env=self.environment, check=True, capture_output=True, cwd=self.folder)
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                self.command("run", "--json"),
                env=self.environment,
                stdout=output,
                stderr=output,
                cwd=self.folder,
            )
        wait_for(self.is_ready, "the worker is ready", deadline_s=240)
        return self.process

    def is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()
        return '"event": "ready"' in self.log.read_text()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as listening:
        yield listening


@pytest.fixture
def worker(
    kafka: RunningKafka, redis_url: str, collector: Collector, tmp_path: Path
) -> Iterator[Worker]:
    worker = Worker(kafka.brokers, redis_url, collector.endpoint, tmp_path)
    yield worker
    if worker.process is not None and worker.process.poll() is None:
        worker.process.kill()
        worker.process.wait()


def test_no_byte_of_an_accepted_image_is_found_outside_the_topic_that_it_came_by(
    worker: Worker, kafka: RunningKafka, redis_url: str, collector: Collector, report: Report
) -> None:
    process = worker.start()
    sent = put(kafka.brokers, f"{worker.prefix}images", IMAGES)
    wait_for(
        lambda: committed(worker) >= IMAGES, f"{IMAGES} images are judged", deadline_s=60 + IMAGES
    )
    processes = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    cores = [core_limit(one.pid) for one in processes]
    open_files = {path for one in processes for path in written_by(one)}
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 0

    records = {name: read_all(kafka.brokers, f"{worker.prefix}{name}") for name in OUTPUTS}
    assert len(records["verdicts"]) == IMAGES
    assert read_all(kafka.brokers, f"{worker.prefix}dead-letters") == []
    hits = {
        "files": sum(holds(path.read_bytes()) for path in files_below(worker.folder)),
        "Redis": sum(map(holds, everything_in(redis_url))),
        "output topics": sum(holds(whole(one)) for kind in records.values() for one in kind),
    }
    hits["traces"] = sum(holds(spans.SerializeToString()) for spans in collector.received)
    assert hits == {"files": 0, "Redis": 0, "output topics": 0, "traces": 0}
    assert collector.received != []
    assert all(Path(path).is_relative_to(worker.folder) for path in open_files), open_files
    assert len(cores) > 1
    assert max(cores) <= 1
    assert sent == IMAGES, "every image carries the marker, as it was sent"
    report.keep(
        "G21",
        f"{IMAGES} images with a marker in comments, segments, texts and pixels, a real worker",
        {"verdicts": IMAGES, "dead letters": 0, **{f"hits in {k}": n for k, n in hits.items()}},
    )


def test_the_search_finds_a_marker_in_every_form(tmp_path: Path) -> None:
    for number, form in enumerate(
        (MARKER, MARKER.hex().encode(), *(base64.b64encode(b"x" * n + MARKER) for n in range(3)))
    ):
        (tmp_path / str(number)).write_bytes(b"before " + form + b" after")
        assert holds((tmp_path / str(number)).read_bytes()), form
    assert holds(json.dumps({"error": f"no image: {MARKER!r}"}).encode())
    assert not holds(b"CANARY" + b"0" * 32)
    rng = np.random.default_rng(SEED)
    assert canary_png(rng).count(MARKER) == 1 + SIDE
    assert canary_jpeg(rng).count(MARKER) == 2
    assert list(files_below(tmp_path)) != []


def put(brokers: str, topic: str, count: int) -> int:
    """Sends images of both kinds in turn; how many of them the search finds."""
    rng = np.random.default_rng(SEED)
    producer = KafkaProducer(bootstrap_servers=brokers, linger_ms=5)
    found, futures = 0, []
    try:
        for number in range(count):
            kind = ("image/png", canary_png) if number % 2 else ("image/jpeg", canary_jpeg)
            value = kind[1](rng)
            found += holds(value)
            headers = [
                ("ce_specversion", b"1.0"),
                ("ce_id", b"%d" % number),
                ("ce_source", b"/canary"),
                ("ce_type", b"latentprint.image.v1"),
                ("content-type", kind[0].encode()),
            ]
            futures.append(producer.send(topic, key=b"%d" % number, value=value, headers=headers))
        for future in futures:
            future.get(timeout=60)
    finally:
        producer.close()
    return found


def committed(worker: Worker) -> int:
    """The events that the log says were committed."""
    lines = (line for line in worker.log.read_text().splitlines() if '"event": "commit"' in line)
    return sum(int(json.loads(line).get("events", 0)) for line in lines)


def files_below(folder: Path) -> Iterator[Path]:
    """Every regular file; the log is one of them."""
    return (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def everything_in(url: str) -> Iterator[bytes]:
    """Every value of every key of every database, and the keys."""
    client = connect(url)
    for number in range(16):
        client.execute_command("SELECT", number)
        for key in client.scan_iter(count=1000):
            yield key
            kind = client.type(key)
            if kind == b"string":
                yield client.get(key)
            elif kind == b"list":
                yield from client.lrange(key, 0, -1)
            elif kind == b"hash":
                yield repr(client.hgetall(key)).encode()
            else:
                yield repr(client.xrange(key) if kind == b"stream" else kind).encode()
    client.close()


def whole(record: Any) -> bytes:
    """Key, value and headers of a record."""
    headers = b"".join(name.encode() + b"=" + (value or b"") for name, value in record.headers)
    return b"|".join((record.key or b"", record.value or b"", headers))


def core_limit(pid: int) -> int:
    """The largest core file that a process may leave, in bytes."""
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    (line,) = (line for line in limits if line.startswith("Max core file size"))
    soft = line.removeprefix("Max core file size").split()[0]
    return 2**63 if soft == "unlimited" else int(soft)


def written_by(process: psutil.Process) -> Iterator[str]:
    """The regular files that a process holds open for writing."""
    for file in process.open_files():
        if file.mode != "r":
            yield file.path
