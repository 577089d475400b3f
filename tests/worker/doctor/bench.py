"""Real services in good order, on which a test, or a measurement, seeds one fault at a time."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import redis
import trustme
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient

from deploy.services.ports import LOOPBACK
from deploy.services.redis import RunningRedis, start_redis
from fingerprint_db.redis_store.registry import RedisRegistry
from tests.fingerprint_db.redis_store import fake_servers
from tests.fingerprint_db.samples import model
from tests.worker.broker.secured import SecuredKafka, secured_kafka
from worker.broker.topic_creation import create_topics
from worker.broker.topics import Topics
from worker.doctor.registry import space_of
from worker.extractor.document import default_bundle_path

PREFIX, GROUP = "doctor.", "doctor"
SPACE = space_of(default_bundle_path()) or ""
_PREFIXES = count()


@dataclass
class Bench:
    """A secured Kafka with our topics, and a Redis whose database 0 holds a registry in order.

    `undo` takes back what a fault has changed; `env` are the variables of a program in good order.
    """

    kafka: SecuredKafka
    redis: RunningRedis
    folder: Path
    undo: ExitStack = field(default_factory=ExitStack)

    @property
    def env(self) -> dict[str, str]:
        """What reaches these services, by the door that asks for no name."""
        return {
            "LATENTPRINT_STATE": str(self.folder / "none.json"),
            "LATENTPRINT_KAFKA__BROKERS": self.kafka.open_brokers,
            "LATENTPRINT_KAFKA__PREFIX": PREFIX,
            "LATENTPRINT_KAFKA__GROUP": GROUP,
            "LATENTPRINT_REDIS__URL": self.redis.url,
        }

    def own_topics(self, **plan: Any) -> Topics:
        """Topics of this fault alone, one partition each."""
        topics = Topics(f"doctor-{next(_PREFIXES)}.")
        create_topics(self.kafka.open_brokers, topics, partitions=1, **plan)
        return topics

    def named(self, user: str = "worker", password: str = "secret") -> dict[str, str]:
        """Through the door that asks for a name."""
        return {
            "LATENTPRINT_PROFILE": "local",
            "LATENTPRINT_KAFKA__BROKERS": self.kafka.brokers,
            "LATENTPRINT_KAFKA__SECURITY": "SASL_PLAINTEXT",
            "LATENTPRINT_KAFKA__SASL_MECHANISM": "PLAIN",
            "LATENTPRINT_KAFKA__SASL_USERNAME": user,
            "LATENTPRINT_KAFKA__SASL_PASSWORD": password,
        }

    @contextmanager
    def admin(self) -> Iterator[KafkaAdminClient]:
        """An administrator of Kafka."""
        client = KafkaAdminClient(bootstrap_servers=self.kafka.open_brokers)
        try:
            yield client
        finally:
            client.close()

    def producer(self, **options: Any) -> KafkaProducer:
        """Closed when the fault is taken back."""
        sender = KafkaProducer(bootstrap_servers=self.kafka.open_brokers, **options)
        self.undo.callback(sender.close, timeout=1)
        return sender

    def client(self, database: int = 0) -> Any:
        """A client of Redis, closed when the fault is taken back."""
        client = redis.Redis.from_url(f"redis://{LOOPBACK}:{self.redis.port}/{database}")
        self.undo.callback(client.close)
        return client

    def silent_port(self) -> int:
        """A port that takes connections and never says a word."""
        server = socket.create_server((LOOPBACK, 0))
        self.undo.callback(server.close)
        return int(server.getsockname()[1])

    def behind_tls(self, port: int, *, days: float) -> tuple[int, Path]:
        """(a port with TLS before a service, its authority); the certificate ends in `days`."""
        authority = trustme.CA()
        now = datetime.now(UTC)
        issued = authority.issue_cert(
            LOOPBACK, not_before=now - timedelta(days=30), not_after=now + timedelta(days=days)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued.configure_cert(context)
        file = self.folder / f"authority-{time.monotonic_ns()}.pem"
        authority.cert_pem.write_to_path(file)
        served = self.undo.enter_context(
            fake_servers.server(fake_servers.behind_tls(context, port))
        )
        return served, file


@contextmanager
def bench(folder: Path) -> Iterator[Bench]:
    """Start both services and put them in good order."""
    with secured_kafka(folder / "kafka") as kafka, start_redis(folder / "redis") as server:
        create_topics(kafka.open_brokers, Topics(PREFIX), partitions=1)
        registry = RedisRegistry(server.url)
        registry.register(model("a", space=SPACE), by="ada", reason="test")
        registry.close()
        yield Bench(kafka, server, folder)
