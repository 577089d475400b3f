"""A real Apache Kafka broker (KRaft, one node, loopback only) as a child process."""

import base64
import os
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.services.errors import PortTaken, ServiceError, StartFailed
from deploy.services.jars import KAFKA_VERSION, ensure_jars
from deploy.services.java import JavaRuntime, find_java
from deploy.services.ports import LOOPBACK, free_port, port_is_free
from deploy.services.probe import kafka_is_ready
from deploy.services.processes import ServerProcess, launch

# An image of 10 MiB, the project's size limit, plus room for what travels with it: attributes, and
# for a dead letter the reason headers.
MAX_MESSAGE_BYTES = 11 * 1024 * 1024

_START_DEADLINE_S = 120.0  # usually 2-4 s; crowded machines have been seen to need 20
_STOP_GRACE_S = 20.0
_PORT_TRIES = 5
_PORT_IN_USE = "Address already in use"

# A small heap, and neither background compilation nor collection threads: a broker of a few topics
# shares two cores with those who use it.
_JAVA_OPTIONS = (
    "-Xmx512m",
    "-Xss512k",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSS",
)


class RunningKafka:
    """One broker. Use it in a `with` block, or call `stop`. Make one with `start_kafka`."""

    version = KAFKA_VERSION

    def __init__(
        self,
        directory: Path,
        command: Sequence[str],
        port: int,
        process: ServerProcess,
        proxied_port: int,
    ) -> None:
        self.directory = directory
        self.port = port
        self.process = process
        self.proxied_port = proxied_port
        self._command = tuple(command)

    @property
    def brokers(self) -> str:
        """The bootstrap address, `127.0.0.1:PORT`; the same after a restart."""
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int:
        """The broker's process id; another one after a restart."""
        return self.process.pid

    @property
    def log(self) -> Path:
        """The file with the broker's log; a restart appends to it."""
        return self.process.log

    @property
    def running(self) -> bool:
        """Whether the broker's process lives."""
        return self.process.running()

    def stop(self) -> None:
        """Shut down in an orderly way (SIGKILL after 20 s). The data stays. Safe to call twice."""
        self.process.stop(grace_s=_STOP_GRACE_S)

    def kill(self) -> None:
        """SIGKILL, as in a crash. What was acknowledged is in the page cache, and survives."""
        self.process.kill()

    def restart(self) -> None:
        """Start again on the same port and data, stopping in an orderly way first if still running.

        Raises:
            PortTaken: somebody else took the port meanwhile.
            StartFailed: it did not come up again.
        """
        self.stop()
        self.process = _launch(self.directory, self._command, self.port)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start_kafka(
    directory: Path,
    *,
    port: int = 0,
    java: JavaRuntime | None = None,
    advertised_port: int = 0,
    notify: Callable[[str], None] = lambda line: None,
) -> RunningKafka:
    """Start a broker whose settings, data and log lie in `directory`, and wait until it is ready.

    A directory that was used before is used again, with its topics. `port` 0 takes a free one. The
    broker ends with this process, however that ends. `notify` is told what takes long.

    `advertised_port` gives the broker a second door, `proxied_port`: who comes in there is told
    that the broker is at `advertised_port`, where a proxy of the caller's is to listen.

    Raises:
        JarsUnavailable, JavaUnavailable: what Kafka consists of, or runs on, cannot be had.
        PortTaken: `port` was given and is taken.
        StartFailed: the broker ended or missed its deadline; the message ends in its log.
    """
    if port and not port_is_free(port):
        raise _port_taken(port)
    runtime = java or find_java()
    class_path = os.pathsep.join(str(jar) for jar in ensure_jars(notify=notify))
    directory = Path(directory).resolve()
    scratch = directory / "tmp"  # native libraries are unpacked here, not in the system's folder
    scratch.mkdir(parents=True, exist_ok=True)
    base = [str(runtime.path), *_JAVA_OPTIONS, f"-Djava.io.tmpdir={scratch}", "-cp", class_path]
    settings = directory / "server.properties"
    command = [
        *base, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "kafka.Kafka", str(settings)
    ]  # fmt: skip
    for attempt in range(1, _PORT_TRIES + 1):
        chosen = port or free_port()
        others = _free_ports(2, besides=chosen)
        proxied = (others[1], advertised_port) if advertised_port else None
        settings.write_text(server_properties(directory, chosen, others[0], proxied))
        if not (directory / "data" / "meta.properties").exists():
            _format(base, directory, settings)
        try:
            process = _launch(directory, command, chosen)
        except PortTaken:
            if port or attempt == _PORT_TRIES:
                raise
        else:
            return RunningKafka(directory, command, chosen, process, others[1])
    raise AssertionError("the last attempt returns or raises")


