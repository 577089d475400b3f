"""TLS and logins on a real broker: every way in, what is wrong with it in words, what turns."""

import base64
import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

import worker.broker.admin
from fingerprint_db.settings_sources import SecretFile
from tests.certificates import Certificates, encrypted_key
from tests.waiting import wait_for
from tests.worker.broker.secured import PASSWORD, SecuredKafka
from worker.broker.acls import Right
from worker.broker.admin import admin
from worker.broker.clients import connection, new_sender
from worker.broker.topic_creation import create_topics
from worker.broker.topics import Topics
from worker.errors import StopError
from worker.program import main
from worker.settings.kafka import KafkaSettings

TOPICS = Topics("wires.")
USER = "wire"


@pytest.fixture(scope="module")
def broker(secured_broker: SecuredKafka) -> SecuredKafka:
    create_topics(secured_broker.open_brokers, TOPICS, partitions=1)
    secured_broker.add_user(USER)
    secured_broker.allow(USER, [WRITES])
    return secured_broker


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most that is wrong is heard in half a second; twenty tests need not wait for a whole one."""
    monkeypatch.setattr(worker.broker.admin, "TRIES_S", (0.5, 1.0, 2.0))


WRITES = Right("topic", TOPICS.images, ("WRITE",))


def scram(broker: SecuredKafka, **changed: Any) -> dict[str, Any]:
    return {
        "brokers": broker.tls_brokers,
        "security": "SASL_SSL",
        "sasl_username": USER,
        "sasl_password": SecretStr(PASSWORD),
        "tls_ca_file": broker.certificates.authority,
        **changed,
    }


def certified(broker: SecuredKafka, **changed: Any) -> dict[str, Any]:
    return {
        "brokers": broker.mtls_brokers,
        "security": "SSL",
        "tls_ca_file": broker.certificates.authority,
        "tls_cert_file": broker.certificates.client(USER),
        **changed,
    }


def bearer(broker: SecuredKafka, token: SecretStr) -> dict[str, Any]:
    return {
        "brokers": broker.tls_brokers,
        "security": "SASL_SSL",
        "sasl_mechanism": "OAUTHBEARER",
        "sasl_oauth_token": token,
        "tls_ca_file": broker.certificates.authority,
    }


def token(subject: str, lasts_s: float = 600.0) -> str:
    """As the broker's own validator for development takes it: unsigned."""
    now = time.time()
    parts = ({"alg": "none"}, {"sub": subject, "iat": now - 1, "exp": now + lasts_s})
    coded = (base64.urlsafe_b64encode(json.dumps(part).encode()).decode() for part in parts)
    return ".".join([*(part.rstrip("=") for part in coded), ""])


