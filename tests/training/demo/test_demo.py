"""The demo's parts: its files, its plan, its books, and its way through a real Kafka and worker.

The whole demo with the trained extractor is `make demo`; here a judge of a millisecond stands in
for the network, and everything else is what the demo uses.
"""

import hashlib
import io
import json
import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from deploy.services.kafka import RunningKafka
from deploy.services.processes import launch
from fingerprint_db.redis_store.registry import RedisRegistry
from tests.fingerprint_db.samples import model
from tests.scenarios.small_judge import SPACE
from tests.topic_names import TopicNames
from training.demo.accounting import (
    Account,
    Answer,
    Books,
    SourceRow,
    read_answer,
    source_rows,
    summarise,
    summary_document,
)
from training.demo.files import (
    PHOTO_FOLDER,
    VIEWS_PER_PHOTO,
    DemoFile,
    broken_files,
    encode,
    photo_paths,
    photo_views,
)
from training.demo.plan import Made, Plan, PlannedEvent, TrueSource, make_plan
from training.demo.stage import Stage
from training.demo.stream import AnswerReader, EventSender, read_all
from training.demo.view import DemoView, print_summary
from training.demo.worker import DemoWorker, environment_for, settings_of_demo, worker_command
from worker.broker.topics import Topics
from worker.decoder.decode import DecodeLimits, decode
from worker.errors import RejectError, StopError

ROOT = Path(__file__).resolve().parents[3]
FREE_LICENCES = {
    *("Public domain", "CC0-1.0", "CC-BY-2.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0"),
}