def server_properties(
    directory: Path, port: int, controller_port: int, proxied: tuple[int, int] | None = None
) -> str:
    """The broker's settings file: one node that is broker and controller, bound to 127.0.0.1.

    `proxied` is a second port to listen on, and the port that is told to those who use it.
    """
    listeners = {"BROKER": port, "CONTROLLER": controller_port}
    advertised = {"BROKER": port}
    if proxied is not None:
        listeners["PROXIED"], advertised["PROXIED"] = proxied
    settings: dict[str, object] = {
        "process.roles": "broker,controller",
        "node.id": 1,
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "listeners": _addresses(listeners),
        "advertised.listeners": _addresses(advertised),
        "listener.security.protocol.map": ",".join(f"{name}:PLAINTEXT" for name in listeners),
        "inter.broker.listener.name": "BROKER",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(directory / "data").replace("\\", "\\\\"),
        # One node can hold one copy.
        "default.replication.factor": 1,
        "min.insync.replicas": 1,
        "offsets.topic.replication.factor": 1,
        "offsets.topic.num.partitions": 4,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "transaction.state.log.num.partitions": 4,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 1,
        # Topics are made on purpose, with the right sizes, or not at all.
        "auto.create.topics.enable": "false",
        "message.max.bytes": MAX_MESSAGE_BYTES,
        "replica.fetch.max.bytes": MAX_MESSAGE_BYTES,
        # A transaction lasts 10 s in the worker; a longer one than a minute is a mistake.
        "transaction.max.timeout.ms": 60_000,
        # Look every second for transactions past their timeout (default: every 10 s).
        "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1_000,
        # Do not wait for more members to join, and let short session timeouts be tried.
        "group.initial.rebalance.delay.ms": 0,
        "group.min.session.timeout.ms": 1_000,
        # After a SIGKILL the controller lets the broker back in only when its old session has run
        # out (default: 9 s).
        "broker.session.timeout.ms": 3_000,
        "broker.heartbeat.interval.ms": 500,
        # A local broker must not fill the disk: a day, in segments small enough to be dropped.
        "log.retention.hours": 24,
        "log.segment.bytes": 256 * 1024 * 1024,
        "log.cleaner.dedupe.buffer.size": 4 * 1024 * 1024,
        "num.network.threads": 2,
        "num.io.threads": 4,
        "background.threads": 2,
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _format(base: Sequence[str], directory: Path, settings: Path) -> None:
    """Write the cluster id into the empty data folder; Kafka refuses to start without."""
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    # It may begin with a dash, so that it is given with its name.
    tool = launch(
        "Kafka's storage tool",
        [*base, "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "kafka.tools.StorageTool",
         "format", f"--cluster-id={cluster}", "-c", str(settings)],
        log=directory / "format.log",
        cwd=directory,
    )  # fmt: skip
    try:
        code = tool.wait(_START_DEADLINE_S)
    finally:
        tool.kill()
    if code != 0:
        raise StartFailed(f"Kafka's data folder could not be formatted. {tool.log_tail()}")


def _launch(directory: Path, command: Sequence[str], port: int) -> ServerProcess:
    """Launch on exactly this port and wait until ready; nothing is left behind on failure."""
    if not port_is_free(port):
        raise _port_taken(port)
    process = launch(
        f"Apache Kafka {KAFKA_VERSION}",
        command,
        log=directory / "kafka.log",
        cwd=directory,
    )
    try:
        process.wait_until_ready(
            lambda: kafka_is_ready(port),
            f"group and transaction coordinators on {LOOPBACK}:{port}",
            _START_DEADLINE_S,
        )
    except BaseException as error:
        process.kill()
        if isinstance(error, ServiceError) and _PORT_IN_USE in process.log_of_this_start():
            raise _port_taken(port) from error
        raise
    return process


def _addresses(ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://{LOOPBACK}:{port}" for name, port in ports.items())


def _free_ports(count: int, *, besides: int) -> list[int]:
    ports: list[int] = []
    while len(ports) < count:
        port = free_port()
        if port != besides and port not in ports:
            ports.append(port)
    return ports


def _port_taken(port: int) -> PortTaken:
    return PortTaken(
        f"Kafka cannot listen on {LOOPBACK}:{port} (or its controller port): somebody else does. "
        f"Kafka was not started. Choose another port, or leave the choice to the program."
    )
