"""What an operator sees: a worker under a real Prometheus while Redis is stopped, then a burst.

    python -m benchmarks.watched run     seven minutes; writes benchmarks/results/watched-DATE.json
    python -m benchmarks.watched draw    writes docs/operations/figures/ from the newest of them

The rules are those that are shipped, and wait as they are shipped; only the scrapes come each
second instead of every 15, so that the lines are smooth. One slot, one machine.
"""

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from deploy.services.kafka import start_kafka
from deploy.services.ports import free_port
from deploy.services.prometheus import (
    WATCHING,
    RunningWatcher,
    start_alertmanager,
    start_prometheus,
)
from deploy.services.redis import start_redis
from worker.broker.topic_creation import create_topics
from worker.broker.topics import Topics
from worker.outside.submit import submit
from worker.settings.cores import usable_cores

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results"
FIGURES: Final = ROOT / "docs" / "operations" / "figures"
PHOTOS: Final = ROOT / "training" / "demo" / "photos"

PER_S: Final = 2.0
QUIET_S, OUTAGE_S, AFTER_S, BURST_S = 45, 150, 60, 120
"""Long enough for the page of LatentprintBlindVerdicts: 60 s to the limit, and a minute more."""

BURST: Final = 400
STEP_S: Final = 2

QUERIES: Final = {
    "age": "max(latentprint_registry_age_seconds)",
    "limit": "max(latentprint_registry_age_limit_seconds)",
    "verdicts": "sum by (outcome) (rate(latentprint_verdicts_total[15s]))",
    "alarms": 'max by (alertname, alertstate) (ALERTS{alertname=~".*Stale|.*BlindVerdicts"})',
    "waiting": "sum(latentprint_lag_records)",
    "oldest": "max(latentprint_lag_seconds)",
    "admitted": "sum(rate(latentprint_events_admitted_total[15s]))",
    "committed": "sum(rate(latentprint_events_committed_total[15s]))",
}
"""What is drawn, as Prometheus is asked."""


