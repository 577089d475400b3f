"""A right that is missing, a wrong password, a wrong port: named, with the remedy, exit code 2."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from kafka import KafkaProducer
from kafka.errors import (
    GroupAuthorizationFailedError,
    InconsistentGroupProtocolError,
    InvalidSessionTimeoutError,
    KafkaConnectionError,
    KafkaError,
    TopicAuthorizationFailedError,
    TransactionalIdAuthorizationFailedError,
)

from tests.scenarios import oracle
from tests.scenarios.harness import DARK, Event, Run, WorkerProcess, running
from tests.topic_names import TopicNames
from tests.worker.broker.secured import SecuredKafka
from worker.broker.admin import admin, require_topics, until_answered
from worker.broker.group_floor import read_floor
from worker.broker.refusals import Who, refusal_of
from worker.broker.rights import role
from worker.broker.topic_creation import create_topics
from worker.broker.topics import Topics
from worker.errors import StopError
from worker.events.cloudevents import Origin
from worker.events.dead_letter import DeadLetter
from worker.outside.dead_letter_queue import kept_letters, settle
from worker.outside.watch import watch
from worker.settings.kafka import KafkaSettings
from worker.settings.settings import Settings
from worker.stream.start_checks import check_start

PREFIX = "sec."
TOPICS = Topics(PREFIX)
GROUP = "secured"


@pytest.fixture(scope="module")
def secured(secured_broker: SecuredKafka) -> SecuredKafka:
    create_topics(secured_broker.open_brokers, TOPICS, partitions=1)
    return secured_broker


@pytest.fixture
def least(secured: SecuredKafka) -> SecuredKafka:
    """The user `worker` has exactly the least rights, until the test takes one."""
    secured.allow("worker", role("worker", PREFIX, GROUP).rights)
    return secured


def settings_for(broker: SecuredKafka, user: str = "worker", password: str = "secret") -> Settings:
    return Settings(
        profile="local",
        kafka=KafkaSettings.model_validate(
            {
                "brokers": broker.brokers,
                "prefix": PREFIX,
                "group": GROUP,
                "security": "SASL_PLAINTEXT",
                "sasl_mechanism": "PLAIN",
                "sasl_username": user,
                "sasl_password": password,
            }
        ),
    )


def test_the_least_rights_that_the_page_lists_pass_every_check(least: SecuredKafka) -> None:
    warnings: list[str] = []
    facts = check_start(settings_for(least), warnings.append)
    assert facts.lacking == ()
    assert any("not checked" in one and "transaction.max.timeout" in one for one in warnings)


@pytest.mark.parametrize(
    ("kind", "name", "operation", "prefixed", "said"),
    [
        ("TOPIC", "sec.images", "READ", False, "no READ on topic sec.images"),
        ("TOPIC", "sec.redrives", "READ", False, "no READ on topic sec.redrives"),
        ("TOPIC", "sec.verdicts", "WRITE", False, "no WRITE on topic sec.verdicts"),
        ("TOPIC", "sec.alerts", "WRITE", False, "no WRITE on topic sec.alerts"),
        ("TOPIC", PREFIX, "DESCRIBE_CONFIGS", True, "no DESCRIBE_CONFIGS on topic sec.images"),
        ("GROUP", GROUP, "READ", False, "no READ on group secured"),
        (
            "TOPIC",
            "sec.dead-letter-decisions",
            "DESCRIBE",
            False,
            "no DESCRIBE on topic sec.dead-letter-decisions",
        ),
    ],
)
def test_a_right_that_is_missing_is_named_at_once(
    least: SecuredKafka, kind: str, name: str, operation: str, prefixed: bool, said: str
) -> None:
    least.take("worker", kind, name, operation, prefixed=prefixed)
    began = time.monotonic()
    with pytest.raises(StopError, match=said) as refused:
        until_denied(lambda: check_start(settings_for(least), lambda warning: None))
    assert refused.value.exit_code == 2
    assert "User:worker has no" in str(refused.value)
    assert "kafka-acls.sh --bootstrap-server" in str(refused.value)
    assert time.monotonic() - began < 15.0


def until_denied(check: Callable[[], object]) -> None:
    """Rights spread within a moment; ask until they are taken."""
    end = time.monotonic() + 5.0
    while time.monotonic() < end:
        check()


def test_a_wrong_password_is_no_outage(least: SecuredKafka) -> None:
    began = time.monotonic()
    with pytest.raises(StopError, match=r"password") as refused:
        check_start(settings_for(least, password="wrong"), lambda warning: None)
    assert refused.value.exit_code == 2
    assert time.monotonic() - began < 6.0


def test_a_mechanism_that_is_not_offered_is_a_setting(least: SecuredKafka) -> None:
    client = least.options() | {"sasl_mechanism": "SCRAM-SHA-512"}
    with (
        pytest.raises(StopError, match=r"kafka\.sasl_mechanism") as refused,
        admin(least.brokers, client=client),
    ):
        pass
    assert refused.value.exit_code == 2


def test_watch_and_dlq_without_rights_do_not_say_that_all_is_well(secured: SecuredKafka) -> None:
    client = secured.options("nobody")
    for read in (
        lambda: list(
            watch(secured.brokers, TOPICS, from_start=True, until_idle_s=0, client=client)
        ),
        lambda: list(kept_letters(secured.brokers, TOPICS, client=client)),
    ):
        with pytest.raises(StopError, match=r"User:nobody has no READ on topic sec\.") as denied:
            read()
        assert denied.value.exit_code == 2


def test_a_decision_says_by_whom_kafka_knew_who_made_it(secured: SecuredKafka) -> None:
    for right in role("dlq", PREFIX).rights:
        kind = right.kind.upper().replace(" ", "_")
        secured.give("reader", kind, right.name, *right.operations, prefixed=right.prefixed)
    origin = Origin(TOPICS.images, 0, 7)
    rejected = DeadLetter(
        origin=origin,
        key=b"k",
        value=b"junk",
        headers=(),
        code="decode.corrupt",
        stage="decode",
        message="no image",
        attempts=1,
    ).outgoing()
    producer = KafkaProducer(bootstrap_servers=secured.open_brokers)
    headers = list(rejected.headers)
    producer.send(TOPICS.dead_letters, rejected.value, rejected.key, headers).get(timeout=20)
    producer.close()
    client = secured.options("reader")
    letters = kept_letters(secured.brokers, TOPICS, client=client)
    who = {"action": "discarded", "by": "ada", "reason": "test"}
    settle(secured.brokers, TOPICS, letters, client=client, **who)  # type: ignore[arg-type]
    (kept,) = kept_letters(secured.brokers, TOPICS, client=client)
    assert kept.decision is not None
    assert (kept.decision.by, kept.decision.login) == ("ada", "reader")


def test_a_topic_that_may_only_be_described_is_not_read(secured: SecuredKafka) -> None:
    secured.give("reader", "TOPIC", TOPICS.verdicts, "DESCRIBE")
    who = Who.by(secured.brokers, secured.options("reader"))

    def described() -> None:
        with admin(secured.brokers, client=secured.options("reader")) as connection:
            require_topics(connection, [TOPICS.verdicts], who, "DESCRIBE")
            require_topics(connection, [TOPICS.verdicts], who, "READ")

    with pytest.raises(StopError, match=r"User:reader has no READ on topic sec\.verdicts"):
        described()


def worker_of(run: Run, session_timeout_s: str = "6") -> WorkerProcess:
    return run.worker(
        PROFILE="local",
        KAFKA__SECURITY="SASL_PLAINTEXT",
        KAFKA__SASL_MECHANISM="PLAIN",
        KAFKA__SASL_USERNAME="worker",
        KAFKA__SASL_PASSWORD="secret",
        KAFKA__SESSION_TIMEOUT_S=session_timeout_s,
    )


@pytest.fixture
def run(least: SecuredKafka, redis_url: str, tmp_path: Path) -> Iterator[Run]:
    run = Run(least.open_brokers, redis_url, TopicNames(PREFIX), tmp_path, group=GROUP)
    run.worker_brokers = least.brokers
    yield run
    for worker in run.workers:
        worker.kill()


def test_a_worker_judges_with_the_least_rights_and_stops_when_one_is_withdrawn(
    run: Run, least: SecuredKafka
) -> None:
    run.put([Event(DARK)])
    with running(worker_of(run)) as worker:
        run.wait_drained()
        least.take("worker", "TOPIC", TOPICS.verdicts, "WRITE")
        run.put([Event(DARK)])
        assert worker.wait_ended(30.0) == 2
        assert "User:worker has no" in worker.log.read_text()
        assert "sec.verdicts" in worker.log.read_text()
    assert len(oracle.find(run.brokers, run.topics).verdicts) >= 1


def test_a_denied_transactional_id_is_a_setting(run: Run, least: SecuredKafka) -> None:
    least.take("worker", "TRANSACTIONAL_ID", f"{GROUP}-", "WRITE", "DESCRIBE", prefixed=True)
    worker = worker_of(run)
    assert worker.wait_ended(60.0) == 2
    assert "transactional id secured-0" in worker.log.read_text()


def test_a_session_that_the_broker_does_not_take_is_a_setting(run: Run) -> None:
    worker = worker_of(run, "2400")
    assert worker.wait_ended(60.0) == 2
    assert "group.max.session.timeout.ms" in worker.log.read_text()


def test_the_floor_is_a_matter_of_rights_too(least: SecuredKafka) -> None:
    with pytest.raises(StopError, match="has no READ on group other") as refused:
        read_floor(settings_for(least).kafka.model_copy(update={"group": "other"}), "5c" * 32)
    assert refused.value.exit_code == 2


# Without a broker -------------------------------------------------------------------------

WHO = Who("kafka.example:9093", "SASL_SSL", "PLAIN", "worker", "g", "g-0")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TopicAuthorizationFailedError({"images"}), "on topic images"),
        (GroupAuthorizationFailedError(), "no READ on group g"),
        (TransactionalIdAuthorizationFailedError(), "WRITE and DESCRIBE on transactional id g-0"),
        (InvalidSessionTimeoutError(), r"kafka\.session_timeout_s"),
        (InconsistentGroupProtocolError(), "another program is a member of group 'g'"),
    ],
)
def test_a_refusal_is_found_inside_what_the_client_makes_of_it(error: Exception, said: str) -> None:
    wrapped = KafkaError("the producer is in an error state")
    wrapped.__cause__ = error
    for one in (error, KafkaError(error), wrapped):
        refusal = refusal_of(one, WHO)
        assert refusal is not None
        assert refusal.exit_code == 2
        with pytest.raises(StopError, match=said):
            raise refusal


def test_an_outage_is_none() -> None:
    assert refusal_of(KafkaConnectionError("111 ECONNREFUSED"), WHO) is None


def test_what_may_pass_is_asked_again_until_the_time_is_over() -> None:
    asked: list[int] = []

    def call() -> str:
        asked.append(1)
        if len(asked) < 3:
            raise KafkaConnectionError("the node died")
        return "answer"

    assert until_answered(call, 5.0) == "answer"
    with pytest.raises(KafkaConnectionError):
        until_answered(lambda: (_ for _ in ()).throw(KafkaConnectionError("away")), 0.0)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With authorities of their own: `good` and `other` for this machine, `name` for another."""
    folder = tmp_path_factory.mktemp("certificates")
    for name, place in (("good", "127.0.0.1"), ("other", "127.0.0.1"), ("name", "away.example")):
        authority = trustme.CA()
        issued = authority.issue_cert(place)
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
        authority.cert_pem.write_to_path(folder / f"{name}.pem", append=True)
        issued.private_key_pem.write_to_path(folder / f"{name}.key")
    return folder


