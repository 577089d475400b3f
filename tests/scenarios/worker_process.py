"""A worker process with the small judge in place of the network; everything else is the real one.

Settings come from the environment, as in production. Run by `WorkerProcess` in `harness`.
"""

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog
from kafka.errors import KafkaError

import worker.program
from tests.scenarios import small_judge
from tests.scenarios.small_judge import Extracted, extract, judge
from worker.broker.clients import WorkerProducer
from worker.broker.group_floor import read_floor
from worker.decoder import process as decoder_process
from worker.decoder.decode import DecodedImage, DecodeLimits
from worker.decoder.pool import DecoderPool
from worker.errors import RejectError
from worker.failpoints import from_environment
from worker.references.pool import FetcherPool
from worker.registry.follower import RegistryFollower
from worker.registry.view import RegistryView
from worker.settings_sources import load_settings
from worker.stream import run as worker_stream
from worker.stream import threads
from worker.stream.judging import Extract
from worker.stream.threads import Work
from worker.stream.transaction import Publisher
from worker.telemetry import configure_logging

ACCEPT_REGISTRY = "SCENARIO_ACCEPT_REGISTRY"
"""Set to "yes", this variable stands for `latentprint run --accept-registry`."""

MUTATION = "SCENARIO_MUTATION"
"""Takes a safeguard away, to see what the oracle says: a name in `MUTATIONS`."""

JUDGE_DELAY = "SCENARIO_JUDGE_DELAY"
"""Seconds that each batch takes longer, where this variable is set."""

DEVICE_DIES_AT = "SCENARIO_DEVICE_DIES_AT"
"""From this batch on everything that is computed raises as on a GPU that died."""

CHILD_KILLER = b"kill the decoder child"
"""A file that ends so crashes each child that decodes it, as a bug in a codec does."""

KILLED_ONCE = b"kill one decoder child"
"""A file that ends so has its first child killed, as the kernel does where memory runs out."""

BRIGHT_AT = "SCENARIO_BRIGHT_AT"
"""This variable makes it another bundle, of OTHER_SPACE: bright begins at this mean."""

NO_PROCESSES = "SCENARIO_NO_PROCESSES"
"""While the file that this variable names exists, no process can be started."""

DECODE_PAUSES = "SCENARIO_DECODE_PAUSES"
"""Seconds between the tries of a decode that finds no decoder, with commas, in place of ours."""

_CRASH = f"""
import ctypes
honest, serve = child.decode, child.serve
def answer(data, limits):
    return ctypes.string_at(0) if data.endswith({CHILD_KILLER!r}) else honest(data, limits)
def serve_killable(limits):
    child.decode = answer
    return serve(limits)
child.serve = serve_killable
"""


class _KillableDecoder:
    """The real pool, whose children can be made to die."""

    def __init__(self, pool: DecoderPool) -> None:
        self.pool = pool
        start = "from worker.decoder.child import main;"
        code = f"from worker.decoder import child; exec({_CRASH!r}, {{'child': child}}); {start}"
        decoder_process._BOOTSTRAP = decoder_process._BOOTSTRAP.replace(start, code)  # type: ignore[misc]

    def decode(self, data: bytes, sender: str = "") -> DecodedImage:
        if data.endswith(KILLED_ONCE):
            # An image first: a child that is only starting is not at work on anything.
            self.pool.decode(data.removesuffix(KILLED_ONCE), sender)
            children = self.pool.pids()
            for pid in children:
                os.kill(pid, signal.SIGSTOP)
            threading.Timer(0.2, _kill, [children]).start()
        return self.pool.decode(data, sender)


