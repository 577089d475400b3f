"""Submitting files: what is sent, what is not, and what is said about both."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from kafka.errors import KafkaTimeoutError, MessageSizeTooLargeError
from typer.testing import CliRunner, Result

from deploy.services.kafka import RunningKafka
from tests.topic_names import TopicNames
from tests.worker.broker.reading import read_all
from worker.broker.admin import admin
from worker.commands import stream as cli_stream
from worker.enrol.image_files import ImageFile, SkippedFile, UnreadablePath, find_image_files
from worker.errors import StopError
from worker.events.cloudevents import Origin, RawRecord, subject_bytes
from worker.events.image_event import ImageEvent, parse_image_event
from worker.outside.submit import Delivery, Pace, Summary, submit
from worker.references.files import read_file
from worker.references.targets import FileTarget, Rules, target_of
from worker.settings.references import ReferenceSettings

NO_STATE = {"LATENTPRINT_STATE": "/nonexistent/services.json"}


def run(*arguments: str) -> Result:
    app = typer.Typer()
    cli_stream.contribute(app)
    return CliRunner().invoke(app, [*arguments], env=NO_STATE)


def events(kafka: RunningKafka, topic: str) -> list[ImageEvent]:
    return [
        parse_image_event(
            RawRecord(Origin(r.topic, r.partition, r.offset), r.key, r.value, tuple(r.headers))
        )
        for r in read_all(kafka.brokers, topic)
    ]


def write(path: bytes | Path, content: bytes = b"\xff\xd8") -> None:
    raw = os.fsencode(path)
    os.makedirs(os.path.dirname(raw), exist_ok=True)
    with open(raw, "wb") as stream:
        stream.write(content)


def subjects(folder: Path) -> list[bytes]:
    return [f.subject for f in find_image_files([folder]) if isinstance(f, ImageFile)]


def test_every_image_arrives_once_byte_for_byte_under_its_name(
    kafka: RunningKafka, topics: TopicNames, tmp_path: Path
) -> None:
    folder = tmp_path / "photos"
    names = {
        b"b.JPG": b"\xff\xd8 one",
        b"with space/\xc3\xbcml\xc3\xa4ut.png": b"\x89PNG two",
        b"bytes/caf\xe9.webp": b"RIFF three",
        b"empty.jpeg": b"",
        b"large.jpg": os.urandom(3_000_000),
    }
    for name, content in names.items():
        write(os.path.join(os.fsencode(folder), name), content)
    write(folder / "notes.txt")
    summary = submit([folder], brokers=kafka.brokers, topic=topics.images, source="/test")
    found = events(kafka, topics.images)
    assert {subject_bytes(e.subject or ""): e.data for e in found} == names
    assert all(e.key == subject_bytes(e.subject or "") for e in found)
    assert {e.source for e in found} == {"/test"}
    assert len({e.event_id for e in found}) == len(names)
    assert (summary.submitted, summary.skipped, summary.failed_count) == (5, 1, 0)
    assert summary.bytes == sum(map(len, names.values()))
    assert summary.exit_code() == 0


def test_the_command_sends_the_rest_when_one_file_is_too_large(
    kafka: RunningKafka, topics: TopicNames, tmp_path: Path
) -> None:
    write(tmp_path / "a.jpg")
    write(tmp_path / "b.jpg", b"x" * (10 * 1024 * 1024 + 1))
    write(tmp_path / "c.jpg", b"x" * (10 * 1024 * 1024))
    result = run(
        "submit", str(tmp_path), "--json", "--brokers", kafka.brokers, "--prefix", topics.prefix
    )
    document = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (document["submitted"], document["skipped"]) == (2, 0)
    [failure] = document["failed"]
    assert failure["path"].endswith("b.jpg")
    assert "10485760" in failure["reason"]
    assert document["topic"] == topics.images
    assert {e.subject for e in events(kafka, topics.images)} == {"a.jpg", "c.jpg"}


def test_a_file_given_directly_goes_by_its_name(
    kafka: RunningKafka, topics: TopicNames, tmp_path: Path
) -> None:
    write(tmp_path / "deep" / "one.png")
    path = str(tmp_path / "deep" / "one.png")
    result = run("submit", path, "--brokers", kafka.brokers, "--prefix", topics.prefix)
    assert result.exit_code == 0, result.output
    assert "1 images submitted" in result.stdout
    assert [e.subject for e in events(kafka, topics.images)] == ["one.png"]


def test_files_below_an_allowed_folder_are_sent_by_reference(
    kafka: RunningKafka, topics: TopicNames, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, linked = tmp_path / "photos", tmp_path / "linked"
    write(os.fsencode(root) + b"/eu/caf\xe9 100%.png", b"\x89PNG one")
    linked.symlink_to(root)
    (root / "link.png").symlink_to(os.fsencode(root) + b"/eu/caf\xe9 100%.png")
    write(tmp_path / "outside.png")
    monkeypatch.setenv("LATENTPRINT_REFERENCES__ALLOWED_ROOTS", str(linked))
    place = ("--brokers", kafka.brokers, "--prefix", topics.prefix, "--json")
    result = run("submit", str(root), str(tmp_path / "outside.png"), "--by-reference", *place)
    assert result.exit_code == 1
    [failure] = json.loads(result.stdout)["failed"]
    assert failure["path"].endswith("outside.png")
    assert "references.allowed_roots" in failure["reason"]
    rules = Rules.of(ReferenceSettings(allowed_roots=str(linked)))
    sent = events(kafka, topics.images)
    assert {event.subject for event in sent} == {"eu/caf\udce9 100%.png", "link.png"}
    for event in sent:
        assert event.reference == f"file://{linked}/eu/caf%E9%20100%25.png"
        target = target_of(event.reference, rules)
        assert isinstance(target, FileTarget)
        assert read_file(target, 1000) == b"\x89PNG one"


def test_by_reference_without_a_folder_is_wrong_use(tmp_path: Path) -> None:
    result = run("submit", str(tmp_path), "--by-reference")
    assert isinstance(result.exception, StopError)
    assert result.exception.exit_code == 2
    assert "LATENTPRINT_REFERENCES__ALLOWED_ROOTS" in str(result.exception)


def test_a_missing_topic_is_named_with_the_next_step(kafka: RunningKafka, tmp_path: Path) -> None:
    result = run("submit", str(tmp_path), "--brokers", kafka.brokers, "--prefix", "nobody.")
    assert isinstance(result.exception, StopError)
    assert result.exception.exit_code == 3
    assert "missing on this Kafka: nobody.images" in str(result.exception)
    assert "latentprint topics create" in str(result.exception)


def test_a_broker_that_is_not_there_is_named_with_the_next_step() -> None:
    with pytest.raises(StopError) as caught, admin("127.0.0.1:1", timeout_s=0.3):
        pytest.fail("nobody listens on port 1")
    assert caught.value.exit_code == 3
    assert "127.0.0.1:1" in str(caught.value)
    assert "--brokers" in str(caught.value)


def test_a_path_that_does_not_exist_stops_the_command_before_anything_is_sent(
    tmp_path: Path,
) -> None:
    with pytest.raises(StopError, match="no such file") as caught:
        submit([tmp_path, tmp_path / "typo"], brokers="127.0.0.1:1", topic="unused")
    assert caught.value.exit_code == 2


def test_a_broker_that_dies_midway_ends_the_command_with_what_arrived(
    kafka: RunningKafka, topics: TopicNames, tmp_path: Path
) -> None:
    for i in range(40):
        write(tmp_path / f"{i:02}.jpg", b"x" * 1000)

    def kill_after_ten(summary: Summary) -> None:
        if summary.submitted >= 10 and kafka.running:
            kafka.kill()

    summary = submit(
        [tmp_path],
        brokers=kafka.brokers,
        topic=topics.images,
        rate=200,
        delivery_timeout_s=3.0,
        progress=kill_after_ten,
    )
    kafka.restart()
    arrived = len(events(kafka, topics.images))
    assert summary.exit_code() == 3
    assert summary.error is not None
    assert "submit again" in summary.error
    assert 10 <= summary.submitted <= arrived, "nothing counts as submitted that did not arrive"
    assert summary.submitted < 40


def test_files_come_in_sorted_order_and_other_kinds_are_skipped(tmp_path: Path) -> None:
    for name in ("b/2.jpg", "b/10.jpg", "a.webp", "c.PNG", "c.gif", ".hidden.jpeg"):
        write(tmp_path / name)
    assert subjects(tmp_path) == [b".hidden.jpeg", b"a.webp", b"b/10.jpg", b"b/2.jpg", b"c.PNG"]
    skipped = [f for f in find_image_files([tmp_path]) if isinstance(f, SkippedFile)]
    assert [os.path.basename(f.path) for f in skipped] == [b"c.gif"]


def test_links_are_followed_only_to_files_inside_the_folder(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    write(inside / "real" / "a.jpg")
    write(outside / "secret.jpg")
    (inside / "same.jpg").symlink_to(inside / "real" / "a.jpg")
    (inside / "out.jpg").symlink_to(outside / "secret.jpg")
    (inside / "folder").symlink_to(outside)
    (inside / "loop").symlink_to(inside)
    (inside / "nothing.jpg").symlink_to(inside / "gone.jpg")
    assert subjects(inside) == [b"real/a.jpg", b"same.jpg"]
    reasons = [f.why for f in find_image_files([inside]) if isinstance(f, SkippedFile)]
    assert sorted(reasons) == [
        "link out of the folder", "link to a folder", "link to a folder", "link to nothing",
    ]  # fmt: skip


def test_a_link_given_by_name_is_followed(tmp_path: Path) -> None:
    write(tmp_path / "folder" / "a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    assert subjects(tmp_path / "link") == [b"a.jpg"]


def test_a_named_pipe_is_skipped_instead_of_being_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    [found] = find_image_files([tmp_path])
    assert isinstance(found, SkippedFile)


def test_a_folder_that_cannot_be_listed_is_reported_and_not_fatal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "closed" / "a.jpg")
    write(tmp_path / "open" / "b.jpg")
    scandir: Callable[[bytes], object] = os.scandir

    def refuse(path: bytes) -> object:
        if path.endswith(b"closed"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    closed, taken = find_image_files([tmp_path])
    assert isinstance(closed, UnreadablePath)
    assert closed.why == "Permission denied"
    assert isinstance(taken, ImageFile)


def test_bytes_in_flight_are_bounded_and_one_large_file_goes_alone() -> None:
    delivery = Delivery(Summary(topic="t"), answer_timeout_s=0.0, max_in_flight_bytes=100)
    delivery.admit(0, 500)
    with pytest.raises(TimeoutError):
        delivery.admit(1, 1)
    delivery.arrived(0)
    delivery.admit(1, 60)
    delivery.admit(2, 40)
    with pytest.raises(TimeoutError):
        delivery.admit(3, 1)


def test_only_acknowledged_files_count_and_only_a_refusal_leaves_the_rest_a_chance() -> None:
    summary = Summary(topic="t")
    delivery = Delivery(summary, answer_timeout_s=0.0)
    for ticket in range(3):
        delivery.admit(ticket, 10)
    assert (summary.submitted, summary.bytes) == (0, 0)
    delivery.arrived(0)
    delivery.lost(1, b"big.jpg", MessageSizeTooLargeError())
    assert (summary.submitted, summary.bytes, summary.failed_count) == (1, 10, 1)
    assert delivery.broken is None
    delivery.lost(2, b"caf\xe9.jpg", KafkaTimeoutError())
    assert delivery.broken is not None
    assert summary.failed[1].path == r"caf\xe9.jpg"
    assert delivery.settle(0.0) == 0


def test_a_rate_spaces_files_evenly_and_a_pause_is_not_made_up_by_a_burst() -> None:
    now = 100.0
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(round(seconds, 6))
        now += seconds

    pace = Pace(4.0, monotonic=lambda: now, sleep=sleep)
    for _ in range(4):
        pace.wait()
    assert slept == [0.25, 0.25, 0.25]
    now += 60.0
    pace.wait()
    pace.wait()
    assert slept == [0.25, 0.25, 0.25, 0.25]
