"""bytewax: a dataflow from Kafka to Kafka, judged in the batches that its source hands on.

Started by `python -m bytewax.run` with recovery, which makes it at least once.
"""

from collections.abc import Sequence
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSinkMessage
from bytewax.connectors.kafka import operators as kop
from bytewax.dataflow import Dataflow

from benchmarks.peers.stages import BATCH, Place, Stages, record


def dataflow() -> Dataflow:
    """The dataflow; bytewax calls this in each of its processes."""
    place = Place.here()
    stages = Stages(place.redis)

    def judge(read: Sequence[Any]) -> list[Any]:
        verdicts = stages.judge(
            [record(r.topic, r.partition, r.offset, r.key, r.value, r.headers) for r in read]
        )
        return [KafkaSinkMessage(r.key, v) for r, v in zip(read, verdicts, strict=True)]

    flow = Dataflow("peer")
    images = kop.input(
        "images", flow, brokers=[place.brokers], topics=[place.images], batch_size=BATCH
    )
    judged = op.flat_map_batch("judge", images.oks, judge)
    kop.output("verdicts", judged, brokers=[place.brokers], topic=place.verdicts)
    return flow
