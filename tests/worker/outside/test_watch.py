"""Following verdicts, dead letters and alerts."""

import base64
import json
import re
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import typer
from kafka import KafkaProducer
from typer.testing import CliRunner, Result

from deploy.services.kafka import RunningKafka
from tests.topic_names import TopicNames
from tests.waiting import wait_for
from worker.broker.topics import Topics
from worker.commands import stream as cli_stream
from worker.errors import StopError
from worker.events.cloudevents import Origin, OutgoingRecord, RawRecord
from worker.events.dead_letter import DeadLetter
from worker.events.records import Alert, Verdict, outgoing
from worker.outside.watch import describe, watch
from worker.outside.watch_lines import line
from worker.outside.watched import Watched

EXAMPLES = Path(__file__).parents[1] / "events" / "examples"
TOPICS = Topics("t.")
AS_IN_A_TERMINAL = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
"""Tests that run in the background ignore Ctrl-C, and their children inherit that."""

PROGRAM = (
    "import typer; from worker.commands import stream; a = typer.Typer(); stream.contribute(a); a()"
)


def verdict(subject: str, **changes: Any) -> OutgoingRecord:
    document = json.loads((EXAMPLES / "verdict.json").read_text())
    changed = {**document, "subject": subject, "verdict_id": str(uuid.uuid4()), **changes}
    return outgoing(Verdict.model_validate(changed), key=subject.encode())


def dead_letter(subject: bytes) -> OutgoingRecord:
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", b"e-9"),
        ("ce_source", b"/test"),
        ("ce_type", b"latentprint.image.v1"),
        ("ce_subject", subject),
    )
    origin = Origin("images", 2, 17)
    return DeadLetter(
        origin, subject, b"junk", headers, "decode.corrupt", "decode", "no image", attempts=1
    ).outgoing()


def publish(
    kafka: RunningKafka, records: Sequence[tuple[str, OutgoingRecord]], *, commit: bool = True
) -> None:
    """Send all records in one transaction, which is committed or aborted."""
    producer = KafkaProducer(
        bootstrap_servers=kafka.brokers, transactional_id=uuid.uuid4().hex, retry_backoff_ms=10
    )
    try:
        producer.init_transactions()
        producer.begin_transaction()
        futures = [
            producer.send(topic, value=r.value, key=r.key, headers=list(r.headers))
            for topic, r in records
        ]
        for future in futures:
            future.get(timeout=20)
        if commit:
            producer.commit_transaction()
        else:
            producer.abort_transaction()
    finally:
        producer.close(timeout=5)


def run(*arguments: str) -> Result:
    app = typer.Typer()
    cli_stream.contribute(app)
    env = {"LATENTPRINT_STATE": "/nonexistent/services.json"}
    return CliRunner().invoke(app, ["watch", *arguments], env=env)


def lines(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(text) for text in result.stdout.splitlines()]


