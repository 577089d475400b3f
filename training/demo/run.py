"""`latentprint demo`: real photographs and real GAN images through a real broker, to verdicts.

1. Redis and Apache Kafka are started, the topics created, the zoo's models imported, and one
   generator of another architecture is registered from 60 of its images.
2. The worker is started by `latentprint run`, with exactly-once delivery.
3. Files stream in: held-out photographs, as they are, enlarged and noisy; images of the registered
   generators and of one that nobody has registered; broken files. Every event must get exactly one
   answer.
4. The unregistered generator is enrolled from 60 of its images by `latentprint register`, while
   the worker runs; photographs are sent until their verdicts show the new registry revision.
5. New images of that generator stream in, and must come out under its name.
6. SIGTERM: the worker drains. All that a read_committed consumer finds is counted once more.
"""

import json
import logging
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from deploy.services.kafka import start_kafka
from deploy.services.processes import launch
from deploy.services.redis import start_redis
from fingerprint_db.redis_store.registry import RedisRegistry
from training.demo.accounting import Account, Books, Summary, summarise
from training.demo.accounting import summary_document as counts_document
from training.demo.plan import Plan, make_plan
from training.demo.stage import Stage
from training.demo.stream import AnswerReader, EventSender, read_all
from training.demo.view import DemoView, print_summary
from training.demo.worker import (
    DemoWorker,
    environment_for,
    register,
    settings_of_demo,
    users_settings,
    worker_command,
    write_samples,
)
from training.demo.zoo import bundle_path, import_zoo, make_images
from worker.broker.topic_creation import create_topics
from worker.broker.topics import Topics
from worker.errors import StopError

PARTITIONS = 4
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What came out. `seconds` is the whole run, `streaming_s` only while events were streaming."""

    summary: Summary
    bundle: str
    newcomer: str
    streamed: int
    streaming_s: float
    seconds: float

    @property
    def events_per_second(self) -> float:
        return self.streamed / self.streaming_s if self.streaming_s else 0.0

    def document(self) -> dict[str, Any]:
        """The one line of `--json`."""
        return {
            **counts_document(self.summary),
            "events_per_second": round(self.events_per_second, 2),
            "seconds": round(self.seconds, 1),
            "bundle": self.bundle,
            "registered_live": self.newcomer,
        }


def run_demo(*, slots: int = 1, as_json: bool = False, keep: Path | None = None) -> int:
    """Run the demo and print its result; the exit code is 1 when something in it went wrong.

    `keep` names a folder, not there yet, that is left behind with all logs, images and verdicts.
    """
    began = time.monotonic()
    logging.getLogger("kafka").addHandler(logging.NullHandler())  # its failures are ours to report
    with _folder(keep) as folder, _ended_by_sigterm():
        view = DemoView(Console(stderr=True))
        result = _run(folder, slots, view, began, keep=keep is not None)
    if as_json:
        print(json.dumps(result.document()), flush=True)
    else:
        print_summary(Console(), result.summary, result.seconds, result.events_per_second)
    failures = result.summary.failures()
    for failure in failures:
        Console(stderr=True).print(f"error: {failure}", markup=False)
    return 1 if failures else 0


def _run(folder: Path, slots: int, view: DemoView, began: float, *, keep: bool) -> DemoResult:
    topics = Topics()
    bundle = bundle_path(environment_for(users_settings()))
    with ExitStack() as stack:
        view.step("starting Redis and Apache Kafka, real ones, only for this demo")
        redis = stack.enter_context(start_redis(folder / "redis"))
        kafka = stack.enter_context(start_kafka(folder / "kafka", notify=view.step))
        view.step(f"Kafka {kafka.version} at {kafka.brokers}, Redis {redis.version} at {redis.url}")
        settings = settings_of_demo(kafka.brokers, redis.url, folder)
        create_topics(kafka.brokers, topics, partitions=PARTITIONS)
        registry = RedisRegistry(redis.url)
        stack.callback(registry.close)
        models = import_zoo(registry, bundle)
        view.step(f"registered: {', '.join(model.name for model in models)}; images are made")
        made = make_images(models)
        plan = make_plan(made)
        if keep:
            _keep_images(plan, folder / "images")
        other = _written(plan.other_samples, made.other, folder, view)
        view.quote(register(made.other, other, settings, meanwhile=lambda: time.sleep(_LOOK_S)))
        worker = DemoWorker(
            launch(
                "the worker",
                worker_command(settings, slots),
                log=folder / "worker.log",
                cwd=folder,
            )
        )
        stack.callback(worker.end)
        view.step("worker started: latentprint run (exactly once)")
        account = Account()
        reader = stack.enter_context(AnswerReader(kafka.brokers, topics, account))
        sender = stack.enter_context(EventSender(kafka.brokers, topics))
        stack.enter_context(view)
        stage = Stage(plan, account, reader, sender, worker, view, PARTITIONS)

        stage.stream(plan.before)
        view.step(f"all {len(plan.before)} answered; nobody has registered {made.newcomer} yet")
        samples = _written(plan.samples, made.newcomer, folder, view)
        view.quote(register(made.newcomer, samples, settings, meanwhile=stage.look))
        asked = stage.wait_for_revision(registry.revision(models[0].space))
        view.step(f"the running worker knows {made.newcomer}; its new images stream in")
        stage.stream([*plan.after, *plan.held_back[asked:]])
        view.step("SIGTERM to the worker: it drains")
        worker.drain()
        answers = read_all(kafka.brokers, topics)
        if keep:
            lines = [json.dumps(dict(answer.document)) + "\n" for answer in answers]
            (folder / "verdicts.jsonl").write_text("".join(lines))
        counted = Account()
        for answer in answers:
            counted.answered(answer)
        books = Books(account.books().sent, counted.books().answers)
    return DemoResult(
        summary=summarise(books, plan.sources),
        bundle=models[0].space,
        newcomer=made.newcomer,
        streamed=stage.streamed,
        streaming_s=stage.streaming_s,
        seconds=time.monotonic() - began,
    )


def _written(samples: tuple[bytes, ...], name: str, folder: Path, view: DemoView) -> Path:
    """The samples as files, about to be registered under this name."""
    written = folder / "samples" / name
    write_samples(samples, written)
    view.step(f"latentprint register {name} {written.name}/ ({len(samples)} PNG)")
    return written


def _keep_images(plan: Plan, folder: Path) -> None:
    """Every event's file, in a folder for each true source."""
    for event in (*plan.before, *plan.held_back, *plan.after):
        path = folder / event.source.name / Path(event.subject).name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(event.file.data)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is None:
        prefix = "latentprint-demo-"
        with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as temporary:
            yield Path(temporary)
        return
    try:
        keep.mkdir(parents=True)
    except OSError as error:
        raise StopError(
            f"--keep {keep}: {error.strerror}; name a folder that is not there yet", exit_code=2
        ) from error
    yield keep.resolve()


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """SIGTERM ends the demo as Ctrl-C does, so that everything it started is stopped."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
