"""What a registry of many models costs a worker: matching, memory, loading, and changes.

    python -m benchmarks.registry [--models 10 1000 10000] [--changes 30] [--output FILE]

The models are made up: fillers in the space of the bundle of the day, drawn around the zoo's
(`training/evaluation/fillers.py`), so that photographs meet more of them than of real ones. They
are written to a real Redis directly, in portions, and only the last of their changes carries a true
root: what is measured begins with the worker's load. A registry of 100,000 (`--models 100000`)
takes 2.7 GB in Redis; each size has a process of its own, `--memory-gib` of address space beside
Redis, and one thread. Processor time stands beside the clock, since it tells the same where other
programs run. What is measured `--without-vnni` is compiled for a processor that has no such
instruction, in the same run: of these sizes matching alone.
"""

import argparse
import io
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
import redis as redis_client
import structlog
from PIL import Image, ImageOps

from benchmarks.made_up_registry import NAME, fill, made_up
from benchmarks.search_floor import floor
from deploy.services.redis import start_redis
from fingerprint_db.conditions import Codec, conditions_of
from fingerprint_db.matching.rows.byte_products import has_instruction
from fingerprint_db.redis_store.registry import RedisRegistry
from worker.decoder.decode import DecodedImage, DecodeLimits, decode
from worker.errors import RejectError
from worker.events.cloudevents import Origin
from worker.events.image_event import ImageEvent
from worker.extractor.bundle import Bundle, load_bundle
from worker.extractor.extract import BlockExtractor, ImageFingerprint
from worker.extractor.products import stay_on_this_thread
from worker.judge.judged import Judged
from worker.judge.pipeline import Pipeline
from worker.judge.policy import load_policy
from worker.judge.prepared import Preparer
from worker.registry.follower import RegistryFollower
from worker.registry.view import RegistryView
from worker.settings.cores import usable_cores

ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results"
PHOTOS: Final = ROOT / "training" / "demo" / "photos"
BATCH: Final = 16
SIDE, QUALITY = 512, 85
CODEC: Final[Codec] = "jpeg85"
"""Of the pictures: a codec with two conditions, so that a model is two rows."""

ROUNDS: Final = 7
WITHOUT_VNNI: Final = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": ""}
"""A processor with AVX2 and nothing further, as of 2013."""
CHANGE_DEADLINE_S: Final = 600.0
IDLE_S, LOOK_S = 3.0, 0.002
FOLLOWER: Final = "registry-follower"  # the name of its thread
Items = Sequence[tuple[ImageEvent, DecodedImage]]

_EVENT: Final = ImageEvent(Origin("bench", 0, 0), None, "0", "bench", None, None, None, b"")


