"""Three brokers with replication 3, from the same jars: three processes on this machine."""

import base64
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka.admin import KafkaAdminClient

from deploy.services import kafka as broker_starter
from deploy.services.jars import ensure_jars
from deploy.services.java import find_java
from deploy.services.ports import LOOPBACK
from deploy.services.probe import kafka_is_ready
from deploy.services.processes import ServerProcess, launch
from tests.waiting import wait_for

NODES = (1, 2, 3)
START_S = 180.0
_GROUP, _TRANSACTION = 0, 1  # Kafka's numbers for the kinds of coordinators


@dataclass
class Node:
    """One broker, which is a controller too."""

    number: int
    directory: Path
    command: list[str]
    port: int
    process: ServerProcess | None = None

    def start(self) -> None:
        """Launch it; `Cluster.wait_whole` waits."""
        self.process = launch(
            f"broker {self.number}",
            self.command,
            log=self.directory / "kafka.log",
            cwd=self.directory,
        )


class Cluster:
    """The three of them; one may be dead at a time."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = {node.number: node for node in nodes}

    @property
    def brokers(self) -> str:
        """All addresses, with commas; the same after a restart."""
        return ",".join(f"{LOOPBACK}:{node.port}" for node in self.nodes.values())

    def kill(self, number: int) -> None:
        """SIGKILL."""
        process = self.nodes[number].process
        assert process is not None
        process.kill()

    def stop(self) -> None:
        """End all; the data is a test's and is not used again."""
        for node in self.nodes.values():
            if node.process is not None:
                node.process.kill()

    def leader(self, topic: str) -> int:
        """The node that leads the topic's first partition."""
        with self._admin() as admin:
            (found,) = admin.describe_topics([topic])
        return int(found["partitions"][0]["leader_id"])

    def group_coordinator(self, group: str) -> int:
        """The node that the group's members commit to."""
        return self._coordinator(group, _GROUP)

    def transaction_coordinator(self, transactional_id: str) -> int:
        """The node that keeps the transactions of this id."""
        return self._coordinator(transactional_id, _TRANSACTION)

    def wait_whole(self) -> None:
        """Wait until every node answers and every partition has its three replicas in step."""
        for node in self.nodes.values():
            wait_for(
                lambda node=node: kafka_is_ready(node.port),  # type: ignore[misc]
                f"broker {node.number}",
                START_S,
            )
        wait_for(self._in_step, "three replicas in step of every partition", START_S)

    def _in_step(self) -> bool:
        with self._admin() as admin:
            topics = admin.describe_topics(admin.list_topics())
        return all(len(p["isr_nodes"]) == len(NODES) for t in topics for p in t["partitions"])

    def _coordinator(self, name: str, kind: int) -> int:
        with self._admin() as admin:
            return int(admin._manager.run(admin._find_coordinator_id, name, kind))

    @contextmanager
    def _admin(self) -> Iterator[Any]:
        admin = KafkaAdminClient(bootstrap_servers=self.brokers)
        try:
            yield admin
        finally:
            admin.close()


@contextmanager
def three_brokers(directory: Path) -> Iterator[Cluster]:
    """Start them, and wait until all three are in step."""
    class_path = os.pathsep.join(str(jar) for jar in ensure_jars())
    cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    ports = broker_starter._free_ports(2 * len(NODES), besides=0)
    controllers = dict(zip(NODES, ports[len(NODES) :], strict=True))
    nodes = []
    for number, port in zip(NODES, ports, strict=False):
        place = directory / f"broker-{number}"
        (place / "tmp").mkdir(parents=True)
        base = [
            str(find_java().path),
            *(option for option in broker_starter._JAVA_OPTIONS if not option.startswith("-Xmx")),
            "-Xmx384m",
            f"-Djava.io.tmpdir={place / 'tmp'}",
            "-cp",
            class_path,
        ]
        settings = place / "server.properties"
        settings.write_text(_properties(place, number, port, controllers))
        _format(base, place, settings, cluster_id)
        level = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
        nodes.append(Node(number, place, [*base, level, "kafka.Kafka", str(settings)], port))
    cluster = Cluster(nodes)
    try:
        for node in nodes:
            node.start()
        cluster.wait_whole()
        yield cluster
    finally:
        cluster.stop()


def _properties(place: Path, number: int, port: int, controllers: dict[int, int]) -> str:
    """The settings of the one broker, for one of three."""
    changed = {
        "node.id": number,
        "controller.quorum.voters": ",".join(f"{n}@{LOOPBACK}:{p}" for n, p in controllers.items()),
        "default.replication.factor": 3,
        "min.insync.replicas": 2,
        "offsets.topic.replication.factor": 3,
        "transaction.state.log.replication.factor": 3,
        "transaction.state.log.min.isr": 2,
    }
    text = broker_starter.server_properties(place, port, controllers[number])
    kept = [line for line in text.splitlines() if line.split("=")[0] not in changed]
    return "\n".join([*kept, *(f"{name}={value}" for name, value in changed.items()), ""])


def _format(base: list[str], place: Path, settings: Path, cluster_id: str) -> None:
    tool = launch(
        "Kafka's storage tool",
        [*base, "kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "-c",
         str(settings)],
        log=place / "format.log",
        cwd=place,
    )  # fmt: skip
    assert tool.wait(START_S) == 0, tool.log_tail()
