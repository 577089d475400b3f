"""Looking after dead letters: the list, one letter, redrive and discard."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from kafka import KafkaProducer
from typer.testing import CliRunner, Result

from deploy.services.kafka import RunningKafka
from tests.scenarios import oracle
from tests.topic_names import TopicNames
from worker.broker.rights import DLQ_TRANSACTIONAL_ID
from worker.broker.topics import Topics
from worker.commands import dlq as cli_dlq
from worker.errors import StopError
from worker.events.cloudevents import Origin, RawRecord
from worker.events.dead_letter import DeadLetter, read_dead_letter
from worker.events.redrive import first_record
from worker.outside import dead_letter_queue
from worker.outside.dead_letter_queue import Place, kept_letters, settle

HEADERS = (("ce_specversion", b"1.0"), ("ce_id", b"e-1"), ("x", b"\xff"), ("nothing", None))


def letter(offset: int, code: str = "decode.corrupt", **changes: Any) -> DeadLetter:
    facts: dict[str, Any] = {
        "origin": Origin("images", 2, offset),
        "key": b"k",
        "value": b"junk \x00",
        "headers": HEADERS,
        "code": code,
        "stage": "decode",
        "message": "no image\x1b[31m",
        "attempts": 1,
    }
    return DeadLetter(**(facts | changes))


@pytest.fixture
def names(kafka: RunningKafka, topics: TopicNames) -> TopicNames:
    """Three dead letters: 0:0 and 0:2 are decode.corrupt, 0:1 is too_large without its value."""
    producer = KafkaProducer(bootstrap_servers=kafka.brokers)
    large = letter(8, "too_large", value=b"x" * 9000)
    for record in (letter(7).outgoing(), large.outgoing(5000), letter(9).outgoing()):
        producer.send(
            topics.dead_letters, key=record.key, value=record.value, headers=list(record.headers)
        ).get(timeout=20)
    producer.close()
    return topics


def dlq(kafka: RunningKafka, names: TopicNames, *arguments: str) -> Result:
    app = typer.Typer()
    cli_dlq.contribute(app)
    place = ["--brokers", kafka.brokers, "--prefix", names.prefix]
    env = {"LATENTPRINT_STATE": "/nonexistent/services.json", "COLUMNS": "200"}
    return CliRunner().invoke(app, ["dlq", *arguments, *place], env=env)


def listed(kafka: RunningKafka, names: TopicNames, *arguments: str) -> dict[str, str]:
    """Place -> state."""
    result = dlq(kafka, names, "ls", "--json", *arguments)
    assert result.exit_code == 0, result.output
    return {one["place"]: one["state"] for one in json.loads(result.stdout)["letters"]}


def raw_redrives(kafka: RunningKafka, names: TopicNames) -> list[RawRecord]:
    return [oracle.raw(record) for record in oracle.read(kafka.brokers, names.redrives)]


def test_the_list_shows_what_is_open_and_only_harmless_characters(
    kafka: RunningKafka, names: TopicNames
) -> None:
    assert listed(kafka, names) == {"0:0": "open", "0:1": "open", "0:2": "open"}
    assert listed(kafka, names, "--code", "too_large") == {"0:1": "open"}
    shown = dlq(kafka, names, "ls").stdout
    assert "decode.corrupt" in shown
    assert "\x1b[31m" not in shown
    assert r"no image\x1b[31m" in shown


def test_one_letter_is_shown_with_its_headers_and_saved_byte_for_byte(
    kafka: RunningKafka, names: TopicNames, tmp_path: Path
) -> None:
    saved = tmp_path / "value"
    result = dlq(kafka, names, "show", "0:0", "--json", "--save", str(saved))
    document = json.loads(result.stdout)
    assert (document["code"], document["partition"], document["offset"]) == ("decode.corrupt", 2, 7)
    assert document["headers"][2] == ["x", "\\xff"]
    assert saved.read_bytes() == b"junk \x00"
    assert "header         ce_id: e-1" in dlq(kafka, names, "show", "0:0").stdout


def test_a_redriven_letter_is_the_letter_itself_and_reads_back_as_the_first_event(
    kafka: RunningKafka, names: TopicNames
) -> None:
    result = dlq(kafka, names, "redrive", "0:0", "--by", "ada", "--reason", "mended")
    assert result.exit_code == 0, result.output
    (record,) = raw_redrives(kafka, names)
    assert read_dead_letter(record) == letter(7)
    first = first_record(record, names.redrives)
    assert (first.origin, first.key, first.value) == (Origin("images", 2, 7), b"k", b"junk \x00")
    assert (first.headers, first.attempts) == (HEADERS, 1)
    assert listed(kafka, names) == {"0:1": "open", "0:2": "open"}
    assert listed(kafka, names, "--decided")["0:0"] == "redriven"
    shown = json.loads(dlq(kafka, names, "show", "0:0", "--json").stdout)
    assert (shown["decided_by"], shown["decided_because"]) == ("ada", "mended")
    assert shown["decided_login"] is None, "nobody logs in to this broker"
    table = dlq(kafka, names, "ls", "--decided").stdout.splitlines()
    assert table[0].split()[:5] == ["place", "rejected", "state", "by", "login"]
    assert table[1].split()[2:5] == ["redriven", "ada", "-"]


def test_what_was_decided_is_sent_once_more_only_when_asked(
    kafka: RunningKafka, names: TopicNames
) -> None:
    assert dlq(kafka, names, "redrive", "0:0").exit_code == 0
    again = dlq(kafka, names, "redrive", "0:0", "0:2")
    assert isinstance(again.exception, StopError)
    assert "decided before: 0:0 (redriven)" in str(again.exception)
    assert len(raw_redrives(kafka, names)) == 1
    assert dlq(kafka, names, "redrive", "0:0", "--again").exit_code == 0
    assert len(raw_redrives(kafka, names)) == 2


def test_all_that_is_open_is_redriven_but_what_is_incomplete(
    kafka: RunningKafka, names: TopicNames
) -> None:
    dry = dlq(kafka, names, "redrive", "--all", "--dry-run")
    assert "0:2: would be redriven" in dry.stdout
    assert dry.stdout.endswith("would redrive 2\n")
    assert raw_redrives(kafka, names) == []
    result = dlq(kafka, names, "redrive", "--all")
    assert result.exit_code == 1
    assert "0:1: cannot be redriven, its value did not fit" in result.stderr
    assert "2 redriven" in result.stdout
    assert listed(kafka, names) == {"0:1": "open"}


def test_a_discarded_letter_leaves_the_list_and_needs_a_reason(
    kafka: RunningKafka, names: TopicNames
) -> None:
    unexplained = dlq(kafka, names, "discard", "--code", "decode.corrupt")
    assert isinstance(unexplained.exception, StopError)
    assert "--reason is missing" in str(unexplained.exception)
    result = dlq(kafka, names, "discard", "--code", "decode.corrupt", "--reason", "spam")
    assert result.exit_code == 0, result.output
    assert listed(kafka, names) == {"0:1": "open"}
    assert listed(kafka, names, "--decided")["0:2"] == "discarded"
    assert raw_redrives(kafka, names) == []


def test_two_who_decide_at_once_do_not_both_write(kafka: RunningKafka, names: TopicNames) -> None:
    plain = Topics(names.prefix)
    letters = list(kept_letters(kafka.brokers, plain))

    def letters_with_a_rival() -> Iterator[Any]:
        """Someone else begins once this command has begun."""
        rival = KafkaProducer(
            bootstrap_servers=kafka.brokers,
            transactional_id=f"{names.prefix}{DLQ_TRANSACTIONAL_ID}",
            retry_backoff_ms=10,
        )
        rival.init_transactions()
        rival.close(timeout=5)
        yield letters[0]

    with pytest.raises(StopError, match="at the same time"):
        settle(kafka.brokers, plain, letters_with_a_rival(), action="redriven", by="ada", reason="")
    assert raw_redrives(kafka, names) == []
    assert {kept.state for kept in kept_letters(kafka.brokers, plain)} == {"open"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["redrive"], "say which: PLACE"),
        (["redrive", "0:0", "--all"], "say which: PLACE"),
        (["redrive", "0-0"], "expected PARTITION:OFFSET"),
        (["show", "0:99"], "holds no dead letter at 0:99"),
    ],
)
def test_wrong_use_is_told(
    kafka: RunningKafka, names: TopicNames, arguments: list[str], message: str
) -> None:
    assert message in str(dlq(kafka, names, *arguments).exception)


def test_places_are_read_as_they_are_written() -> None:
    assert str(Place.parse("3:41")) == "3:41"


def test_only_the_topic_of_redrives_is_trusted_with_another_place() -> None:
    outgoing = letter(7).outgoing()
    own = Origin(f"{uuid.uuid4()}", 0, 0)
    record = RawRecord(own, outgoing.key, outgoing.value, outgoing.headers)
    assert first_record(record, "redrives") is record
    other = RawRecord(Origin("redrives", 0, 0), b"k", b"no letter", ())
    assert first_record(other, "redrives") is other


@pytest.mark.parametrize("command", ["redrive", "discard"])
def test_a_place_that_is_none_is_refused_before_kafka_is_asked(command: str) -> None:
    app = typer.Typer()
    cli_dlq.contribute(app)
    arguments = [command, "x:y", "--reason", "seen", "--brokers", "127.0.0.1:1"]
    result = CliRunner().invoke(app, ["dlq", *arguments])
    assert isinstance(result.exception, StopError)
    assert result.exception.exit_code == 2
    assert "'x:y' is no place of a dead letter; expected PARTITION:OFFSET" in str(result.exception)


def test_a_letter_above_the_limit_is_named_and_the_others_go_on(
    kafka: RunningKafka, names: TopicNames
) -> None:
    producer = KafkaProducer(bootstrap_servers=kafka.brokers, max_request_size=2**20)
    large = letter(10, value=b"x" * 300_000).outgoing()
    producer.send(
        names.dead_letters, key=large.key, value=large.value, headers=list(large.headers)
    ).get(timeout=20)
    producer.close()
    plain = Topics(names.prefix)
    refused: list[str] = []
    count = settle(
        kafka.brokers,
        plain,
        [kept for kept in kept_letters(kafka.brokers, plain) if not kept.omitted],
        action="redriven",
        by="ada",
        reason="",
        max_image_bytes=1024,
        refused=lambda kept, why: refused.append(str(kept.place)),
    )
    assert (count, refused) == (2, ["0:3"])
    assert listed(kafka, names) == {"0:1": "open", "0:3": "open"}
    assert dlq(kafka, names, "redrive", "0:3").exit_code == 0


def test_one_letter_is_sought_and_no_other_is_read(
    kafka: RunningKafka, names: TopicNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def noting(record: RawRecord) -> DeadLetter:
        read.append(record.origin.offset)
        return read_dead_letter(record)

    monkeypatch.setattr(dead_letter_queue, "read_dead_letter", noting)
    found = kept_letters(kafka.brokers, Topics(names.prefix), places=[Place(0, 2), Place(7, 0)])
    assert [(kept.place, kept.letter) for kept in found] == [(Place(0, 2), letter(9))]
    assert read == [2]


def test_the_list_in_a_pipe_has_one_whole_line_a_letter(
    kafka: RunningKafka, names: TopicNames, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    heading, *lines = dlq(kafka, names, "ls").stdout.splitlines()
    assert heading.split() == ["place", "rejected", "state", "code", "tries", "subject", "message"]
    assert [line.split()[0] for line in lines] == ["0:0", "0:1", "0:2"]
    assert all("decode.corrupt" in line or "too_large" in line for line in lines)
