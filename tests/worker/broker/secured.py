"""A broker that asks who one is (TLS, SASL) and what one may do (ACL), from the same jars."""

import os
from collections.abc import Iterable, Iterator
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
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from deploy.services import kafka as broker_starter
from deploy.services.jars import ensure_jars
from deploy.services.java import find_java
from deploy.services.ports import LOOPBACK, free_port
from tests.certificates import Certificates
from worker.broker.acls import Right

PASSWORD = "secret"
USERS = ("worker", "nobody", "reader", "notify")
"""Known to the listener without TLS, by PLAIN."""

NOWHERE = f"{LOOPBACK}:1"
"""Where nobody listens."""

_LOGIN = "org.apache.kafka.common.security"


@dataclass(frozen=True)
class SecuredKafka:
    """One broker with a door for every way in.

    `open_brokers` takes everyone for the super user; `brokers` asks for a name, by PLAIN and
    without TLS; `tls_brokers` by SCRAM, PLAIN or a token over TLS; `mtls_brokers` for a
    certificate. `expired_brokers` and `renamed_brokers` are like `tls_brokers`, with a certificate
    that has expired, and one for another host. `misled_brokers` is like `open_brokers` and sends
    clients on to where nobody listens.
    """

    folder: Path
    open_brokers: str
    brokers: str
    tls_brokers: str
    mtls_brokers: str
    expired_brokers: str
    renamed_brokers: str
    misled_brokers: str
    certificates: Certificates

    def add_user(self, user: str, password: str = PASSWORD) -> None:
        """Make or change a user who logs in by SCRAM-SHA-512."""
        with self._administrator() as admin:
            admin.alter_user_scram_credentials(
                [UserScramCredentialUpsertion(user, ScramMechanism.SCRAM_SHA_512, password)]
            )

    def allow(self, user: str, rights: Iterable[Right]) -> None:
        """Give all these rights."""
        for right in rights:
            kind = right.kind.upper().replace(" ", "_")
            self.give(user, kind, right.name, *right.operations, prefixed=right.prefixed)

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
        with self._administrator() as admin:
            getattr(admin, what)(acls)

    @contextmanager
    def _administrator(self) -> Iterator[KafkaAdminClient]:
        admin = KafkaAdminClient(bootstrap_servers=self.open_brokers)
        try:
            yield admin
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
    """Start it; all listeners are on this machine alone."""
    class_path = os.pathsep.join(str(jar) for jar in ensure_jars())
    (directory / "tmp").mkdir(parents=True)
    base = [
        str(find_java().path),
        *broker_starter._JAVA_OPTIONS,
        f"-Djava.io.tmpdir={directory / 'tmp'}",
        "-cp",
        class_path,
    ]
    certificates = Certificates.in_folder(directory)
    doors = ("BROKER", "CONTROLLER", "PLAIN", "TLS", "MTLS", "EXPIRED", "RENAMED", "MISLED")
    ports: dict[str, int] = {}
    while len(ports) < len(doors):
        if (port := free_port()) not in ports.values():
            ports[doors[len(ports)]] = port
    address = {name: f"{LOOPBACK}:{port}" for name, port in ports.items()}
    passwords = " ".join(f'user_{user}="{PASSWORD}"' for user in USERS)
    plain = f"{_LOGIN}.plain.PlainLoginModule required {passwords};"
    bearer = f"{_LOGIN}.oauthbearer.OAuthBearerLoginModule required;"
    scram = f"{_LOGIN}.scram.ScramLoginModule required;"
    changed = {
        "listeners": ",".join(f"{name}://{address[name]}" for name in doors),
        "advertised.listeners": ",".join(
            f"{name}://{address[name] if name != 'MISLED' else NOWHERE}"
            for name in doors
            if name != "CONTROLLER"
        ),
        "listener.security.protocol.map": "BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT"
        ",PLAIN:SASL_PLAINTEXT,TLS:SASL_SSL,MTLS:SSL,EXPIRED:SASL_SSL,RENAMED:SASL_SSL"
        ",MISLED:PLAINTEXT",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "listener.name.plain.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.plain.plain.sasl.jaas.config": plain,
        "listener.name.mtls.ssl.client.auth": "required",
    }
    for door in ("tls", "mtls", "expired", "renamed"):
        of = f"listener.name.{door}"
        changed |= {
            f"{of}.ssl.keystore.type": "PEM",
            f"{of}.ssl.keystore.location": str(certificates.server(door)),
            f"{of}.ssl.truststore.type": "PEM",
            f"{of}.ssl.truststore.location": str(certificates.authority),
        }
        if door != "mtls":
            changed |= {
                f"{of}.sasl.enabled.mechanisms": "SCRAM-SHA-512,SCRAM-SHA-256,OAUTHBEARER",
                f"{of}.scram-sha-512.sasl.jaas.config": scram,
                f"{of}.scram-sha-256.sasl.jaas.config": scram,
                f"{of}.oauthbearer.sasl.jaas.config": bearer,
            }
    text = broker_starter.server_properties(directory, ports["BROKER"], ports["CONTROLLER"])
    kept = [line for line in text.splitlines() if line.split("=")[0] not in changed]
    settings = directory / "server.properties"
    settings.write_text("\n".join([*kept, *(f"{n}={v}" for n, v in changed.items()), ""]))
    broker_starter._format(base, directory, settings)
    level = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    process = broker_starter._launch(
        directory, [*base, level, "kafka.Kafka", str(settings)], ports["BROKER"]
    )
    try:
        yield SecuredKafka(
            directory,
            open_brokers=address["BROKER"],
            brokers=address["PLAIN"],
            tls_brokers=address["TLS"],
            mtls_brokers=address["MTLS"],
            expired_brokers=address["EXPIRED"],
            renamed_brokers=address["RENAMED"],
            misled_brokers=address["MISLED"],
            certificates=certificates,
        )
    finally:
        process.stop(grace_s=10)
