"""What a contender delivered, and the processor time that its processes took meanwhile."""

import json
import math
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import psutil
from kafka import KafkaConsumer, TopicPartition

Place = tuple[int, int]
"""Partition and offset of the image: who is the same in every run."""

OF_ITS_OWN: Final = {
    "verdict_id",  # of the topic's id, which no peer's client tells
    "topic_id",
    "created_at",
    "registry_age_s",
}
"""Fields of a verdict that differ between two runs of the worker too, or that peers cannot know."""

ALIKE: Final = 1e-4
"""How far a score may differ, of itself: products of other batches add up in another order."""


@dataclass
class Delivered:
    """The verdicts of one run, and when each was made; what comes twice is counted and left out."""

    verdicts: dict[Place, Mapping[str, Any]] = field(default_factory=dict)
    made_at_s: list[float] = field(default_factory=list)
    """Seconds since the epoch, by the verdict itself: a record's time may be its image's."""

    twice: int = 0

    def add(self, value: bytes) -> None:
        """Take in one record."""
        verdict = json.loads(value)
        place = (verdict["partition"], verdict["offset"])
        if place in self.verdicts:
            self.twice += 1
            return
        self.verdicts[place] = verdict
        self.made_at_s.append(datetime.fromisoformat(verdict["created_at"]).timestamp())


class Reader:
    """Reads a topic from where it ends now; committed records alone."""

    def __init__(self, brokers: str, topic: str) -> None:
        self._consumer = KafkaConsumer(
            bootstrap_servers=brokers,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        partitions = [TopicPartition(topic, p) for p in self._consumer.partitions_for_topic(topic)]
        self._consumer.assign(partitions)
        for partition, end in self._consumer.end_offsets(partitions).items():
            self._consumer.seek(partition, end)

    def poll(self, delivered: Delivered) -> None:
        """Take in what came; waits for a tenth of a second at most."""
        for records in self._consumer.poll(timeout_ms=100).values():
            for record in records:
                delivered.add(record.value)

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()


def processor_s(roots: Iterable["subprocess.Popen[bytes]"]) -> float:
    """Processor seconds of the processes and all below them, those that ended included."""
    used = 0.0
    for root in roots:
        try:
            tree = [psutil.Process(root.pid)]
            tree += tree[0].children(recursive=True)
        except psutil.NoSuchProcess:
            continue
        for process in tree:
            try:
                used += sum(process.cpu_times()[:4])  # own and of children that ended
            except psutil.NoSuchProcess:
                continue  # counted by its parent from now on
    return used


def follow(
    reader: Reader,
    processes: Sequence["subprocess.Popen[bytes]"],
    images: int,
    deadline_s: float,
) -> tuple[Delivered, list[tuple[float, float]]]:
    """Read until every image has its verdict; with (time, processor seconds), five a second.

    Raises RuntimeError where a process ends, or the deadline passes.
    """
    delivered, used = Delivered(), []
    began, sampled = time.monotonic(), 0.0
    while len(delivered.verdicts) < images:
        reader.poll(delivered)
        if time.monotonic() - sampled >= 0.2:
            sampled = time.monotonic()
            used.append((time.time(), processor_s(processes)))
        ended = [process.returncode for process in processes if process.poll() is not None]
        if ended or time.monotonic() - began > deadline_s:
            why = f"a process ended with {ended}" if ended else f"{deadline_s:g} s are over"
            raise RuntimeError(f"{len(delivered.verdicts)} of {images} verdicts, and {why}")
    used.append((time.time(), processor_s(processes)))
    return delivered, used


def differing(found: Mapping[Place, Any], wanted: Mapping[Place, Any]) -> int:
    """How many images have another verdict, or none on one side."""
    return sum(
        not alike(_compared(found.get(place)), _compared(wanted.get(place)))
        for place in found.keys() | wanted.keys()
    )


def _compared(verdict: Mapping[str, Any] | None) -> Any:
    if verdict is None:
        return None
    return {name: value for name, value in verdict.items() if name not in OF_ITS_OWN}


def alike(one: Any, other: Any) -> bool:
    """The same, but for the last digits of numbers with a fraction."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=ALIKE, abs_tol=ALIKE)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == other)
