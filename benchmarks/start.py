"""How long the program takes to start, and what a slot holds that waits.

    python -m benchmarks.start [--rounds 5] [--output FILE]
    python -m benchmarks.start_page     writes docs/operations/start.md of the newest of those files

Warm: what Python and numba keep of their compiling is there, as after a first start. It is kept in
folders of this benchmark's own, so that the cold starts, once with neither and once without the
loops, are cold. Kafka and Redis are real, and there is no card. Processor time is that of the
process and of all that it started.
"""

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psutil
from PIL import Image

from deploy.services.kafka import start_kafka
from deploy.services.redis import start_redis
from worker.broker.topic_creation import create_topics
from worker.broker.topics import Topics
from worker.settings.cores import usable_cores

ROOT: Final = Path(__file__).resolve().parents[1]
PHOTO: Final = ROOT / "training" / "demo" / "photos" / "fog.jpg"
SIDE: Final = 512
QUALITY: Final = 85
IDLE_S: Final = 3.0
"""After it is ready, before its memory is read: what it starts with is done by then."""

TORCH: Final = ("-c", "import torch")
Environment = Mapping[str, str]
Taken = tuple[float, float]
"""Seconds by the clock, and of processor time."""


def main() -> None:
    """Print the figures as JSON; with --output also into a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    document = {
        "command": f"python -m benchmarks.start --rounds {options.rounds}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {usable_cores()} cores",
        "load_before": round(os.getloadavg()[0], 1),
        "rounds": options.rounds,
        "side": SIDE,
        "jpeg_quality": QUALITY,
        **measure(options.rounds),
    }
    print(json.dumps(document, indent=1))
    if options.output is not None:
        options.output.write_text(json.dumps(document, indent=1) + "\n")


def measure(rounds: int) -> dict[str, Any]:
    """Every start in turn, so often; medians and the least, and what was measured once."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        root = Path(folder)
        kafka = stack.enter_context(start_kafka(root / "kafka"))
        redis = stack.enter_context(start_redis(root / "redis"))
        create_topics(kafka.brokers, Topics(), partitions=4)
        closed = stack.enter_context(_closed_port())
        jpeg, png = _pictures(root)
        warm = _environment(root / "warm", kafka.brokers, redis.url)
        no_redis = {**warm, "LATENTPRINT_REDIS__URL": f"redis://{closed}/0"}
        cold = {
            "nothing_kept": _ended(("scan", jpeg), _environment(root / "cold", "", "")),
            "loops_not_kept": _ended(
                ("scan", jpeg),
                {**_environment(root / "cold", "", ""), "NUMBA_CACHE_DIR": str(root / "empty")},
            ),
        }
        _ended(("registry", "import"), warm)
        starts: dict[str, Callable[[], Taken]] = {
            "help": lambda: _ended(("--help",), warm),
            "scan_jpeg": lambda: _ended(("scan", jpeg), _alone(warm)),
            "scan_png": lambda: _ended(("scan", png), _alone(warm)),
            "kafka_refused": lambda: _ended(("run", "--brokers", closed), warm, code=3),
            "redis_awaited": lambda: _until(b'"registry_awaited"', no_redis),
            "ready": lambda: _until(b'"ready"', warm),
            "torch": lambda: _taken([sys.executable, *TORCH], warm),
        }
        for start in starts.values():
            start()  # what is kept is there from here on
        taken: dict[str, list[Taken]] = {name: [] for name in starts}
        for _ in range(rounds):
            for name, start in starts.items():
                taken[name].append(start())
        return {
            "starts": {name: _medians(all_taken) for name, all_taken in taken.items()},
            "cold": {name: _medians([one]) for name, one in cold.items()},
            "idle": _idle(warm),
            "torch_mib": _torch_mib(warm),
        }


