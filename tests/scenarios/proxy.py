"""A TCP proxy in front of a server: it takes the link down, lets it fall silent, or, in front of
the broker, delays and cuts chosen requests.

For the last it reads the frames of Kafka's protocol as far as their first field: four bytes of
length, then the API key. Answers pass through unread. It runs on a thread of its own, with its own
event loop.
"""

import asyncio
import contextlib
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self

ADD_PARTITIONS, ADD_OFFSETS, END_TXN, TXN_OFFSETS, PRODUCE = 24, 25, 26, 28, 0
"""API keys of the requests of a transaction."""

Action = Literal["pass", "delay", "alter", "cut_before", "cut_after"]
"""pass; pass after a while; pass something else; close the connection and send nothing; send it,
then close.
"""


def of_an_older_generation(body: bytes) -> bytes:
    """A TxnOffsetCommit request (version 3 and later, compact strings) with another generation.

    The broker answers it with ILLEGAL_GENERATION, as that of a member which missed a rebalance.
    """
    version, _, client = struct.unpack_from(">hih", body)
    assert version >= 3, f"TxnOffsetCommit version {version} does not name a generation"
    place = 8 + max(client, 0) + 1  # an empty set of tags ends the header
    for _ in ("transactional id", "group"):
        assert body[place] < 0x80, "a name of 127 bytes and more has a longer length"
        place += body[place]  # the length and one, and so many bytes with itself
    place += 8 + 2  # producer id and epoch
    (generation,) = struct.unpack_from(">i", body, place)
    return body[:place] + struct.pack(">i", generation - 1) + body[place + 4 :]


@dataclass
class Rule:
    """What is done to requests of one API key: `decide` is asked for each, by its number."""

    api_key: int
    decide: Callable[[int], Action]
    delay_s: float = 0.0
    alter: Callable[[bytes], bytes] = lambda body: body
    """For `alter`: what follows the API key in a request, to another of the same length."""

    seen: int = 0
    done: list[Action] = field(default_factory=list)


class Proxy:
    """Listens on `port`, a free one, and passes on to `target_port`; `frames` False reads none."""

    def __init__(self, host: str = "127.0.0.1", *, frames: bool = True) -> None:
        self.port = 0
        self.target_port = 0
        self._frames = frames
        self.rule: Rule | None = None
        self._host = host
        self._open = True
        self._connections: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._server: asyncio.Server | None = None
        self._closing = asyncio.Event()
        self._flowing = asyncio.Event()
        self._flowing.set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def link_down(self) -> None:
        """Cut every connection, and every new one, until `link_up`: the network is away."""
        self._open = False
        self._run(self._cut_all())

    def link_up(self) -> None:
        """Let connections through again."""
        self._open = True

    def silence(self) -> None:
        """Keep every connection, take new ones, and pass nothing on: a black hole."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def speak(self) -> None:
        """Pass on again, what was held included."""
        self._loop.call_soon_threadsafe(self._flowing.set)

    def _run(self, work: "asyncio.Future[None] | object") -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)  # type: ignore[arg-type]

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, self._host, 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        assert self._server is not None
        self._closing.set()
        self._flowing.set()
        self._server.close()
        await self._cut_all()

    async def _held(self, seconds: float) -> None:
        """Wait, but not beyond the end of the proxy."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), seconds)

    async def _cut_all(self) -> None:
        for writer in list(self._connections):
            writer.close()

    async def _serve(self, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        if not self._open:
            answers.close()
            return
        try:
            broker, requests = await asyncio.open_connection(self._host, self.target_port)
        except OSError:
            answers.close()
            return
        both = {answers, requests}
        self._connections |= both
        try:
            inward = (
                self._pass_requests(client, requests, both)
                if self._frames
                else self._pass_on(client, requests)
            )
            await asyncio.gather(inward, self._pass_on(broker, answers))
        except (OSError, asyncio.IncompleteReadError):
            pass  # either side may go at any time
        finally:
            for writer in both:
                writer.close()
            self._connections -= both

    async def _pass_requests(
        self,
        client: asyncio.StreamReader,
        requests: asyncio.StreamWriter,
        both: set[asyncio.StreamWriter],
    ) -> None:
        while True:
            head = await client.readexactly(6)
            length, api_key = struct.unpack(">ih", head)
            body = await client.readexactly(length - 2)
            action: Action = "pass"
            rule = self.rule
            if rule is not None and rule.api_key == api_key:
                action = rule.decide(rule.seen)
                rule.seen += 1
                if action != "pass":
                    rule.done.append(action)
                if action == "delay":
                    await self._held(rule.delay_s)
                if action == "alter":
                    body = rule.alter(body)
            if action != "cut_before":
                await self._flowing.wait()
                requests.write(head + body)
                await requests.drain()
            if action in ("cut_before", "cut_after"):
                for writer in both:
                    writer.close()
                return

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            await self._flowing.wait()
            sink.write(data)
            await sink.drain()
        sink.close()
