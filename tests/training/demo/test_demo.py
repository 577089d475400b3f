"""The demo's plan, its generators, and its way through a real Kafka and worker.

The whole demo with the trained extractor is `make demo`; here a judge of a millisecond stands in
for it, and everything else is what the demo uses.
"""

import io
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
from fingerprint_db.gate.refusals import STANDARD_SAMPLES
from fingerprint_db.redis_store.registry import RedisRegistry
from tests.fingerprint_db.samples import model
from tests.scenarios.small_judge import SPACE
from tests.topic_names import TopicNames
from training.demo.accounting import (
    Account,
    Books,
    summarise,
)
from training.demo.files import (
    PROCESSED_PER_PHOTO,
    VIEWS_PER_PHOTO,
)
from training.demo.plan import ENROLMENT_SAMPLES, Made, Plan, make_plan
from training.demo.stage import Stage
from training.demo.stream import AnswerReader, EventSender, read_all
from training.demo.view import DemoView
from training.demo.worker import DemoWorker, environment_for, settings_of_demo, worker_command
from training.demo.zoo import OTHER, make_images
from training.zoo.catalog import CATALOG, HELD_OUT, recipe_named
from training.zoo.sets import models_by_name
from worker.broker.topics import Topics
from worker.errors import StopError

ROOT = Path(__file__).resolve().parents[3]


def small_made() -> Made:
    """Three images of each of three registered generators, and three sets of a newcomer's."""
    numbers = np.random.default_rng(0)

    def images() -> np.ndarray[Any, np.dtype[np.uint8]]:
        return numbers.integers(144, 240, (3, 3, 64, 64), dtype=np.uint8)

    registered = {"one": images(), "two": images(), "other": images()}
    return Made(registered, "other", images(), "new", images(), images(), images())


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two small dark pictures in place of the photographs."""
    folder = tmp_path_factory.mktemp("photos")
    for number in range(2):
        noise = np.random.default_rng(number).integers(0, 96, (160, 200, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{number}.png")
    return sorted(folder.iterdir())


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
        "real_enlarged": 2 * PROCESSED_PER_PHOTO,
        "real_noisy": 2 * PROCESSED_PER_PHOTO,
        "one": 3,
        "two": 3,
        "other": 3,
        "new_before_registration": 3,
        "new_after_registration": 3,
        "broken": 8,
    }


def test_the_plan_says_what_is_right_for_each_source(photos: list[Path]) -> None:
    due = {s.name: (s.outcome, s.model) for s in make_plan(small_made(), photos).sources}
    assert due == {
        "real": ("no_evidence", None),
        "real_enlarged": ("no_evidence", None),
        "real_noisy": ("no_evidence", None),
        "one": ("attributed", "one"),
        "other": ("attributed", "other"),
        "two": ("attributed", "two"),
        "new_before_registration": ("unknown_generator", None),
        "new_after_registration": ("attributed", "new"),
        "broken": ("dead_letter", None),
    }
    assert list(due) == [
        *("real", "real_enlarged", "real_noisy", "one", "other", "two"),
        *("new_before_registration", "new_after_registration", "broken"),
    ]


def test_the_other_generator_comes_with_the_zoo_and_not_with_the_bundle() -> None:
    """Registered from samples under a name that the bundle's export leaves free."""
    assert OTHER not in CATALOG
    assert OTHER in {entry.name for entry in models_by_name().values() if entry.weights.is_file()}
    assert recipe_named(OTHER).build_generator not in {
        recipe_named(entry.architecture).build_generator for entry in CATALOG.values()
    }


def test_samples_that_the_gate_sets_aside_leave_enough_for_verdicts_to_name_the_model() -> None:
    """One odd sample of exactly fifty would make the entry provisional: a family, never a name."""
    assert ENROLMENT_SAMPLES >= 1.2 * STANDARD_SAMPLES


def test_images_are_made_of_every_registered_generator_the_other_and_one_that_nobody_knows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("training.demo.zoo.MADE_PER_GENERATOR", 2)
    monkeypatch.setattr("training.demo.zoo.ENROLMENT_SAMPLES", 3)
    known = [name for name in CATALOG if name != HELD_OUT]
    made = make_images([model(name, name=name, status="live") for name in known])
    assert list(made.registered) == [*known, OTHER]
    assert (made.other, made.newcomer) == (OTHER, HELD_OUT)
    assert all(images.shape == (2, 3, 64, 64) for images in made.registered.values())
    assert made.other_samples.shape == made.newcomer_samples.shape == (3, 3, 64, 64)
    assert not (made.other_samples[:2] == made.registered[OTHER]).all(), "never the enrolled ones"


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
    registered = ("one", "two", "other")
    before = tuple(event for event in plan.before if event.source.name not in registered)
    return Plan(before, plan.held_back, plan.samples, plan.other_samples, plan.after)