def _environment(kept: Path, brokers: str, redis: str) -> dict[str, str]:
    """That of a start, with what Python and numba keep in `kept`."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("LATENTPRINT_")}
    own.pop("PYTHONDONTWRITEBYTECODE", None)
    return {
        **own,
        "PYTHONPYCACHEPREFIX": str(kept / "python"),
        "NUMBA_CACHE_DIR": str(kept / "loops"),
        "LATENTPRINT_EXTRACT__DEVICE": "cpu",
        **({"LATENTPRINT_KAFKA__BROKERS": brokers} if brokers else {}),
        **({"LATENTPRINT_REDIS__URL": redis} if redis else {}),
    }


def _alone(environment: Environment) -> Environment:
    """Without a registry of its own: as somebody tries it."""
    return {k: v for k, v in environment.items() if not k.startswith("LATENTPRINT_REDIS")}


def _pictures(folder: Path) -> tuple[str, str]:
    with Image.open(PHOTO) as file:
        picture = file.convert("RGB").crop((0, 0, SIDE, SIDE))
    jpeg, png = folder / "photo.jpg", folder / "photo.png"
    picture.save(jpeg, quality=QUALITY)
    picture.save(png)
    return str(jpeg), str(png)


@contextmanager
def _closed_port() -> Iterator[str]:
    """An address where nobody listens, and nobody else comes to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield "{}:{}".format(*taken.getsockname())


def _program(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "worker.program", *arguments]


def _ended(arguments: Sequence[str], environment: Environment, *, code: int = 0) -> Taken:
    return _taken(_program(arguments), environment, code=code)


def _taken(command: list[str], environment: Environment, *, code: int = 0) -> Taken:
    """What a process took that ended by itself."""
    began = time.monotonic()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == code, said.decode()
    return time.monotonic() - began, used.ru_utime + used.ru_stime


@contextmanager
def _running(word: bytes, environment: Environment) -> Iterator[tuple[psutil.Process, float]]:
    """`latentprint run` once it said `word`, and when it was started; drained at the end."""
    began = time.monotonic()
    with subprocess.Popen(
        _program(("run", "--json")),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        said = []
        for line in process.stderr:
            said.append(line)
            if word in line:
                break
        else:
            raise AssertionError(b"".join(said).decode())
        try:
            yield psutil.Process(process.pid), began
        finally:
            process.terminate()
            process.stderr.read()


def _until(word: bytes, environment: Environment) -> Taken:
    with _running(word, environment) as (process, began):
        wall = time.monotonic() - began
        return wall, sum(map(_processor_s, [process, *process.children(recursive=True)]))


def _processor_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def _medians(taken: Sequence[Taken]) -> dict[str, float]:
    wall, processor = zip(*taken, strict=True)
    return {
        "wall_s": round(statistics.median(wall), 2),
        "wall_least_s": round(min(wall), 2),
        "cpu_s": round(statistics.median(processor), 2),
    }


def _idle(environment: Environment) -> dict[str, Any]:
    """MiB of a slot that waits, pages that processes share counted in parts (PSS)."""
    with _running(b'"ready"', environment) as (worker, _):
        time.sleep(IDLE_S)
        templates = worker.children()
        children = [child for template in templates for child in template.children()]
        mib = {"worker": [worker], "templates": templates, "children": children}
        return {
            "decoders": len(templates),
            "worker_threads": worker.num_threads(),
            **{f"{name}_mib": _held_mib(processes) for name, processes in mib.items()},
            "all_mib": _held_mib([worker, *templates, *children]),
        }


def _held_mib(processes: Sequence[psutil.Process]) -> int:
    held: int = sum(process.memory_full_info().pss for process in processes)
    return round(held / 2**20)


def _torch_mib(environment: Environment) -> int:
    """What a process holds that loaded torch, and nothing else."""
    code = (TORCH[0], TORCH[1] + "; print(flush=True); input()")
    with subprocess.Popen(
        [sys.executable, *code], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdout.readline()
        held = _held_mib([psutil.Process(process.pid)])
        process.stdin.write(b"\n")
        process.stdin.flush()
    return held


if __name__ == "__main__":
    main()