def client_of(settings: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    kafka = KafkaSettings(**settings)
    client = connection(kafka)
    del client["bootstrap_servers"]
    return kafka.brokers, client


def seen(settings: Mapping[str, Any]) -> set[str]:
    """The topics that one sees who comes in so."""
    brokers, client = client_of(settings)
    with admin(brokers, client=client) as cluster:
        return set(cluster.list_topics())


def sees_one_topic(settings: Mapping[str, Any]) -> bool:
    return seen(settings) == {TOPICS.images}


# The ways in ------------------------------------------------------------------------------


def test_a_password_a_certificate_and_a_token_open_the_door(
    broker: SecuredKafka, tmp_path: Path
) -> None:
    subject = f"CN={USER},OU=tests,O=tests"
    broker.allow(subject, [WRITES])
    broker.allow("bearer", [WRITES])
    locked = encrypted_key(broker.certificates.client("locked"), "hunter2")
    broker.allow("CN=locked,OU=tests,O=tests", [WRITES])
    file = tmp_path / "token"
    file.write_text(token("bearer"))
    ways = [
        scram(broker),
        certified(broker),
        certified(
            broker,
            tls_cert_file=broker.certificates.folder / "client-locked.pem",
            tls_key_file=locked,
            tls_key_password=SecretStr("hunter2"),
        ),
        bearer(broker, SecretFile(file)),
    ]
    for way in ways:
        wait_for(partial(sees_one_topic, way), f"{way} to see the topic")


# What is wrong ----------------------------------------------------------------------------


def refusal(settings: Mapping[str, Any]) -> str:
    began = time.monotonic()
    with pytest.raises(StopError) as refused:
        seen(settings)
    assert refused.value.exit_code == 2, refused.value
    assert time.monotonic() - began < 10.0
    return str(refused.value)


def wrong_ways(
    broker: SecuredKafka, foreign: Certificates
) -> dict[str, tuple[dict[str, Any], str]]:
    """What is wrong, the settings, and what must be said."""
    made = broker.certificates
    plain = {"brokers": broker.open_brokers}
    no_tls = {"security": "SASL_PLAINTEXT", "tls_ca_file": None}
    return {
        "the authority of somebody else": (
            scram(broker, tls_ca_file=made.stranger),
            "its certificate is not signed by the authority in kafka.tls_ca_file",
        ),
        "no authority, and the system's do not know it": (
            scram(broker, tls_ca_file=None),
            "give yours as kafka.tls_ca_file",
        ),
        "a certificate that has expired": (
            scram(broker, brokers=broker.expired_brokers),
            "its certificate is not valid now",
        ),
        "a certificate for another host": (
            scram(broker, brokers=broker.renamed_brokers),
            "its certificate is for another host name",
        ),
        "a wrong password": (
            scram(broker, sasl_password=SecretStr("hunter2")),
            f"the password of user '{USER}' by SCRAM-SHA-512; check kafka.sasl_username",
        ),
        "a user who is unknown": (
            scram(broker, sasl_username="nobody-here"),
            "the password of user 'nobody-here'",
        ),
        "a token that has run out": (
            bearer(broker, SecretStr(token("wire", lasts_s=-0.5))),
            "the token of wire by OAUTHBEARER; see that it is current",
        ),
        "a token that is none": (
            bearer(broker, SecretStr("hunter2.hunter2.")),
            "the token of this user by OAUTHBEARER; see that it is current",
        ),
        "no certificate where one is wanted": (
            certified(broker, tls_cert_file=None),
            "it wants a certificate of ours",
        ),
        "our certificate has expired": (
            certified(broker, tls_cert_file=made.client("old", ended=True)),
            "it does not take our certificate",
        ),
        "our certificate is of another authority": (
            certified(broker, tls_cert_file=foreign.client(USER)),
            "it does not take our certificate",
        ),
        "TLS to a listener without": (
            plain | {"security": "SSL", "tls_ca_file": made.authority},
            "kafka.security=SSL wants a TLS listener, and this one may be PLAINTEXT",
        ),
        "plaintext to a listener with TLS": (
            {"brokers": broker.mtls_brokers},
            "speaks TLS, and kafka.security=PLAINTEXT does not: set SSL",
        ),
        "a login without TLS to a listener with it": (
            scram(broker, **no_tls),
            "speaks TLS, and kafka.security=SASL_PLAINTEXT does not: set SASL_SSL",
        ),
        "no login where one is wanted": (
            {"brokers": broker.brokers},
            "as a listener does that wants a login: kafka.security=PLAINTEXT sends none",
        ),
        "TLS without the login that is wanted": (
            scram(broker, security="SSL", sasl_username=None, sasl_password=None),
            "kafka.security=SSL sends none; set SASL_SSL",
        ),
        "a login where none is taken": (
            scram(broker, **no_tls, brokers=broker.open_brokers),
            "this listener takes no login",
        ),
    }


WRONG = (
    "the authority of somebody else",
    "no authority, and the system's do not know it",
    "a certificate that has expired",
    "a certificate for another host",
    "a wrong password",
    "a user who is unknown",
    "a token that has run out",
    "a token that is none",
    "no certificate where one is wanted",
    "our certificate has expired",
    "our certificate is of another authority",
    "TLS to a listener without",
    "plaintext to a listener with TLS",
    "a login without TLS to a listener with it",
    "no login where one is wanted",
    "TLS without the login that is wanted",
    "a login where none is taken",
)


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_with_the_wire_is_said_with_the_setting_to_look_at(
    broker: SecuredKafka, tmp_path: Path, what: str
) -> None:
    ways = wrong_ways(broker, Certificates.in_folder(tmp_path))
    assert tuple(ways) == WRONG
    settings, said = ways[what]
    message = refusal(settings)
    assert said in message
    assert "hunter2" not in message
    assert "services up" not in message


def test_a_command_ends_with_2_and_one_sentence(
    broker: SecuredKafka, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LATENTPRINT_KAFKA__SECURITY", "SSL")
    monkeypatch.setenv("LATENTPRINT_KAFKA__TLS_CA_FILE", str(broker.certificates.stranger))
    for command in (["topics", "create"], ["dlq", "ls"]):
        assert main([*command, "--brokers", broker.mtls_brokers]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: Kafka at {broker.mtls_brokers}: its certificate is not")


# What turns -------------------------------------------------------------------------------


def sends_on(broker: SecuredKafka, settings: Mapping[str, Any], turn: Callable[[], None]) -> bool:
    """Whether a client that has sent sends again after `turn`, once its connections are cut."""
    brokers, client = client_of(settings)
    producer = new_sender(brokers, client, max_request_bytes=1000, request_s=5.0, delivery_s=10.0)
    manager = producer._sender._client._manager

    async def cut() -> None:
        for one in list(manager._conns.values()):
            one.close()

    try:
        first = producer.send(TOPICS.images, b"before").get(timeout=15).offset
        turn()
        done = manager.call_soon(cut)
        manager._net.wakeup()
        wait_for(lambda: done.is_done, "the connections to be cut")
        return bool(producer.send(TOPICS.images, b"after").get(timeout=15).offset > first)
    finally:
        producer.discard(1.0)


def withdrawn(broker: SecuredKafka, user: str, settings: Mapping[str, Any]) -> None:
    """Take the user's right, and wait until the broker knows."""
    broker.take(user, "TOPIC", TOPICS.images, "WRITE")
    wait_for(lambda: TOPICS.images not in seen(settings), f"the right of {user} to be gone")


def given(broker: SecuredKafka, user: str, settings: Mapping[str, Any]) -> None:
    """Give the user the right to write, and wait until the broker knows."""
    broker.allow(user, [WRITES])
    wait_for(lambda: TOPICS.images in seen(settings), f"the right of {user}")


def test_a_password_that_turns_is_used_for_the_next_connection(
    broker: SecuredKafka, tmp_path: Path
) -> None:
    broker.add_user("turning", "first")
    file = tmp_path / "password"
    file.write_text("first\n")
    settings = scram(broker, sasl_username="turning", sasl_password=SecretFile(file))
    given(broker, "turning", settings)

    def turn() -> None:
        broker.add_user("turning", "second")
        assert "the password of user 'turning'" in refusal(settings), "the old one is void"
        file.write_text("second\n")

    assert sends_on(broker, settings, turn)


def test_a_certificate_that_turns_is_used_for_the_next_connection(
    broker: SecuredKafka, tmp_path: Path
) -> None:
    made, file = broker.certificates, tmp_path / "own.pem"
    first = certified(broker, tls_cert_file=made.client("first"))
    second = certified(broker, tls_cert_file=made.client("second"))
    given(broker, "CN=first,OU=tests,O=tests", first)
    given(broker, "CN=second,OU=tests,O=tests", second)
    file.write_bytes(made.client("first").read_bytes())

    def turn() -> None:
        withdrawn(broker, "CN=first,OU=tests,O=tests", first)
        file.write_bytes(made.client("second").read_bytes())

    assert sends_on(broker, certified(broker, tls_cert_file=file), turn)


def test_a_token_that_turns_is_used_for_the_next_connection(
    broker: SecuredKafka, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    first = bearer(broker, SecretStr(token("first")))
    given(broker, "first", first)
    given(broker, "second", bearer(broker, SecretStr(token("second"))))
    file.write_text(token("first"))

    def turn() -> None:
        withdrawn(broker, "first", first)
        file.write_text(token("second"))

    assert sends_on(broker, bearer(broker, SecretFile(file)), turn)