def listen(answer: bytes = b"", certificate: Path | None = None) -> int:
    """A server that is none of Kafka's; returns its port."""
    server = socket.create_server(("127.0.0.1", 0))
    context = None
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))

    def serve() -> None:
        while True:
            connection, _ = server.accept()
            try:
                if context is not None:
                    connection = context.wrap_socket(connection, server_side=True)
                connection.recv(100)
                connection.sendall(answer)
                if answer:
                    connection.recv(100)
            except OSError:
                pass
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    return int(server.getsockname()[1])


@pytest.mark.parametrize(
    ("served", "trusted", "said"),
    [
        ("other", "good", "not signed by the authority in kafka.tls_ca_file"),
        ("name", "name", "certificate is for another host name"),
        (None, "good", "no TLS could be spoken"),
    ],
)
def test_what_is_wrong_with_tls_is_said(
    certificates: Path, served: str | None, trusted: str, said: str
) -> None:
    port = listen(certificate=certificates / f"{served}.pem" if served else None)
    client = {"security_protocol": "SSL", "ssl_cafile": str(certificates / f"{trusted}.pem")}
    with (
        pytest.raises(StopError, match=said) as refused,
        admin(f"127.0.0.1:{port}", client=client),
    ):
        pass
    assert refused.value.exit_code == 2
    assert "services up" not in str(refused.value)


def test_the_port_of_another_service_is_told_from_an_outage() -> None:
    port = listen(b"-ERR unknown command\r\n")
    with pytest.raises(StopError, match="no Kafka listener") as refused, admin(f"127.0.0.1:{port}"):
        pass
    assert refused.value.exit_code == 2


def test_a_closed_port_says_so_and_advises_local_services_only_on_this_machine() -> None:
    with (
        pytest.raises(StopError, match=r"nothing listens there.*services up") as away,
        admin("127.0.0.1:1", timeout_s=1.0),
    ):
        pass
    assert away.value.exit_code == 3
    with (
        pytest.raises(StopError, match="the host name is not known") as away,
        admin("no.such.host.invalid:9092", timeout_s=1.0),
    ):
        pass
    assert "services up" not in str(away.value)


def test_a_file_that_is_no_authority_is_refused_when_settings_are_loaded(tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificate")
    for path in (tmp_path / "none.pem", junk):
        with pytest.raises(ValueError, match="expected a PEM file of certificates"):
            KafkaSettings(tls_ca_file=path)