def _kill(pids: tuple[int, ...]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def _starve_on_demand(environment: Mapping[str, str]) -> None:
    """Have no process started while a file exists, and tries of a decode follow as is said."""
    pauses = environment.get(DECODE_PAUSES)
    if pauses:
        threads.DECODE_PAUSES_S = tuple(map(float, pauses.split(",")))  # type: ignore[assignment]
    if NO_PROCESSES in environment:
        sign, popen = Path(environment[NO_PROCESSES]), subprocess.Popen

        def start(*arguments: Any, **named: Any) -> Any:
            if sign.exists():
                raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
            return popen(*arguments, **named)

        subprocess.Popen = start  # type: ignore[misc, assignment]


def _slow(extract: Extract[Extracted], seconds: float) -> Extract[Extracted]:
    """Extraction, each batch of which takes some seconds longer."""
    never = threading.Event()
    log = structlog.get_logger("scenario")

    def slowly(
        images: Sequence[DecodedImage], view: RegistryView
    ) -> Sequence[Extracted | RejectError]:
        log.info("judging", images=len(images))
        never.wait(seconds)
        return extract(images, view)

    return slowly


class _Device:
    """The small judge's device, which dies at the `dies_at`-th batch and never comes back."""

    def __init__(self, dies_at: int) -> None:
        self._left = dies_at

    def extract(
        self, images: Sequence[DecodedImage], view: RegistryView
    ) -> Sequence[Extracted | RejectError]:
        self._left -= 1
        self.self_test()
        return extract(images, view)

    def self_test(self) -> None:
        if self._left <= 0:
            raise RuntimeError("CUDA error: an illegal memory access was encountered")


def _trust_flush() -> None:
    """The mutation: as if a flush that returns, and a send that was accepted, proved anything."""

    class Believed:
        exception = None

        def succeeded(self) -> bool:
            return True

    send, flush = WorkerProducer.send, WorkerProducer.flush

    def believing_send(self: WorkerProducer, *arguments: Any, **named: Any) -> Believed:
        send(self, *arguments, **named)
        return Believed()

    def quiet_flush(self: WorkerProducer, timeout: float | None = None) -> None:
        with contextlib.suppress(KafkaError):
            flush(self, None)  # until every batch is written or has expired

    WorkerProducer.send, WorkerProducer.flush = believing_send, quiet_flush  # type: ignore[method-assign]


def _reuse_producer() -> None:
    """The mutation: as if a producer were good for another transaction after an abort."""

    def abort_and_go_on(self: Publisher[Any], *_: object) -> None:
        self._ownership.discard()
        self._producer.abort_transaction()  # type: ignore[union-attr]  # a KafkaProducer's own
        self._membership.rewind()

    Publisher.rebuild = abort_and_go_on  # type: ignore[method-assign, assignment]


MUTATIONS = {"": lambda: None, "trust_flush": _trust_flush, "reuse_producer": _reuse_producer}


def main() -> None:
    """Run one slot until SIGTERM."""
    from fingerprint_db.redis_store.registry import RedisRegistry

    settings = load_settings(environment=os.environ)
    configure_logging(settings.logging)
    MUTATIONS[os.environ.get(MUTATION, "")]()
    stop = threading.Event()
    leaving = threading.Event()

    def ask(number: int, _frame: object) -> None:
        if number == signal.SIGUSR1:
            leaving.set()
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGUSR1, ask)
    if BRIGHT_AT in os.environ:
        small_judge.BRIGHT = int(os.environ[BRIGHT_AT])
        small_judge.SPACE = small_judge.OTHER_SPACE
    space = small_judge.SPACE
    registry = RedisRegistry(settings.redis.address())
    follower = RegistryFollower(
        registry,
        space,
        block_s=0.2,
        retry_s=0.1,
        floor=read_floor(settings.kafka, space),
        accept=os.environ.get(ACCEPT_REGISTRY) == "yes",
    )
    follower.start()
    say: Callable[[], None] = lambda: print(json.dumps({"event": "ready"}), flush=True)  # noqa: E731
    device = _Device(int(os.environ.get(DEVICE_DIES_AT, sys.maxsize)))
    _starve_on_demand(os.environ)
    decoder = _KillableDecoder(DecoderPool(DecodeLimits(), settings.decode.children))
    with decoder.pool, FetcherPool(settings.references, settings.decode.max_image_bytes) as fetcher:
        worker_stream.run(
            settings,
            Work(
                decoder,
                _slow(device.extract, float(os.environ.get(JUDGE_DELAY, "0"))),
                judge,
                follower.view,
                device.self_test,
                follower.metadata,
                fetcher,
            ),
            stop=stop,
            leaving=leaving.is_set,
            failpoint=from_environment(os.environ, allowed=settings.is_local),
            on_ready=say,
        )
    follower.close()


if __name__ == "__main__":
    try:
        main()
    except Exception as error:
        sys.exit(worker.program.report(error))
