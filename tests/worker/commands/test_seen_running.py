"""Two slots of `latentprint run --slots 2`, seen at one address from start to end."""

import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from kafka import KafkaProducer
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from prometheus_client.parser import text_string_to_metric_families

from deploy.services.kafka import RunningKafka
from deploy.services.ports import free_port
from tests.tools import tool
from tests.topic_names import TopicNames
from tests.waiting import wait_for
from tests.worker.broker.reading import read_all
from tests.worker.extractor.tiny_bundle import TinyBundle, made_png
from tests.worker.seen.collector import Collector, collecting
from worker.metrics import SUPERVISOR, WORKER
from worker.program import build_app, run_app
from worker.seen.probe import Told, ask

IMAGES = 12
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
START_S = 120.0
"""Two workers start on a crowded machine."""


@dataclass
class Seen:
    """`run --slots 2`, and the address at which it can be seen."""

    process: "subprocess.Popen[bytes]"
    port: int
    first: list[Told]
    """What /livez, /readyz and /startupz said before anything was loaded."""

    def scraped(self) -> str:
        """The page of figures."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=10) as page:
            return str(page.read().decode())

    def samples(self) -> dict[str, list[tuple[dict[str, str], float]]]:
        """Labels and values by the name of the figure, without the prefix."""
        found: dict[str, list[tuple[dict[str, str], float]]] = {}
        for family in text_string_to_metric_families(self.scraped()):
            for sample in family.samples:
                name = sample.name.removeprefix("latentprint_")
                found.setdefault(name, []).append((sample.labels, sample.value))
        return found

    def total(self, name: str, **labels: str) -> float:
        """The sum of a figure over slots and over labels that are not named."""
        return sum(
            value for own, value in self.samples().get(name, []) if labels.items() <= own.items()
        )

    def slots_have_loaded(self) -> set[str]:
        """The names of the libraries that are in memory."""
        slots = psutil.Process(self.process.pid).children()
        return {Path(one.path).name for slot in slots for one in slot.memory_maps()}

    def ask(self, path: str) -> Told:
        """One question."""
        return ask("127.0.0.1", self.port, path)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as running:
        yield running


@pytest.fixture
def seen(
    kafka: RunningKafka,
    redis_url: str,
    topics: TopicNames,
    tiny_bundle: TinyBundle,
    collector: Collector,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Seen]:
    port = free_port()
    for name, value in {
        "STATE": "/nonexistent/services.json",
        "EXTRACT__BUNDLE": str(tiny_bundle.path),
        "EXTRACT__DEVICE": "cpu",
        "DECODE__PROCESSES": "1",
        "KAFKA__BROKERS": kafka.brokers,
        "KAFKA__PREFIX": topics.prefix,
        "KAFKA__GROUP": f"{topics.prefix}worker",
        "REDIS__URL": redis_url,
        "METRICS__LISTEN": f"127.0.0.1:{port}",
        "TRACING__ENDPOINT": collector.endpoint,
    }.items():
        monkeypatch.setenv(f"LATENTPRINT_{name}", value)
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "worker.program", "run", "--slots", "2"], stderr=log
    )
    try:
        wait_for(
            lambda: ask("127.0.0.1", port, "/livez").holds, "the supervisor to answer", START_S
        )
        first = [ask("127.0.0.1", port, path) for path in ("/livez", "/readyz", "/startupz")]
        yield Seen(process, port, first)
    finally:
        process.terminate()
        process.wait(timeout=60)
        log.close()
        print((tmp_path / "log").read_text())


def test_a_worker_is_seen_from_its_start_to_its_end(
    seen: Seen,
    kafka: RunningKafka,
    topics: TopicNames,
    collector: Collector,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    # It answers long before it is ready: alive, and neither started nor ready.
    live, ready, started = seen.first
    assert (live.holds, ready.holds, started.holds) == (True, False, False)
    wait_for(lambda: seen.ask("/startupz").holds, "the start to be over", START_S)
    wait_for(lambda: seen.ask("/readyz").holds, "both slots to be ready", START_S)
    slots = (seen.ask("/readyz").document or {})["slots"]
    for slot in ("0", "1"):
        checks = {check["check"]: check["seen"] for check in slots[slot]["checks"]}
        assert set(checks) == {"bundle", "sandbox", "registry", "group", "stays"}
        assert "revision 0" in checks["registry"]
    assert run_app(build_app(), ["health", "--ready"]) == 0
    assert "slot 1: ok  group: " in capfd.readouterr().out

    # Every image is seen at every stage, and as a whole.
    put(tmp_path)
    wait_for(lambda: seen.total("end_to_end_seconds_count") == IMAGES + 1, "all to be committed")
    assert seen.total("events_committed_total") == IMAGES + 1
    assert seen.total("verdicts_total") == IMAGES
    assert seen.total("rejects_total", code="decode.truncated") == 1
    assert seen.total("verdict_reasons_total") >= IMAGES
    assert seen.total("decode_seconds_count") == IMAGES + 1
    for stage in ("extract", "match", "commit"):
        assert 1 <= seen.total(f"{stage}_seconds_count") <= IMAGES + 1
        assert seen.total(f"{stage}_seconds_sum") > 0
    assert 0 < seen.total("end_to_end_seconds_sum") < 60 * IMAGES
    assert seen.total("batch_fill_ratio_count") >= 1

    # By compiled loops alone: torch is for a card.
    libraries = seen.slots_have_loaded()
    assert any("llvmlite" in name for name in libraries)
    assert not any("torch" in name for name in libraries)

    # A redrive ends with a marker of its transaction, which is no record that anybody waits for.
    assert (
        run_app(build_app(), ["dlq", "redrive", "--code", "decode.truncated", "--reason", "test"])
        == 0
    )
    wait_for(lambda: seen.total("rejects_total") == 2, "the redriven one to be rejected again")
    wait_for(lambda: len(seen.samples()["lag_records"]) == 5, "four partitions and one")
    wait_for(lambda: seen.total("lag_records") == 0, "no lag")
    assert seen.total("lag_seconds") == 0

    # What is declared is what is there, each of a worker's under the slot that it belongs to.
    samples = seen.samples()
    assert {labels["slot"] for labels, _ in samples["ready"]} == {"0", "1"}
    for metric in (*WORKER, *SUPERVISOR):
        if not metric.labels and metric.kind != "histogram":
            assert metric.exposed_name.removeprefix("latentprint_") in samples
    (build,) = {tuple(sorted(labels.items()))[:1] for labels, _ in samples["build_info"]}
    assert build[0][0] == "bundle"
    promtool = tool("promtool")
    checked = subprocess.run(
        [promtool.path, "check", "metrics"],
        input=seen.scraped().encode(),
        capture_output=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr.decode()

    # A trace that an event came with is carried on, and the batch that judged it links to it.
    send_traced(kafka.brokers, topics.images)
    batch, link = wait_for(lambda: linked(collector), "a span that links to the event's")[0]
    assert (link.trace_id.hex(), link.span_id.hex()) == (TRACE, SPAN)
    verdicts = read_all(kafka.brokers, topics.verdicts)
    (carried,) = [dict(v.headers) for v in verdicts if dict(v.headers).get("ce_traceparent")]
    assert carried["ce_traceparent"] == f"00-{TRACE}-{SPAN}-01".encode()
    assert carried["ce_tracestate"] == b"vendor=1"

    def commits() -> bool:
        of = {one.span_id for commit in collector.spans("commit") for one in commit.links}
        return batch.span_id in of

    wait_for(commits, "the commit of that batch")
    assert {s.parent_span_id for s in collector.spans("extract")} >= {batch.span_id}

    # A slot that is killed is missed by name until it is back: gone, or on its way already.
    (pid, *_) = [child for child in children(seen.process.pid) if "--slot\x001" in child[1]]
    os.kill(pid[0], signal.SIGKILL)
    told = wait_for(lambda: missing(seen), "the slot to be missed")
    assert told[0].startswith(("slot 1: NOT  answers:", "slot 1: NOT  bundle: not known yet"))
    assert all(line.startswith("slot 1: ") for line in told)
    assert seen.ask("/livez").holds
    wait_for(lambda: seen.ask("/readyz").holds, "it to be back", START_S)
    assert seen.total("slot_restarts_total", code="-9") == 1
    assert (seen.total("slots_wanted"), seen.total("slots_up")) == (2, 2)

    seen.process.send_signal(signal.SIGTERM)
    assert seen.process.wait(timeout=60) == 0


def missing(seen: Seen) -> tuple[str, ...]:
    told = seen.ask("/readyz")
    return tuple(line for line in told.words if "NOT" in line)


def send_traced(brokers: str, topic: str) -> None:
    """One image event that belongs to a trace."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": "traced",
        "ce_source": "/test",
        "ce_type": "upload",
        "ce_traceparent": f"00-{TRACE}-{SPAN}-01",
        "ce_tracestate": "vendor=1",
    }
    producer = KafkaProducer(bootstrap_servers=brokers)
    encoded = [(name, text.encode()) for name, text in headers.items()]
    producer.send(topic, made_png("checks", 99), headers=encoded).get(30)
    producer.close()


def linked(collector: Collector) -> list[tuple[Span, Span.Link]]:
    """The batches that link to somebody else's span, with their links."""
    return [(span, link) for span in collector.spans("batch") for link in span.links]


def put(folder: Path) -> None:
    """Submit images, and a file that is none."""
    uploads = folder / "uploads"
    uploads.mkdir()
    for number in range(IMAGES):
        (uploads / f"{number}.png").write_bytes(made_png("checks", number))
    (uploads / "none.png").write_bytes(b"\x89PNG\r\n\x1a\nno")
    assert run_app(build_app(), ["submit", str(uploads)]) == 0


def children(pid: int) -> list[tuple[int, str]]:
    """Process id and command line of each child."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = path.joinpath("stat").read_text().rpartition(")")[2].split()[1]
            command = path.joinpath("cmdline").read_text()
        except OSError:
            continue
        if int(parent) == pid:
            found.append((int(path.name), command))
    return found
