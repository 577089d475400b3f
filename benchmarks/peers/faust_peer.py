"""faust-streaming: an agent that takes batches of events off its stream. At least once.

Judging runs in a thread, or the loop's heartbeats would wait for it.
"""

import asyncio
from typing import Any

import faust

from benchmarks.peers.stages import BATCH, BATCH_WAIT_S, Place, Stages, record


def build() -> Any:
    """The app with its agent."""
    place = Place.here()
    stages = Stages(place.redis)
    app = faust.App(
        place.group,
        broker=f"kafka://{place.brokers}",
        value_serializer="raw",
        key_serializer="raw",
        consumer_auto_offset_reset="earliest",
        topic_disable_leader=True,
        web_enabled=False,
    )
    images = app.topic(place.images, value_type=bytes, key_type=bytes)
    verdicts = app.topic(place.verdicts, value_type=bytes, key_type=bytes)

    @app.agent(images)  # type: ignore[untyped-decorator,unused-ignore]
    async def judge(stream: Any) -> None:
        async for events in stream.take_events(BATCH, within=BATCH_WAIT_S):
            read = [event.message for event in events]
            found = await asyncio.to_thread(
                stages.judge,
                [
                    record(m.topic, m.partition, m.offset, m.key, m.value, tuple(m.headers or ()))
                    for m in read
                ],
            )
            for message, verdict in zip(read, found, strict=True):
                await verdicts.send(key=message.key, value=verdict)

    return app


if __name__ == "__main__":
    build().main()
