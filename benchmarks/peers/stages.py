"""What every peer does with a record: the worker's own functions, called in the peer's process.

Read the event, decode (`worker/decoder/decode.py`, without the sandbox), extract, match, decide
(`worker/judge/pipeline.py`), and the verdict's bytes. The registry is read once, at the start.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from fingerprint_db.redis_store.registry import RedisRegistry
from worker.decoder.decode import decode
from worker.events.cloudevents import Origin, RawRecord
from worker.events.image_event import parse_image_event
from worker.extractor.bundle import load_bundle
from worker.extractor.extract import BlockExtractor
from worker.extractor.products import stay_on_this_thread
from worker.judge.judged import Judged
from worker.judge.pipeline import Pipeline
from worker.judge.policy import load_policy
from worker.registry.view import RegistryView

BATCH: Final = 16
BATCH_WAIT_S: Final = 0.02
"""As the worker's `extract.batch_max_images` and `extract.batch_wait_ms`."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a peer reads and writes, from the environment that `contenders` gives it."""

    brokers: str
    redis: str
    images: str
    verdicts: str
    group: str

    @classmethod
    def here(cls) -> "Place":
        """As the environment says; KeyError without one."""
        names = ("BROKERS", "REDIS", "IMAGES", "VERDICTS", "GROUP")
        return cls(*(os.environ[f"PEER_{name}"] for name in names))


class Stages:
    """Records to verdicts; `judge` from one thread only."""

    def __init__(self, redis: str) -> None:
        bundle = load_bundle()
        extractor = BlockExtractor(bundle)
        extractor.self_test()
        stay_on_this_thread()  # as the worker
        self._limits = extractor.limits
        self._pipeline = Pipeline(extractor, bundle, load_policy(), lambda: datetime.now(UTC))
        self._view = RegistryView(RedisRegistry(redis).snapshot(bundle.digest), 0.0)

    def judge(self, records: Sequence[RawRecord]) -> list[bytes]:
        """The verdict of each record as JSON, in order.

        Raises what the worker would make a dead letter of: no peer has any, and none is sent here.
        """
        events = [parse_image_event(record) for record in records]
        items = [(event, decode(event.data, self._limits)) for event in events]
        found = []
        for result in self._pipeline.judge(items, self._view):
            if not isinstance(result, Judged):
                raise result
            found.append(result.verdict.model_dump_json().encode())
        return found


def record(
    topic: str,
    partition: int,
    offset: int,
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
) -> RawRecord:
    """A record as the worker's stages take it, from what any client gives."""
    return RawRecord(Origin(topic, partition, offset), key, value, tuple(headers))