def small_made() -> Made:
    """Three images of each of two registered generators, and three sets of a newcomer's."""
    numbers = np.random.default_rng(0)

    def images() -> np.ndarray[Any, np.dtype[np.uint8]]:
        return numbers.integers(144, 240, (3, 3, 64, 64), dtype=np.uint8)

    return Made({"one": images(), "two": images()}, "new", images(), images(), images())


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two small dark pictures in place of the photographs."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(2):
        noise = np.random.default_rng(number).integers(0, 96, (160, 200, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
    return sorted(folder.iterdir())


def test_every_photograph_is_attributed_under_a_free_licence() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| `([0-9a-f]{64})` \|(.*)\|$", _attribution(), re.MULTILINE)
    stated = {name: digest for name, digest, _ in rows}
    digests = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in photo_paths()}
    assert stated == digests
    licences = [rest.split("|")[3].strip() for _, _, rest in rows]
    authors = [rest.split("|")[2].strip() for _, _, rest in rows]
    assert set(licences) <= FREE_LICENCES
    assert all(authors)


def test_the_photographs_are_few_megabytes_and_some_have_many_pixels() -> None:
    sizes = []
    for path in photo_paths():
        with Image.open(path) as image:
            sizes.append(image.width * image.height)
    assert 12 <= len(sizes) <= 16
    assert sum(size > 2_000_000 for size in sizes) >= 2
    assert sum(path.stat().st_size for path in photo_paths()) < 6_000_000


def test_views_reach_from_the_whole_photograph_to_the_size_of_a_generated_image() -> None:
    path = PHOTO_FOLDER / "china.jpg"
    views = list(photo_views(path, np.random.default_rng(1)))
    assert len(views) == VIEWS_PER_PHOTO
    assert views[0] == DemoFile(path.read_bytes(), "jpg"), "a JPEG is sent as it lies on disk"
    shortest = [min(Image.open(io.BytesIO(view.data)).size) for view in views]
    assert max(shortest) == 427
    assert 48 <= min(shortest) <= 128


def test_files_are_jpeg_of_many_qualities_and_png() -> None:
    numbers = np.random.default_rng(2)
    image = Image.fromarray(numbers.integers(0, 255, (64, 64, 3), dtype=np.uint8))
    facts = [decode(encode(image, numbers).data, DecodeLimits()).facts for _ in range(80)]
    qualities = [f.jpeg_quality for f in facts if f.jpeg_quality is not None]
    assert {f.format for f in facts} == {"jpeg", "png"}
    assert sum(75 <= quality <= 95 for quality in qualities) > 0.8 * len(qualities)
    assert len(set(qualities)) > 10


def test_every_broken_file_is_rejected_by_the_decoder() -> None:
    whole = Image.fromarray(np.random.default_rng(3).integers(0, 255, (80, 90, 3), dtype=np.uint8))
    files = broken_files(whole)
    assert len(files) == 8
    for file in files:
        with pytest.raises(RejectError):
            decode(file.data, DecodeLimits())


def test_the_plan_is_the_same_every_time_and_hides_the_source(photos: list[Path]) -> None:
    plan = make_plan(small_made(), photos)
    assert plan == make_plan(small_made(), photos)
    events = [*plan.before, *plan.held_back, *plan.after]
    assert [event.subject.partition(".")[0] for event in events] == [
        f"demo/{number:04d}" for number in range(plan.event_count)
    ]
    sources = [event.source.name for event in plan.before]
    assert sources != sorted(sources), "sources are mixed, not sent one after the other"
    assert Counter(event.source.name for event in events) == {
        "real": 2 * VIEWS_PER_PHOTO,
        "one": 3,
        "two": 3,
        "new_before_registration": 3,
        "new_after_registration": 3,
        "broken": 8,
    }


def test_the_plan_says_what_is_right_for_each_source(photos: list[Path]) -> None:
    due = {s.name: (s.outcome, s.model) for s in make_plan(small_made(), photos).sources}
    assert due == {
        "real": ("no_evidence", None),
        "one": ("attributed", "one"),
        "two": ("attributed", "two"),
        "new_before_registration": ("unknown_generator", None),
        "new_after_registration": ("attributed", "new"),
        "broken": ("dead_letter", None),
    }
    assert list(due) == [
        *("real", "one", "two", "new_before_registration", "new_after_registration", "broken")
    ]


REAL = TrueSource("real", "no_evidence")
MADE = TrueSource("one", "attributed", "one")
BAD = TrueSource("broken", "dead_letter")


def planned(number: int, source: TrueSource) -> PlannedEvent:
    return PlannedEvent(f"demo/{number:04d}.png", DemoFile(b"", "png"), source)


def verdict(offset: int, outcome: str, name: str | None = None) -> Answer:
    document = {"record": "verdict", "partition": 0, "offset": offset, "outcome": outcome}
    return read_answer({**document, "model": name, "registry_revision": 3})


def letter(offset: int) -> Answer:
    document = {"record": "dead_letter", "partition": 0, "offset": offset, "code": "x"}
    return read_answer({**document, "message": "y", "subject": "demo/0003.png"})


def some_books() -> Books:
    """Six events: two right, one misnamed, one flagged though real, one lost, one twice."""
    sources = [REAL, REAL, MADE, BAD, MADE, MADE]
    answers = {
        (0, 0): (verdict(0, "no_evidence"),),
        (0, 1): (verdict(1, "unknown_generator"),),
        (0, 2): (verdict(2, "attributed", "two"),),
        (0, 3): (letter(3),),
        (0, 5): (verdict(5, "attributed", "one"), verdict(5, "attributed", "one")),
    }
    return Books({(0, i): planned(i, source) for i, source in enumerate(sources)}, answers)


def test_lost_and_duplicated_are_counted_from_the_places_of_the_events() -> None:
    summary = summarise(some_books(), [REAL, MADE, BAD])
    assert (summary.events, summary.verdicts, summary.dead_letters) == (6, 5, 1)
    assert (summary.lost, summary.duplicated, summary.stray) == (1, 1, 0)
    assert summary.accuracy == pytest.approx(3 / 6)
    assert summary.failures() == [
        "1 events have neither a verdict nor a dead letter",
        "1 answers are duplicates",
        "accuracy is 0.500, expected at least 0.9",
    ]


def test_an_attribution_counts_as_right_only_under_the_right_name() -> None:
    document = summary_document(summarise(some_books(), [REAL, MADE, BAD]))
    assert document["accuracy_per_source"] == {
        "real": 0.5,
        "one": pytest.approx(0.3333),
        "broken": 1.0,
    }
    assert document["outcomes"] == {
        "real": {"no_evidence": 1, "unknown_generator": 1},
        "one": {"attributed": 2},
        "broken": {"dead_letter": 1},
    }
    assert document["misnamed"] == {"one": {"two": 1}}
    assert document["false_positives"] == 1
    assert [entry["subject"] for entry in document["wrong"]] == [
        "demo/0001.png",
        "demo/0002.png",
        "demo/0004.png",
    ]
    assert json.loads(json.dumps(document)) == document


def test_an_answer_to_an_event_that_was_never_sent_is_a_failure() -> None:
    books = Books({(0, 0): planned(0, REAL)}, {(0, 9): (verdict(9, "no_evidence"),)})
    summary = summarise(books, [REAL])
    assert (summary.lost, summary.stray) == (1, 1)
    assert "1 answers belong to no event that was sent" in summary.failures()


def test_the_summary_names_what_came_out_and_what_was_wrong() -> None:
    out = io.StringIO()
    console = Console(file=out, width=140)
    print_summary(console, summarise(some_books(), [REAL, MADE, BAD]), seconds=12.0, rate=34.5)
    text = out.getvalue()
    assert "1 + 1 misnamed" in text
    assert "wrong: one: no answer" in text
    assert "1 lost, 1 duplicated" in text


def test_without_a_terminal_the_view_is_plain_lines() -> None:
    out = io.StringIO()
    rows: tuple[SourceRow, ...] = source_rows(some_books(), [REAL, MADE, BAD])
    with DemoView(Console(file=out, width=100)) as view:
        view.step("Kafka is up")
        view.update(rows, [letter(3)], 6, 2.0)
    assert "Kafka is up" in out.getvalue()
    assert "5 of 6 events answered, 2 events/s" in out.getvalue()
    assert "\x1b" not in out.getvalue()


def test_the_demo_does_not_touch_services_that_the_user_configured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LATENTPRINT_KAFKA__SASL_USERNAME", "production")
    monkeypatch.setenv("LATENTPRINT_EXTRACT__DEVICE", "cpu")
    settings = settings_of_demo("127.0.0.1:1", "redis://127.0.0.1:2/0", tmp_path)
    environment = environment_for(settings)
    assert "LATENTPRINT_KAFKA__SASL_USERNAME" not in environment
    assert environment["LATENTPRINT_EXTRACT__DEVICE"] == "cpu"
    command = worker_command(settings, slots=2)
    assert command[command.index("LATENTPRINT_KAFKA__SASL_USERNAME") - 1] == "-u"
    assert command[-4:] == ["run", "--slots", "2", "--json"]


class EndedProcess:
    """A worker that ended by itself."""

    def running(self) -> bool:
        return False

    def stop(self, *, grace_s: float) -> None: ...

    def wait(self, deadline_s: float) -> int:
        return 2

    def log_tail(self) -> str:
        return "Its log worker.log ends:\n  no extractor bundle"

    def log_of_this_start(self) -> str:
        return ""


def test_a_worker_that_ended_is_reported_with_the_end_of_its_log() -> None:
    with pytest.raises(StopError, match=r"exit code 2[\s\S]*no extractor bundle"):
        DemoWorker(EndedProcess()).check()


def test_the_story_loses_and_duplicates_nothing_on_a_real_kafka_and_worker(
    kafka: RunningKafka, topics: TopicNames, redis_url: str, photos: list[Path], tmp_path: Path
) -> None:
    """Unknown before, registered while the worker runs, attributed after; drained at the end."""
    plan = _without_registered(make_plan(small_made(), photos))
    settings = settings_of_demo(kafka.brokers, redis_url, tmp_path) | {
        "LATENTPRINT_KAFKA__PREFIX": topics.prefix,
        "LATENTPRINT_KAFKA__GROUP": topics.prefix,
    }
    command = worker_command(settings, 1)
    command[command.index("-m") :] = ["-m", "tests.scenarios.worker_process"]
    assert command[command.index("-m") - 1] == sys.executable
    names, account = Topics(topics.prefix), Account()
    registry = RedisRegistry(redis_url)
    worker = DemoWorker(launch("the worker", command, log=tmp_path / "worker.log", cwd=ROOT))
    view = DemoView(Console(file=io.StringIO()))
    try:
        with (
            AnswerReader(kafka.brokers, names, account) as reader,
            EventSender(kafka.brokers, names) as sender,
        ):
            stage = Stage(plan, account, reader, sender, worker, view, partitions=4)
            stage.stream(plan.before)
            change = registry.register(
                model("new", name="new", status="live", space=SPACE), by="ada", reason="seen"
            )
            asked = stage.wait_for_revision(change.revision)
            stage.stream([*plan.after, *plan.held_back[asked:]])
            worker.drain()
    finally:
        worker.end()
        registry.close()
    counted = Account()
    for answer in read_all(kafka.brokers, names):
        counted.answered(answer)
    summary = summarise(Books(account.books().sent, counted.books().answers), plan.sources)
    assert (summary.events, summary.lost, summary.duplicated) == (plan.event_count, 0, 0)
    assert summary.failures() == []
    assert summary.accuracy == 1.0
    assert stage.streamed > 0
    assert stage.streaming_s > 0


def _without_registered(plan: Plan) -> Plan:
    """The small judge knows one model at most: leave out what was registered from the start."""
    before = tuple(event for event in plan.before if event.source.name not in ("one", "two"))
    return Plan(before, plan.held_back, plan.samples, plan.after)


def _attribution() -> str:
    return (PHOTO_FOLDER / "ATTRIBUTION.md").read_text(encoding="utf-8")
