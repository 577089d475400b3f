"""A broker that asks who one is (SASL) and what one may do (ACL), from the same jars."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
)

from deploy.services import kafka as broker_starter
from deploy.services.jars import ensure_jars
from deploy.services.java import find_java
from deploy.services.ports import LOOPBACK, free_port

PASSWORD = "secret"
USERS = ("worker", "nobody", "reader")


@dataclass(frozen=True)
class SecuredKafka:
    """`open_brokers` takes everyone for the super user; `brokers` asks for a name."""

    open_brokers: str
    brokers: str

    def give(
        self, user: str, kind: str, name: str, *operations: str, prefixed: bool = False
    ) -> None:
        """Give a right, as kafka-acls.sh does."""
        self._do("create_acls", user, kind, name, operations, prefixed)

    def take(
        self, user: str, kind: str, name: str, *operations: str, prefixed: bool = False
    ) -> None:
        """Take a right that was given so."""
        self._do("delete_acls", user, kind, name, operations, prefixed)

    def _do(
        self,
        what: str,
        user: str,
        kind: str,
        name: str,
        operations: tuple[str, ...],
        prefixed: bool,
    ) -> None:
        pattern = ResourcePattern(
            ResourceType[kind],
            name,
            ACLResourcePatternType.PREFIXED if prefixed else ACLResourcePatternType.LITERAL,
        )
        acls = [
            ACL(f"User:{user}", "*", ACLOperation[one], ACLPermissionType.ALLOW, pattern)
            for one in operations
        ]
        admin = KafkaAdminClient(bootstrap_servers=self.open_brokers)
        try:
            getattr(admin, what)(acls)
        finally:
            admin.close()

    def options(self, user: str = "worker", password: str = PASSWORD) -> dict[str, Any]:
        """The client's options for a user."""
        return {
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "PLAIN",
            "sasl_plain_username": user,
            "sasl_plain_password": password,
        }


@contextmanager
def secured_kafka(directory: Path) -> Iterator[SecuredKafka]:
    """Start it; both listeners are on this machine alone."""
    class_path = os.pathsep.join(str(jar) for jar in ensure_jars())
    (directory / "tmp").mkdir(parents=True)
    base = [
        str(find_java().path),
        *broker_starter._JAVA_OPTIONS,
        f"-Djava.io.tmpdir={directory / 'tmp'}",
        "-cp",
        class_path,
    ]
    port, controller, secured = free_port(), free_port(), free_port()
    passwords = " ".join(f'user_{user}="{PASSWORD}"' for user in USERS)
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    changed = {
        "listeners": f"BROKER://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller}"
        f",SECURED://{LOOPBACK}:{secured}",
        "advertised.listeners": f"BROKER://{LOOPBACK}:{port},SECURED://{LOOPBACK}:{secured}",
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT"
        ",SECURED:SASL_PLAINTEXT",
        "listener.name.secured.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.secured.plain.sasl.jaas.config": f"{plain} {passwords};",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    text = broker_starter.server_properties(directory, port, controller)
    kept = [line for line in text.splitlines() if line.split("=")[0] not in changed]
    settings = directory / "server.properties"
    settings.write_text("\n".join([*kept, *(f"{n}={v}" for n, v in changed.items()), ""]))
    broker_starter._format(base, directory, settings)
    level = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    process = broker_starter._launch(directory, [*base, level, "kafka.Kafka", str(settings)], port)
    try:
        yield SecuredKafka(f"{LOOPBACK}:{port}", f"{LOOPBACK}:{secured}")
    finally:
        process.stop(grace_s=10)