def run() -> dict[str, Any]:
    """Seven minutes: calm, Redis stopped, Redis back, a burst. What Prometheus has of them."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        root = Path(folder)
        kafka = stack.enter_context(start_kafka(root / "kafka"))
        redis = stack.enter_context(start_redis(root / "redis"))
        create_topics(kafka.brokers, Topics(), partitions=4)
        port = free_port()
        environment = {
            **os.environ,
            "LATENTPRINT_KAFKA__BROKERS": kafka.brokers,
            "LATENTPRINT_REDIS__URL": redis.url,
            "LATENTPRINT_METRICS__LISTEN": f"127.0.0.1:{port}",
            "LATENTPRINT_LOGGING__LEVEL": "warning",
        }
        program = [sys.executable, "-m", "worker.program"]
        subprocess.run([*program, "registry", "import"], env=environment, check=True)
        stack.enter_context(_running([*program, "run", "--slot", "0", "--json"], environment))
        prometheus = stack.enter_context(_watching(root, f"127.0.0.1:{port}"))

        files = sorted(f for f in PHOTOS.iterdir() if f.suffix == ".webp")
        ended = threading.Event()
        load = threading.Thread(target=_load, args=(files, kafka.brokers, ended), daemon=True)
        load.start()
        began = time.time()
        marks = {}
        time.sleep(QUIET_S)
        marks["stopped"] = time.time() - began
        redis.stop()
        time.sleep(OUTAGE_S)
        redis.restart()
        marks["back"] = time.time() - began
        time.sleep(AFTER_S)
        ended.set()
        load.join()
        marks["burst"] = time.time() - began
        burst = [file for _ in range(BURST // len(files)) for file in files]
        submit(burst, brokers=kafka.brokers, topic=Topics().images)
        time.sleep(BURST_S)
        return {
            "command": "python -m benchmarks.watched run",
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": f"{platform.machine()}, {usable_cores()} cores",
            "load_after": round(os.getloadavg()[0], 1),
            "images_per_s": PER_S,
            "burst": len(burst),
            "marks_s": {name: round(at) for name, at in marks.items()},
            "step_s": STEP_S,
            "series": {
                name: _asked(prometheus, query, began, time.time())
                for name, query in QUERIES.items()
            },
        }


def _load(files: list[Path], brokers: str, ended: threading.Event) -> None:
    """The same pictures again and again, so many a second, until `ended`."""
    while not ended.is_set():
        submit(files, brokers=brokers, topic=Topics().images, rate=PER_S)


@contextmanager
def _running(command: list[str], environment: Mapping[str, str]) -> Iterator[None]:
    """A worker that is ready; drained at the end."""
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert '"ready"' in line, f"the worker did not become ready: {line!r}"
        try:
            yield
        finally:
            process.terminate()


@contextmanager
def _watching(root: Path, target: str) -> Iterator[RunningWatcher]:
    settings = root / "settings"
    settings.mkdir()
    for name in ("prometheus.yaml", "alerts.yaml", "alertmanager.yaml"):
        text = (WATCHING / name).read_text()
        for what in ("scrape_interval", "evaluation_interval"):
            text = text.replace(f"{what}: 15s", f"{what}: 1s")
        (settings / name).write_text(text)
    alertmanager = start_alertmanager(root / "alertmanager", settings=settings)
    try:
        prometheus = start_prometheus(
            root / "prometheus", targets=[target], alertmanager=alertmanager, settings=settings
        )
        try:
            yield prometheus
        finally:
            prometheus.stop()
    finally:
        alertmanager.stop()


def _asked(
    prometheus: RunningWatcher, query: str, began: float, ended: float
) -> dict[str, list[tuple[int, float]]]:
    """Each line of a query: seconds since the beginning, and values."""
    asked = urllib.parse.urlencode(
        {"query": query, "start": began, "end": ended, "step": f"{STEP_S}s"}
    )
    with urllib.request.urlopen(
        f"{prometheus.address}/api/v1/query_range?{asked}", timeout=30
    ) as answer:
        found = json.load(answer)["data"]["result"]
    return {
        " ".join(v for k, v in sorted(line["metric"].items()) if k != "__name__"): [
            (round(float(at) - began), round(float(value), 2)) for at, value in line["values"]
        ]
        for line in found
    }


def newest() -> Path:
    """The file of results of the last day."""
    return max(RESULTS.glob("watched-*.json"))


def draw() -> list[Path]:
    """Write the pictures; what they show stands beside them in docs/operations/seeing.md."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    pyplot.rcParams.update(
        {
            "svg.fonttype": "none",  # letters stay letters: small, and they can be searched
            "svg.hashsalt": "latentprint",
            "font.size": 9,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#e5e5e5",
            "legend.frameon": False,
        }
    )
    kept = json.loads(newest().read_text())
    FIGURES.mkdir(exist_ok=True)
    return [_draw_outage(kept, pyplot), _draw_burst(kept, pyplot)]


def _save(figure: Any, name: str) -> Path:
    file = FIGURES / name
    figure.savefig(file, metadata={"Date": None, "Creator": None})
    text = file.read_text()
    text = re.sub(r"(\d\.\d)\d+", r"\1", text)  # a tenth of a point is what the eye sees
    file.write_text("\n".join(line.strip() for line in text.splitlines()) + "\n")
    return file


