"""From the sending of an image to its verdict that readers of committed records see."""

import subprocess
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from kafka import KafkaProducer

from benchmarks.peers.watching import Delivered, Place, Reader

HEADERS = (
    ("ce_specversion", b"1.0"),
    ("ce_source", b"/latentprint/bench"),
    ("ce_type", b"latentprint.image.v1"),
    ("content-type", b"image/jpeg"),
)
JOIN_S = 60.0


def visible_after(
    brokers: str,
    topic: str,
    verdicts: str,
    files: Sequence[bytes],
    per_s: float,
    processes: Sequence["subprocess.Popen[bytes]"],
) -> dict[str, float]:
    """Send the files one by one at this rate to workers that wait; seconds until each is seen.

    A first image is sent ahead, so that the workers have joined their group.
    """
    reader = Reader(brokers, verdicts)
    producer = KafkaProducer(bootstrap_servers=brokers, max_request_size=10 << 20, linger_ms=0)
    delivered, seen_at = Delivered(), dict[Place, float]()

    def watch(count: int, deadline_s: float) -> None:
        end = time.monotonic() + deadline_s
        while len(delivered.verdicts) < count:
            reader.poll(delivered)
            now = time.time()
            for place in delivered.verdicts.keys() - seen_at.keys():
                seen_at[place] = now
            if time.monotonic() > end or any(one.poll() is not None for one in processes):
                raise RuntimeError(f"{len(delivered.verdicts)} of {count} verdicts came")

    _send(producer, topic, 0, files[0])
    watch(1, JOIN_S)
    sent: list[tuple[float, Any]] = []

    def send_all() -> None:
        began = time.monotonic()
        for number, data in enumerate(files):
            time.sleep(max(0.0, began + number / per_s - time.monotonic()))
            sent.append((time.time(), _send(producer, topic, number + 1, data)))

    sending = threading.Thread(target=send_all, daemon=True)
    sending.start()
    watch(1 + len(files), len(files) / per_s + JOIN_S)
    sending.join()
    waited = []
    for at, future in sent:
        place = future.get(timeout=10.0)
        waited.append(seen_at[place.partition, place.offset] - at)
    producer.close()
    reader.close()
    p50, p99 = np.quantile(waited, [0.5, 0.99])
    return {"per_s": round(per_s, 1), "p50_s": round(float(p50), 3), "p99_s": round(float(p99), 3)}


def _send(producer: KafkaProducer, topic: str, number: int, data: bytes) -> Any:
    headers = [*HEADERS, ("ce_id", b"bench-%d" % number), ("ce_subject", b"%d.jpg" % number)]
    return producer.send(topic, value=data, key=b"%d" % number, headers=headers)