@contextmanager
def watching(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The command as a process of its own, once it says that it watches."""
    process = subprocess.Popen(
        [sys.executable, "-c", AS_IN_A_TERMINAL + PROGRAM, "watch", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    errors: list[str] = []
    assert process.stderr is not None
    stderr = process.stderr
    reader = threading.Thread(target=lambda: errors.extend(iter(stderr.readline, "")))
    reader.start()
    try:
        wait_for(
            lambda: process.poll() is not None or any("watching" in text for text in errors),
            "`watch` to find its place",
            deadline_s=60,
        )
        assert process.poll() is None, errors
        yield process
    finally:
        process.kill()
        process.wait(timeout=30)
        reader.join(timeout=30)
        if process.stdout is not None:
            process.stdout.close()
        stderr.close()


def test_committed_verdicts_and_dead_letters_are_shown_and_aborted_ones_are_not(
    kafka: RunningKafka, topics: TopicNames
) -> None:
    publish(kafka, [(topics.verdicts, verdict("hidden.jpg"))], commit=False)
    publish(
        kafka,
        [
            (topics.verdicts, verdict("grüße.jpg")),
            (topics.dead_letters, dead_letter(b"caf\xe9.jpg")),
        ],
    )
    shown = lines(
        run(
            "--from-start", "--until-idle", "1", "--json",
            "--brokers", kafka.brokers, "--prefix", topics.prefix,
        )
    )  # fmt: skip
    by_kind = {document["record"]: document for document in shown}
    assert len(shown) == 2
    assert by_kind["verdict"]["subject"] == "grüße.jpg"
    assert by_kind["verdict"].keys() == {"record", *Verdict.model_fields}
    assert by_kind["dead_letter"] == {
        "record": "dead_letter",
        "subject": r"caf\xe9.jpg",
        "subject_base64": base64.b64encode(b"caf\xe9.jpg").decode(),
        "event_id": "e-9",
        "code": "decode.corrupt",
        "reason": "decode.corrupt",
        "stage": "decode",
        "message": "no image",
        "topic": "images",
        "partition": 2,
        "offset": 17,
        "attempts": 1,
    }


def test_without_from_start_only_what_comes_after_ready_is_shown(
    kafka: RunningKafka, topics: TopicNames
) -> None:
    publish(kafka, [(topics.verdicts, verdict("old.jpg"))])
    records = watch(
        kafka.brokers,
        Topics(topics.prefix),
        until_idle_s=30,
        ready=lambda _: publish(kafka, [(topics.verdicts, verdict("new.jpg"))]),
    )
    assert next(records).document["subject"] == "new.jpg"
    records.close()


def test_count_ends_the_command_and_alerts_are_a_stream_of_their_own(
    kafka: RunningKafka, topics: TopicNames
) -> None:
    alert = Alert.model_validate_json((EXAMPLES / "alert.json").read_text())
    records = [(topics.alerts, outgoing(alert, key=b"k"))] * 3
    publish(kafka, [*records, (topics.verdicts, verdict("not asked for.jpg"))])
    shown = lines(
        run(
            "--alerts", "--from-start", "--count", "2", "--json",
            "--brokers", kafka.brokers, "--prefix", topics.prefix,
        )
    )  # fmt: skip
    assert [document["record"] for document in shown] == ["alert", "alert"]
    assert shown[0]["alert_id"] == str(alert.alert_id)


def test_idle_time_counts_from_the_last_record(kafka: RunningKafka, topics: TopicNames) -> None:
    now = 0.0

    def wanted() -> bool:
        nonlocal now
        now += 1.0
        return True

    def clock() -> float:
        return now

    publish(kafka, [(topics.verdicts, verdict("one.jpg"))])
    records = watch(
        kafka.brokers,
        Topics(topics.prefix),
        from_start=True,
        until_idle_s=5.0,
        still_wanted=wanted,
        monotonic=clock,
    )
    next(records)
    now += 1000.0  # time that the reader of the record took is nobody's idleness
    at_record = now
    assert list(records) == []
    assert now - at_record >= 5.0


def test_a_broker_that_goes_away_is_not_taken_for_an_idle_one(
    kafka: RunningKafka, topics: TopicNames
) -> None:
    records = watch(
        kafka.brokers, Topics(topics.prefix), until_idle_s=1.0, ready=lambda _: kafka.kill()
    )
    try:
        with pytest.raises(StopError, match="latentprint services up") as caught:
            list(records)
        assert caught.value.exit_code == 3
    finally:
        kafka.restart()


def test_missing_topics_are_named(kafka: RunningKafka) -> None:
    result = run("--brokers", kafka.brokers, "--prefix", "nobody.")
    assert isinstance(result.exception, StopError)
    assert result.exception.exit_code == 3
    assert "nobody.dead-letters, nobody.verdicts" in str(result.exception)


def test_ctrl_c_ends_the_command_with_130_and_no_traceback(
    kafka: RunningKafka, topics: TopicNames
) -> None:
    with watching("--brokers", kafka.brokers, "--prefix", topics.prefix) as process:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 130


def test_a_reader_that_leaves_ends_the_command_quietly(
    kafka: RunningKafka, topics: TopicNames
) -> None:
    with watching("--brokers", kafka.brokers, "--prefix", topics.prefix) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_verdict_that_cannot_be_read_is_shown_as_such(value: bytes | None) -> None:
    watched = describe(RawRecord(Origin(TOPICS.verdicts, 1, 5), None, value), TOPICS)
    assert watched.kind == "unreadable"
    assert watched.document["offset"] == 5
    assert "unreadable" in line(watched)


def test_a_record_without_reason_among_the_dead_letters_is_unreadable() -> None:
    watched = describe(RawRecord(Origin(TOPICS.dead_letters, 0, 0), None, b"x"), TOPICS)
    assert watched.kind == "unreadable"


def test_fields_of_a_newer_worker_are_passed_on() -> None:
    record = RawRecord(Origin(TOPICS.verdicts, 0, 0), None, b'{"outcome": "x", "new": 1}')
    assert describe(record, TOPICS).document == {"record": "verdict", "outcome": "x", "new": 1}


def plain(watched: Watched) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", line(watched))


def test_readable_lines_name_outcome_flag_subject_model_and_reason() -> None:
    document = json.loads((EXAMPLES / "verdict.json").read_text())
    text = plain(Watched("verdict", document))
    assert text.split() == [
        "attributed", "FLAGGED", "2026/01/café.jpg", "SNGAN", "(CelebA)", "p=0.0005",
        "(attributed.live_model)",
    ]  # fmt: skip
    newer = json.loads((EXAMPLES / "verdict-1.1.json").read_text())
    newer["real_test"]["p_value"] = 0.4  # it did not decide
    assert plain(Watched("verdict", newer)).split()[-4:] == [
        "p=0.0005", "(model_accepts,", "unfamiliar_picture,", "shadow_match:cramergan-celeba)",
    ]  # fmt: skip
    letter = describe(
        RawRecord(Origin(TOPICS.dead_letters, 0, 0), b"k", b"", dead_letter(b"a.jpg").headers),
        TOPICS,
    )
    assert plain(letter).split() == ["dead", "letter", "a.jpg", "decode.corrupt:", "no", "image"]


@pytest.mark.parametrize(
    ("name_p", "share", "outcome", "shown"),
    [
        (0.004, 0.02, "unknown_generator", "p=0.004"),
        (0.5, 0.02, "unknown_generator", "p=0.001"),
        (0.004, 0.2, "unknown_generator", "p=0.001"),
        (0.5, 0.5, "no_evidence", "p=0.001"),
    ],
)
def test_a_line_shows_the_p_value_of_the_test_that_decided(
    name_p: float, share: float, outcome: str, shown: str
) -> None:
    """Of names where those passed both levels, else of the test with nothing registered."""
    document = json.loads((EXAMPLES / "verdict-1.1.json").read_text())
    document["name_test"] |= {"p_value": name_p, "worst_source_share": share}
    document["real_test"]["p_value"] = 0.001
    document |= {"outcome": outcome, "model": None, "family": None, "reasons": []}
    assert plain(Watched("verdict", document)).split()[-1] == shown


def test_a_line_names_the_family_where_no_model_is_named() -> None:
    document = json.loads((EXAMPLES / "verdict-1.1.json").read_text())
    document |= {"outcome": "unknown_generator", "model": None, "reasons": ["models_tie"]}
    assert "family sngan  p=0.0005  (models_tie)" in plain(Watched("verdict", document))


@pytest.mark.parametrize(
    "make",
    [
        lambda text: Watched("verdict", {"outcome": text, "subject": text, "model": text}),
        lambda text: Watched("alert", {"outcome": "attributed", "subject": text}),
        lambda text: Watched("dead_letter", {"subject": text, "code": text, "message": text}),
        lambda text: Watched(
            "unreadable", {"topic": "t", "partition": 0, "offset": 0, "message": text}
        ),
    ],
)
def test_a_sender_cannot_write_control_characters_to_the_terminal(
    make: Callable[[str], Watched],
) -> None:
    text = plain(make("\x1b]0;title\x07\r\n\x9b31m\u202e"))
    assert text.isprintable()
    assert r"\x1b]0;title\x07\r\n" in text