def _draw_outage(kept: Mapping[str, Any], pyplot: Any) -> Path:
    """Redis stopped and back: the age, what is decided, the alarms."""
    marks = kept["marks_s"]
    series = _between(kept["series"], 0, marks["burst"])
    figure, (age, verdicts, alarms) = pyplot.subplots(
        3, 1, sharex=True, figsize=(7.2, 5.2), height_ratios=(2, 2, 1), layout="constrained"
    )
    _line(age, series["age"], lambda _: "age of the registry", "#c0392b")
    _line(age, series["limit"], lambda _: "limit", "#7f8c8d", "--")
    age.set_ylabel("s")
    colours = {"no_evidence": "#2980b9", "undetermined": "#e67e22"}
    for name in sorted(series["verdicts"]):
        _line(
            verdicts,
            {name: series["verdicts"][name]},
            lambda outcome: outcome.replace("_", " "),
            colours.get(name, "#27ae60"),
        )
    verdicts.set_ylabel("verdicts a second")
    verdicts.set_ylim(0, 1.6 * kept["images_per_s"])
    names = ("LatentprintBlindVerdicts", "LatentprintRegistryStale")
    for row, name in enumerate(names):
        for state, colour in (("pending", "#f5c06b"), ("firing", "#c0392b")):
            spans = spans_of(series["alarms"].get(f"{name} {state}", []), kept["step_s"])
            alarms.broken_barh(spans, (row - 0.35, 0.7), color=colour, label=state if row else None)
    alarms.set_yticks(range(len(names)), [name.removeprefix("Latentprint") for name in names])
    alarms.set_ylim(-0.6, len(names) - 0.4)
    alarms.set_xlabel("s")
    for axis in (age, verdicts, alarms):
        axis.axvspan(marks["stopped"], marks["back"], color="#f4f4f4", zorder=0)
        axis.set_xlim(0, marks["burst"])
        axis.legend(loc="upper right", fontsize=8)
    age.set_title("Redis is stopped (grey) and comes back", fontsize=10, loc="left")
    return _save(figure, "redis-stopped.svg")


def _draw_burst(kept: Mapping[str, Any], pyplot: Any) -> Path:
    """A burst: what waits, for how long, and in and out."""
    burst_s = kept["marks_s"]["burst"]
    series = _between(kept["series"], burst_s - 10, burst_s + 90)
    figure, (waiting, oldest, flow) = pyplot.subplots(
        3, 1, sharex=True, figsize=(7.2, 4.8), layout="constrained"
    )
    _line(waiting, series["waiting"], lambda _: "events waiting", "#2980b9")
    _line(oldest, series["oldest"], lambda _: "age of the oldest, s", "#c0392b")
    _line(flow, series["admitted"], lambda _: "admitted a second", "#7f8c8d", "--")
    _line(flow, series["committed"], lambda _: "committed a second", "#27ae60")
    flow.set_xlabel("s")
    for axis in (waiting, oldest, flow):
        axis.set_ylim(bottom=0)
        axis.set_xlim(left=0)
        axis.legend(loc="upper right", fontsize=8)
    waiting.set_title(f"{kept['burst']} images come at once", fontsize=10, loc="left")
    return _save(figure, "burst.svg")


def _between(series: Mapping[str, Any], from_s: int, to_s: int) -> dict[str, Any]:
    """The points of this time, counted from its beginning."""
    return {
        name: {
            line: [(at - from_s, value) for at, value in points if from_s <= at <= to_s]
            for line, points in lines.items()
        }
        for name, lines in series.items()
    }


def _line(
    axis: Any,
    lines: Mapping[str, list[tuple[int, float]]],
    named: Callable[[str], str],
    colour: str,
    style: str = "-",
) -> None:
    for name, points in lines.items():
        at, values = zip(*points, strict=True)
        axis.plot(at, values, style, color=colour, linewidth=1.2, label=named(name))


def spans_of(points: list[tuple[int, float]], step_s: int) -> list[tuple[int, int]]:
    """Where a state of an alarm holds: beginnings and lengths."""
    spans: list[tuple[int, int]] = []
    for at, _ in points:
        if spans and at - sum(spans[-1]) <= step_s:
            spans[-1] = (spans[-1][0], at - spans[-1][0] + step_s)
        else:
            spans.append((at, step_s))
    return spans


def main() -> None:
    """Run, or draw what was run."""
    match sys.argv[1:]:
        case ["run"]:
            kept = run()
            file = RESULTS / f"watched-{kept['date'][:10]}.json"
            file.write_text(json.dumps(kept, separators=(",", ":")) + "\n")
            print(file.relative_to(ROOT))
        case ["draw"]:
            for picture in draw():
                print(picture.relative_to(ROOT))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
