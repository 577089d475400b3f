"""Both services for a person at a terminal: they outlive the command and are found again later."""

import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from deploy.services.errors import PortTaken, StartFailed, WrongUse
from deploy.services.kafka import RunningKafka, start_kafka
from deploy.services.locks import hold_lock
from deploy.services.probe import kafka_is_ready, redis_process
from deploy.services.processes import is_alive, stop_process
from deploy.services.redis import Flavour, RunningRedis, find_redis, start_redis
from deploy.services.state import (
    KafkaRecord,
    RedisRecord,
    ServicesState,
    read_state,
    services_folder,
    write_state,
)

_LOCK_DEADLINE_S = 400.0  # a first start may be fetching Kafka's jars
_ANSWER_DEADLINE_S = 15.0
_STOP_GRACE_S = 20.0


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the caller asked for; 0 and `any` leave the choice to the program."""

    kafka_port: int = 0
    redis_port: int = 0
    flavour: Literal["any"] | Flavour = "any"


@dataclass(frozen=True, slots=True)
class Up:
    """The services that run now, and which of them this call started."""

    state: ServicesState
    started: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Health:
    """Whether each service is the remembered process and answers on its port."""

    kafka: bool
    redis: bool


def bring_up(
    file: Path, wishes: Wishes, *, notify: Callable[[str], None] = lambda line: None
) -> Up:
    """Have both services running and remembered in the state file `file`; keep those that run.

    1. Under a lock, read what is remembered. 2. Start what does not run. 3. Write the state file.
    4. Only then let the new processes outlive this one: an interrupted call leaves nothing running.

    Raises:
        ServiceError: any of its kinds; what this call had started is stopped again.
    """
    with locked(file):
        before = read_state(file)
        _refuse_contradiction(before, wishes)
        directory = services_folder(file)
        redis_before = before.redis if before and is_alive(before.redis.identity) else None
        kafka_before = before.kafka if before and is_alive(before.kafka.identity) else None
        if redis_before:
            _wait_for_answer("Redis", redis_before, partial(_redis_answers, redis_before))
        if kafka_before:
            _wait_for_answer("Kafka", kafka_before, partial(kafka_is_ready, kafka_before.port))
        fresh: list[RunningKafka | RunningRedis] = []
        try:
            redis, kafka = redis_before, kafka_before
            if redis is None:
                started = _start_redis(directory, wishes, before)
                fresh.append(started)
                redis = _redis_record(started)
            if kafka is None:
                broker = _start_kafka(directory, wishes, before, notify)
                fresh.append(broker)
                kafka = _kafka_record(broker)
            state = ServicesState(kafka=kafka, redis=redis, directory=str(directory))
            write_state(file, state)
        except BaseException:
            for service in fresh:
                service.stop()
            raise
        for service in fresh:
            service.process.outlive_this_process()
        names = ("kafka" if kafka_before is None else "", "redis" if redis_before is None else "")
        return Up(state, tuple(name for name in names if name))


def take_down(file: Path, *, delete_data: bool = False) -> tuple[str, ...]:
    """Stop both services and forget them; returns the names of those that were still running.

    Their data stays for the next `bring_up`, unless `delete_data`.

    Raises:
        StopFailed: a process may not be signalled or does not end; the state file stays.
    """
    with locked(file):
        state = read_state(file)
        stopped = []
        if state is not None:
            for name, record in (("kafka", state.kafka), ("redis", state.redis)):
                if is_alive(record.identity):
                    stop_process(record.identity, name=name, grace_s=_STOP_GRACE_S)
                    stopped.append(name)
            file.unlink(missing_ok=True)
        if delete_data:
            shutil.rmtree(services_folder(file), ignore_errors=True)
        return tuple(stopped)


def health(state: ServicesState) -> Health:
    """Ask each service once, now."""
    return Health(
        kafka=is_alive(state.kafka.identity) and kafka_is_ready(state.kafka.port),
        redis=is_alive(state.redis.identity) and _redis_answers(state.redis),
    )


def _start_redis(directory: Path, wishes: Wishes, before: ServicesState | None) -> RunningRedis:
    """On the port asked for, else the one it had, else a free one. Flavours share no data."""
    program = find_redis(wishes.flavour)
    folder = directory / f"redis-{program.flavour}"
    if wishes.redis_port == 0 and before is not None:
        try:
            return start_redis(folder, port=before.redis.port, flavour=program.flavour)
        except PortTaken:
            pass
    return start_redis(folder, port=wishes.redis_port, flavour=program.flavour)


def _start_kafka(
    directory: Path, wishes: Wishes, before: ServicesState | None, notify: Callable[[str], None]
) -> RunningKafka:
    """On the port asked for, else the one it had, else a free one."""
    folder = directory / "kafka"
    if wishes.kafka_port == 0 and before is not None:
        try:
            return start_kafka(folder, port=before.kafka.port, notify=notify)
        except PortTaken:
            pass
    return start_kafka(folder, port=wishes.kafka_port, notify=notify)


def _redis_answers(record: RedisRecord) -> bool:
    return redis_process(record.port) == record.pid


def _kafka_record(broker: RunningKafka) -> KafkaRecord:
    identity = broker.process.identity
    return KafkaRecord(broker.brokers, identity.pid, identity.started, str(broker.log))


def _redis_record(server: RunningRedis) -> RedisRecord:
    identity = server.process.identity
    return RedisRecord(
        url=server.url,
        pid=identity.pid,
        started=identity.started,
        log=str(server.log),
        flavour=server.flavour,
        version=server.version,
    )


def _refuse_contradiction(before: ServicesState | None, wishes: Wishes) -> None:
    """A running service is never moved or exchanged behind the back of those who use it."""
    if before is None:
        return
    for name, record, wanted in (
        ("Kafka", before.kafka, wishes.kafka_port),
        ("Redis", before.redis, wishes.redis_port),
    ):
        if wanted not in (0, record.port) and is_alive(record.identity):
            raise WrongUse(
                f"{name} runs on port {record.port} already, and port {wanted} was asked for. "
                f"Nothing was changed. Stop it first: latentprint services down"
            )
    if wishes.flavour not in ("any", before.redis.flavour) and is_alive(before.redis.identity):
        raise WrongUse(
            f"Redis runs as {before.redis.flavour} already, and {wishes.flavour} was asked for. "
            f"Nothing was changed. Stop it first: latentprint services down"
        )


def _wait_for_answer(
    name: str, record: KafkaRecord | RedisRecord, answers: Callable[[], bool]
) -> None:
    began = time.monotonic()
    while not answers():
        if time.monotonic() - began > _ANSWER_DEADLINE_S:
            raise StartFailed(
                f"{name}, process {record.pid}, runs but did not answer on port {record.port} for "
                f"{_ANSWER_DEADLINE_S:g} s; see its log {record.log}. Nothing was changed. "
                f"Stop it and start again: latentprint services down && latentprint services up"
            )
        time.sleep(0.1)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """One that starts or stops services at a time for each state file."""
    lock = file.with_name(f"{file.stem}.lock")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        lock.touch()
    except OSError as error:
        raise WrongUse(
            f"The services cannot be remembered in {file}: {error}. Nothing was done. "
            f"Set LATENTPRINT_STATE to a file that can be written."
        ) from error
    with hold_lock(lock, "starting or stopping services", _LOCK_DEADLINE_S):
        yield
