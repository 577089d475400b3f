"""Events to put in and worker processes to put them through."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from kafka import KafkaProducer
from PIL import Image

from tests.scenarios import oracle
from tests.scenarios.oracle import Ledger, Sent
from tests.topic_names import TopicNames
from tests.waiting import wait_for

READY_DEADLINE_S = 90.0
DRAIN_DEADLINE_S = 120.0
_ROOT = Path(__file__).resolve().parents[2]


def png(brightness: int, seed: int = 0) -> bytes:
    """A 48 x 48 image of noise around `brightness` (64: dark, 192: bright)."""
    noise = np.random.default_rng(seed).integers(-48, 48, size=(48, 48, 3))
    buffer = io.BytesIO()
    Image.fromarray((noise + brightness).clip(0, 255).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


READY = '"event": "ready"'
COMMITTED = '"event": "commit"'
"""In the log of a worker, once a transaction."""

DARK, BRIGHT = png(64), png(192)


@dataclass(frozen=True)
class Event:
    """What is put in; `headers` None makes a CloudEvent in binary mode of `value`."""

    value: bytes | None
    key: bytes | None = b"key"
    event_id: str = ""
    headers: tuple[tuple[str, bytes], ...] | None = None
    doomed: bool = False

    def all_headers(self) -> list[tuple[str, bytes]]:
        """The headers as they are sent."""
        if self.headers is not None:
            return list(self.headers)
        return [
            ("ce_specversion", b"1.0"),
            ("ce_id", (self.event_id or uuid.uuid4().hex).encode()),
            ("ce_source", b"/scenario"),
            ("ce_type", b"latentprint.image.v1"),
            ("content-type", b"image/png"),
        ]


def ordinary_events(count: int, keys: int = 40, start: int = 0) -> Iterator[Event]:
    """Dark images, every tenth bright, spread over `keys` keys."""
    for number in range(start, start + count):
        value = BRIGHT if number % 10 == 0 else DARK
        yield Event(value, key=b"key-%d" % (number % keys))


@dataclass
class Run:
    """One scenario: its group, its ledger, and how to start workers for it."""

    brokers: str
    redis_url: str
    topics: TopicNames
    directory: Path
    group: str = field(default_factory=lambda: f"scenario-{uuid.uuid4().hex[:8]}")
    ledger: Ledger = field(default_factory=Ledger)
    worker_brokers: str = ""
    worker_redis_url: str = ""
    """How workers reach the broker and Redis, where that is not the way of everyone else."""

    workers: "list[WorkerProcess]" = field(default_factory=list)

    def put(self, events: Iterable[Event]) -> None:
        """Send events and note in the ledger where each came to lie."""
        producer = KafkaProducer(
            bootstrap_servers=self.brokers, max_request_size=16 * 1024 * 1024, linger_ms=5
        )
        try:
            sending: list[tuple[Event, Sent, Any]] = []
            for event in events:
                sent = Sent(event.key, event.value, tuple(event.all_headers()))
                future = producer.send(
                    self.topics.images, key=sent.key, value=sent.value, headers=list(sent.headers)
                )
                sending.append((event, sent, future))
            for event, sent, future in sending:
                place = future.get(timeout=60)
                self.ledger.keys[place.partition, place.offset] = sent.key
                if event.doomed:
                    self.ledger.doomed[place.partition, place.offset] = sent
        finally:
            producer.close()

    def worker(self, slot: int = 0, *, failpoint: str = "", **settings: str) -> "WorkerProcess":
        """Start a worker process; `settings` are variables without the prefix."""
        log = self.directory / f"worker-{len(self.workers)}-slot-{slot}.log"
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LATENTPRINT_")}
        values = {
            "STATE": str(self.directory / "no-services.json"),
            "FAILPOINT": failpoint,
            "KAFKA__BROKERS": self.worker_brokers or self.brokers,
            "KAFKA__PREFIX": self.topics.prefix,
            "KAFKA__GROUP": self.group,
            "KAFKA__SLOT": str(slot),
            "KAFKA__SESSION_TIMEOUT_S": "6",
            "KAFKA__HEARTBEAT_INTERVAL_S": "0.5",
            "REDIS__URL": self.worker_redis_url or self.redis_url,
            "DECODE__PROCESSES": "1",
            "DELIVERY__COMMIT_INTERVAL_MS": "50",
            "DELIVERY__COMMIT_RECORDS": "40",
            "LOGGING__FORMAT": "json",
            **settings,
        }
        environment |= {f"LATENTPRINT_{name}": value for name, value in values.items() if value}
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.scenarios.worker_process"],
                cwd=_ROOT,
                env=environment,
                stdout=stderr,
                stderr=subprocess.STDOUT,
            )
        worker = WorkerProcess(process, log)
        self.workers.append(worker)
        return worker

    def wait_drained(self, deadline_s: float = DRAIN_DEADLINE_S) -> None:
        """Wait until the group has committed the end of the input; says what they logged."""
        ends = {p: e for p, e in oracle.ends(self.brokers, self.topics.images).items() if e}
        try:
            wait_for(
                lambda: oracle.committed(self.brokers, self.group, self.topics.images) == ends,
                f"group {self.group} to commit {ends}",
                deadline_s,
            )
        except TimeoutError as error:
            for worker in self.workers:
                code, last = worker.process.poll(), worker.log.read_text()[-3000:]
                error.add_note(f"{worker.log.name}, exit code {code}: …{last}")
            raise

    def check(self) -> oracle.Found:
        """Ask the oracle."""
        return oracle.check(self.brokers, self.group, self.topics, self.ledger)


@dataclass
class WorkerProcess:
    """A running worker and its log."""

    process: subprocess.Popen[bytes]
    log: Path
    ended_at: float | None = None
    """On the monotonic clock; set as soon as the process is gone."""

    def __post_init__(self) -> None:
        threading.Thread(target=self._note_end, name="note-end", daemon=True).start()

    def _note_end(self) -> None:
        self.process.wait()
        self.ended_at = time.monotonic()

    def wait_ready(self) -> None:
        """Wait until it has joined the group."""
        self.wait_logged(READY)

    def wait_logged(self, text: str, deadline_s: float = READY_DEADLINE_S) -> None:
        """Wait until the log holds `text`; fails at once when the process has ended."""

        wait_for(lambda: self.has_logged(text), f"{text!r} in {self.log}", deadline_s)

    def has_logged(self, text: str) -> bool:
        """Whether the log holds `text`; fails when it does not and the process has ended."""
        ended = self.process.poll() is not None  # before the log is read, which it may end in
        log = self.log.read_text()
        assert text in log or not ended, f"the worker ended: {log[-3000:]}"
        return text in log

    def count_logged(self, text: str) -> int:
        """How many lines of the log hold `text`."""
        return sum(text in line for line in self.log.read_text().splitlines())

    def wait_commits(self, beyond: int, deadline_s: float = READY_DEADLINE_S) -> None:
        """Wait until it has committed more than `beyond` times (`count_logged(COMMITTED)`)."""
        wait_for(
            lambda: self.count_logged(COMMITTED) > beyond,
            f"more than {beyond} commits of {self.log}",
            deadline_s,
        )

    def wait_ended(self, deadline_s: float = DRAIN_DEADLINE_S) -> int:
        """Its exit code, negative for a signal."""
        try:
            wait_for(lambda: self.process.poll() is not None, "the worker to end", deadline_s)
        except TimeoutError as error:
            raise TimeoutError(f"{error}; its log ends {self.log.read_text()[-3000:]}") from None
        code = self.process.poll()
        assert code is not None
        return code

    def drain(self) -> int:
        """SIGTERM, and the exit code; fails when it takes longer than the promised 20 s."""
        self.process.send_signal(signal.SIGTERM)
        return self.wait_ended(20.0)

    def leave(self) -> int:
        """SIGUSR1, a planned scale-in, and the exit code; fails as `drain` does."""
        self.process.send_signal(signal.SIGUSR1)
        return self.wait_ended(20.0)

    def kill(self) -> None:
        """SIGKILL, if it still runs."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@contextmanager
def running(worker: WorkerProcess) -> Iterator[WorkerProcess]:
    """A worker that has joined, and that is killed at the latest when the block is left."""
    try:
        worker.wait_ready()
        yield worker
    finally:
        worker.kill()
