"""`latentprint run`: the worker itself, one slot in this process or many in their own."""

import gc
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import structlog
import typer

from fingerprint_db.calibration import Calibration
from fingerprint_db.errors import RegistryError
from worker.commands.options import Brokers, Config, Prefix, Redis
from worker.core_dumps import forbid_core_dumps
from worker.errors import StopError
from worker.loading import loading
from worker.settings.settings import Settings
from worker.settings_sources import load_settings, variable


def contribute(app: typer.Typer) -> None:
    """Add `run` to `app`."""
    app.command("run")(run_command)


def run_command(
    slots: Annotated[
        int | None, typer.Option("--slots", min=1, help="Start so many processes and watch them.")
    ] = None,
    slot: Annotated[
        int | None, typer.Option("--slot", min=0, help="This process's slot; the first, if many.")
    ] = None,
    brokers: Brokers = None,
    redis: Redis = None,
    prefix: Prefix = None,
    group: Annotated[str | None, typer.Option("--group", help="Consumer group.")] = None,
    delivery: Annotated[
        str | None, typer.Option("--delivery", help="exactly_once or at_least_once")
    ] = None,
    shadow: Annotated[
        bool,
        typer.Option(
            "--shadow",
            help="Judge beside the workers that count, in another group and to topics of its own.",
        ),
    ] = False,
    config: Config = None,
    accept_registry: Annotated[
        bool,
        typer.Option(
            "--accept-registry",
            help="Take a registry that was emptied or rolled back as it is; at the first start of"
            " each slot alone.",
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON line on stdout: when ready, and at the end.")
    ] = False,
    pages_fd: Annotated[int | None, typer.Option("--pages-fd", hidden=True)] = None,
) -> None:
    """Run the worker: read image events, publish verdicts, until SIGTERM or Ctrl-C.

    After SIGTERM a slot's partitions wait for its return. After SIGUSR1 it drains as well, and
    leaves the group for good: others get its partitions at once.

    Exit codes: 0 drained, 1 stopped by an error (the breaker, a fenced slot), 2 settings or
    start-up checks, 3 Kafka or Redis out of reach, 70 unexpected error, 75 watchdog, no
    decoder child, or a device that failed.
    """
    from worker.telemetry import configure_logging

    flags = {
        "kafka.brokers": brokers,
        "kafka.prefix": prefix,
        "kafka.group": group,
        "kafka.slot": slot,
        "kafka.shadow": shadow or None,
        "redis.url": redis,
        "delivery.mode": delivery,
    }
    settings = load_settings(environment=os.environ, flags=flags, config_file=config)
    configure_logging(settings.logging)
    with stopping_on_signals() as (stop, leaving):
        if slots is not None and slots > 1:
            _supervise(settings, flags, slots, config, stop, leaving, as_json, accept_registry)
        else:
            run_slot(
                settings,
                stop,
                leaving=leaving,
                accept_registry=accept_registry,
                pages_fd=pages_fd,
                on_ready=lambda: _announce("ready", settings, as_json),
            )
            _announce("drained", settings, as_json)


def run_slot(
    settings: Settings,
    stop: threading.Event,
    *,
    leaving: threading.Event | None = None,
    accept_registry: bool = False,
    pages_fd: int | None = None,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """One slot with the real pipeline, on the calling thread, until `stop` is set.

    Where `leaving` is set by then, it leaves the group for good. `pages_fd` is a socket that a
    supervisor has made for its pages; else it listens where the settings say.

    Looks at Kafka, waits for Redis, loads the bundle, proves it on its golden inputs, starts the
    sandboxed decoders, loads the registry, then joins the group.
    """
    # At once: a service out of reach may be waited for, for a minute.
    structlog.get_logger("worker").info(
        "starting",
        slot=settings.kafka.slot,
        version=version("latentprint"),
        brokers=settings.kafka.brokers,
        redis=settings.redis.address().shown,
    )
    with loading():
        from worker.broker.group_floor import read_floor
        from worker.failpoints import from_environment
        from worker.metrics import Figures
        from worker.references.pool import FetcherPool
        from worker.registry.follower import RegistryFollower
        from worker.registry.start import await_redis, open_registry, start_following
        from worker.seen import looks
        from worker.seen.health import Health
        from worker.seen.pages import worker_pages
        from worker.seen.server import PageServer, adopted, listening
        from worker.seen.tracing import spans_to
        from worker.stream.run import run
        from worker.stream.start_checks import check_start
        from worker.stream.threads import Work

    forbid_core_dumps()
    slot = settings.kafka.slot
    figures, health = Figures(slot=slot), Health(looks.CHECKS)
    with ExitStack() as stack:
        pages = worker_pages(figures, health)
        if pages_fd is not None:
            stack.callback(PageServer(adopted(pages_fd), pages).close)
        elif (address := settings.metrics.address(slot)) is not None:
            stack.callback(PageServer(listening(*address, what=f"slot {slot}"), pages).close)
        spans = stack.enter_context(spans_to(settings.tracing.traces_url, slot))
        # Before what takes long to load: most starts that fail, fail here. `run` asks again, and
        # warns.
        check_start(settings, lambda warning: None)
        registry = stack.enter_context(open_registry(settings.redis))
        await_redis(registry, settings.redis, stop)
        if stop.is_set():
            return
        with loading():
            from worker.commands.workshop import open_workshop  # takes a second to load

        def own(space: str) -> Calibration | None:
            with suppress(RegistryError):  # `start_following` tells of it, or waits
                return registry.calibration(space)
            return None

        max_image_bytes = settings.decode.max_image_bytes
        fetcher = stack.enter_context(FetcherPool(settings.references, max_image_bytes))
        workshop = stack.enter_context(open_workshop(settings, own, figures=figures))
        space, limit_s = workshop.bundle.digest, workshop.policy.maximum_registry_age_s
        structlog.contextvars.bind_contextvars(slot=slot, bundle=space[:12])
        posture, demanded = workshop.decoder.posture, settings.decode.sandbox
        health.know("bundle", looks.bundle_look(space))
        health.know("sandbox", looks.sandbox_look(posture, demanded))
        figures.before_reading(lambda: looks.show_sandbox(figures, posture, demanded))
        looks.show_build(figures, bundle=space, policy=workshop.policy.digest)
        follower = RegistryFollower(
            registry,
            space,
            block_s=settings.redis.poll_s,
            floor=read_floor(settings.kafka, space),
            accept=accept_registry,
            keys=settings.trust.of_registry(),
            prepare=workshop.preparer().prepare,
        )
        required = settings.redis.required
        health.know("registry", looks.registry_look(follower, limit_s, required=required))
        figures.before_reading(lambda: looks.show_registry(figures, follower, limit_s))
        start_following(follower, registry, space, settings.redis, stop)
        # What is loaded stays: a collection of all of it stops every thread for 70 ms.
        gc.freeze()
        pipeline = workshop.pipeline(figures, spans)
        try:
            run(
                settings,
                Work(
                    decoder=workshop.decoder,
                    extract=pipeline.extract,
                    judge=pipeline.judge_extracted,
                    view=follower.view,
                    self_test=workshop.extractor.self_test,
                    registry_metadata=follower.metadata,
                    fetcher=fetcher,
                ),
                stop=stop,
                leaving=(leaving or threading.Event()).is_set,
                figures=figures,
                health=health,
                spans=spans,
                failpoint=from_environment(os.environ, allowed=settings.is_local),
                on_ready=on_ready,
            )
        finally:
            follower.close()


@contextmanager
def stopping_on_signals() -> Iterator[tuple[threading.Event, threading.Event]]:
    """Stop, and leave for good: SIGTERM and the first Ctrl-C set the first, SIGUSR1 sets both.

    A second Ctrl-C interrupts. The main thread may ask `is_set()` but must not `wait()`: the
    handler runs on that thread and would wait for the event's own lock.
    """
    stop, leaving = threading.Event(), threading.Event()

    def ask(number: int, _frame: object) -> None:
        if number == signal.SIGUSR1:
            leaving.set()
        stop.set()
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)

    asking = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
    before = {number: signal.signal(number, ask) for number in asking}
    try:
        yield stop, leaving
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _supervise(
    settings: Settings,
    flags: dict[str, str | int | None],
    slots: int,
    config: Path | None,
    stop: threading.Event,
    leaving: threading.Event,
    as_json: bool,
    accept_registry: bool,
) -> None:
    from worker.commands.supervisor import Supervisor
    from worker.metrics import SUPERVISOR, Figures
    from worker.seen.health import Health
    from worker.seen.server import PageServer, listening
    from worker.seen.slots import LOOPBACK, slot_pages

    environment = dict(os.environ)
    for dotted, value in flags.items():
        if value is not None:  # not as arguments: the address of Redis may hold a password
            environment[variable(tuple(dotted.split(".")))] = str(value)
    if settings.decode.processes == 0:  # a slot does not know of the others
        share = settings.decode.children_of(slots)
        environment[variable(("decode", "processes"))] = str(share)
    command = [sys.executable, "-m", "worker.program", "run"]
    command += ["--config", str(config)] if config is not None else []
    command += ["--json"] * as_json

    numbers = range(settings.kafka.slot, settings.kafka.slot + slots)
    address = settings.metrics.address(settings.kafka.slot)
    pages = (
        {number: listening(LOOPBACK, 0, what=f"slot {number}") for number in numbers}
        if address is not None
        else {}
    )

    def command_of(number: int, first_start: bool) -> list[str]:
        # What the operator looked at is accepted; what a restart finds hours later is not.
        accepting = ["--accept-registry"] if accept_registry and first_start else []
        serving = ["--pages-fd", str(pages[number].fileno())] if pages else []
        return [*command, *accepting, *serving, "--slot", str(number)]

    figures, health = Figures(SUPERVISOR, slot=None), Health()
    supervisor = Supervisor(
        command_of,
        numbers,
        environment=environment,
        inherited={number: listener.fileno() for number, listener in pages.items()},
        figures=figures,
        health=health,
    )
    if address is not None:
        ports = {number: listener.getsockname()[1] for number, listener in pages.items()}
        served = slot_pages(figures, health, ports, supervisor.pids)
        PageServer(listening(*address, what="the supervisor"), served)
    code = supervisor.run(stop, leaving)
    if code != 0:
        raise StopError(f"a slot ended with exit code {code}; its reason is above", exit_code=code)


def _announce(event: str, settings: Settings, as_json: bool) -> None:
    if as_json:
        line = {"event": event, "slot": settings.kafka.slot, "pid": os.getpid()}
        print(json.dumps(line), flush=True)