def main() -> None:
    """Each size in a process of its own; print the figures as JSON, or do one part."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--models", type=int, nargs="+", default=[10, 1000, 10_000])
    parser.add_argument("--changes", type=int, default=30)
    parser.add_argument("--without-vnni", type=int, nargs="*", default=[10_000])
    parser.add_argument("--memory-gib", type=float, default=8.0)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--one", action="store_true", help="one size, in this process")
    parser.add_argument("--write", metavar="URL", help="make the changes to this Redis")
    options = parser.parse_args()
    if options.write:
        _make_changes(options.write, options.changes)
        return
    if options.one:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
        limit = int(options.memory_gib * 2**30)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
        print(json.dumps(measure(options.models[0], options.changes)))
        return
    now = datetime.now(UTC)
    document = {
        "command": f"python -m benchmarks.registry {' '.join(sys.argv[1:])}".rstrip(),
        "date": now.isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {usable_cores()} cores",
        "load_before": round(os.getloadavg()[0], 1),
        "commit": _commit(),
        "batch": BATCH,
        "registries": [_apart(count, options) for count in options.models],
        "without_vnni": [_apart(count, options, vnni=False) for count in options.without_vnni],
    }
    text = json.dumps(document, indent=1)
    print(text)
    path = options.output or RESULTS / f"registry-{now:%Y-%m-%d}.json"
    path.write_text(text + "\n")


def _apart(count: int, options: argparse.Namespace, *, vnni: bool = True) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.registry", "--one", "--models", str(count)]
    changes = options.changes if vnni else 0
    command += ["--changes", str(changes), "--memory-gib", str(options.memory_gib)]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    processor = {} if vnni else WITHOUT_VNNI
    done = subprocess.run(
        command,
        env={**os.environ, **threads, **processor},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(count: int, changes: int) -> dict[str, Any]:
    """Fill a Redis with so many models, load them as a worker does, match, and follow changes;
    without `changes` matching is all."""
    bundle = load_bundle()
    with tempfile.TemporaryDirectory() as folder, start_redis(Path(folder)) as redis:
        with redis_client.Redis.from_url(redis.url) as client:
            entry_bytes = fill(client, bundle, count)
            redis_bytes = int(str(client.info("memory")["used_memory"]))
        extractor = _Timed(BlockExtractor(bundle))
        stay_on_this_thread()  # as the worker
        pictures, decode_cpu_ms = _pictures(extractor.limits)
        items = [(_EVENT, image) for image in pictures]
        extractor.extract([image for _, image in items])  # compiled and warm from here on
        pipeline = Pipeline(extractor, bundle, load_policy(), lambda: datetime.now(UTC))
        before_mib = _memory_mib()
        preparer = Preparer(bundle.background, load_policy(), every_codec=True)
        follower = RegistryFollower(
            RedisRegistry(redis.url), bundle.digest, prepare=preparer.prepare
        )
        loading = _Timer()
        follower.load()
        loaded = loading.read()
        preparing = _Timer()
        pipeline.judge(items, follower.view())
        prepared = preparing.read()
        if changes:
            follower.start()
        rounds = [_round(pipeline, extractor, items, follower.view()) for _ in range(ROUNDS)]
        held_mib = _memory_mib()
        followed: dict[str, Any] = {}
        if changes:
            followed = follow(redis.url, pipeline, follower, items[:1], changes)
            follower.close()
            followed["replacement_s"] = replace_oldest(redis.url, bundle, follower)
    rows = count * len(conditions_of(CODEC))
    extract, match = (float(np.median([one[i] for one in rounds])) for i in (0, 1))
    return {
        "models": count,
        "decode_cpu_ms": round(decode_cpu_ms, 1),
        "extract_cpu_ms": round(extract, 1),
        "match_cpu_ms": round(match, 2),
        "match_of_batch": round(match / (decode_cpu_ms + extract + match), 3),
        "load_s": loaded,
        "first_batch_s": prepared,
        "memory_mib": {"before": before_mib, "held": held_mib, "most": _most_mib()},
        "entry_bytes": entry_bytes,
        "redis_mib": round(redis_bytes / 2**20),
        "vnni": has_instruction(),
        "floor": floor(rows, extractor.dimension, BATCH),
        **followed,
    }


def follow(
    url: str,
    pipeline: Pipeline,
    follower: RegistryFollower,
    one: Items,
    changes: int,
) -> dict[str, Any]:
    """A change a second by another process, half of them arrivals and half retirements.

    From its EXEC to a verdict that carries its revision; what it costs this process beyond judging
    one picture a change, and beyond looking for changes where none come; and for how long the judge
    stood still, beyond that picture. What this process itself spends on looking is taken off as
    measured before, which other programs disturb: what the follower's thread alone used stands
    beside it, and needs no such difference.
    """
    (thread,) = (one for one in threading.enumerate() if one.name == FOLLOWER)
    of_thread = time.pthread_getcpuclockid(thread.ident or 0)
    began, cpu = time.monotonic(), time.process_time()
    while time.monotonic() < began + IDLE_S:
        follower.view()
        time.sleep(LOOK_S)
    idle = (time.process_time() - cpu) / (time.monotonic() - began)
    thread_cpu = time.clock_gettime(of_thread)
    alone = [_timed(lambda: pipeline.judge(one, follower.view())) for _ in range(ROUNDS)]
    judge_cpu, judge_wall = (float(np.median([a[i] for a in alone])) for i in (0, 1))
    command = [sys.executable, "-m", "benchmarks.registry", "--write", url]
    command += ["--changes", str(changes)]
    delays, stops = [], []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
        began, cpu = time.monotonic(), time.process_time()
        for line in writer.stdout:
            revision, written_at = line.split()
            deadline = time.monotonic() + CHANGE_DEADLINE_S
            while (view := follower.view()).snapshot is None or (
                view.snapshot.revision < int(revision)
            ):
                assert time.monotonic() < deadline, f"revision {revision} did not come"
                time.sleep(LOOK_S)
            started = time.monotonic()
            (result,) = pipeline.judge(one, view)
            stops.append(time.monotonic() - started - judge_wall)
            assert isinstance(result, Judged)
            assert (result.verdict.registry_revision or 0) >= int(revision)
            delays.append(time.time() - float(written_at) - judge_wall)
        lasted = time.monotonic() - began
        used = time.process_time() - cpu - judge_cpu * len(delays) - idle * lasted
        thread_cpu = time.clock_gettime(of_thread) - thread_cpu
    return {
        "changes": len(delays),
        "change_to_use_s": {
            "median": round(float(np.median(delays)), 3),
            "p99": round(float(np.quantile(delays, 0.99)), 3),
        },
        "judge_stops_ms": {
            "median": round(1000 * float(np.median(stops)), 1),
            "most": round(1000 * max(stops), 1),
        },
        "change_cpu_ms": round(1000 * used / len(delays), 1),
        "follower_cpu_ms": round(1000 * thread_cpu / len(delays), 1),
        "changes_per_s": round(len(delays) / lasted, 2),
    }


def replace_oldest(url: str, bundle: Bundle, follower: RegistryFollower) -> dict[str, float]:
    """The oldest model goes and another comes, which a follower that is not started sees at once:
    until it has taken both over."""
    registry = RedisRegistry(url)
    (fresh,) = made_up(bundle, 1, first=950_000)
    registry.retire(bundle.digest, NAME.format(0), by="bench", reason="goes")
    registry.register(fresh, by="bench", reason="comes")
    taking = _Timer()
    assert follower.step(block=False), follower.trouble
    return taking.read()


def _make_changes(url: str, changes: int) -> None:
    """One a second: a model comes, and goes. Prints the revision of each, and when it was there."""
    bundle = load_bundle()
    registry = RedisRegistry(url)
    coming = made_up(bundle, changes, first=900_000)
    print("ready", flush=True)
    held: str | None = None
    for number in range(changes):
        started = time.monotonic()
        if held is None:
            model = next(coming)
            change = registry.register(model, by="bench", reason="comes")
            held = model.model_id
        else:
            change = registry.retire(bundle.digest, held, by="bench", reason="goes")
            held = None
        print(change.revision, time.time(), flush=True)
        if number + 1 < changes:
            time.sleep(max(0.0, 1.0 - (time.monotonic() - started)))


def _pictures(limits: DecodeLimits) -> tuple[list[DecodedImage], float]:
    """The batch, and the processor milliseconds that decoding it takes, without a sandbox."""
    files = sorted(f for f in PHOTOS.iterdir() if f.suffix in (".jpg", ".webp"))
    written = []
    for number in range(BATCH):
        with Image.open(files[number % len(files)]) as file:
            photo = ImageOps.fit(file.convert("RGB"), (SIDE, SIDE))
        data = io.BytesIO()
        photo.save(data, "JPEG", quality=QUALITY)
        written.append(data.getvalue())
    rounds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        found = [decode(one, limits) for one in written]
        rounds.append(1000 * (time.process_time() - began))
    return found, float(np.median(rounds))


class _Timed:
    """The extractor, and the processor seconds that it took so far."""

    def __init__(self, extractor: BlockExtractor) -> None:
        self._extractor = extractor
        self.space, self.dimension = extractor.space, extractor.dimension
        self.limits = extractor.limits
        self.spent_s = 0.0

    def extract(self, images: Sequence[DecodedImage]) -> list[ImageFingerprint | RejectError]:
        """As the extractor does."""
        began = time.process_time()
        try:
            return self._extractor.extract(images)
        finally:
            self.spent_s += time.process_time() - began


def _round(
    pipeline: Pipeline, extractor: _Timed, items: Items, view: RegistryView
) -> tuple[float, float]:
    """Processor milliseconds of extracting one batch, and of all else that judging it takes:
    matching, decision, and verdicts."""
    began, before = time.process_time(), extractor.spent_s
    pipeline.judge(items, view)
    all_s, extract_s = time.process_time() - began, extractor.spent_s - before
    return 1000 * extract_s, 1000 * (all_s - extract_s)


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the processor and by the clock."""
    cpu, began = time.process_time(), time.monotonic()
    work()
    return time.process_time() - cpu, time.monotonic() - began


class _Timer:
    """Seconds by the clock and of the processor since it was made."""

    def __init__(self) -> None:
        self._began, self._cpu = time.monotonic(), time.process_time()

    def read(self) -> dict[str, float]:
        """Both, rounded."""
        return {
            "clock": round(time.monotonic() - self._began, 2),
            "cpu": round(time.process_time() - self._cpu, 2),
        }


def _memory_mib() -> int:
    held: int = psutil.Process().memory_info().rss
    return round(held / 2**20)


def _most_mib() -> int:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def _commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


if __name__ == "__main__":
    main()
