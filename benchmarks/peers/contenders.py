"""How each contender is started: the worker in both of its modes, and the peers."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.services.ports import free_port
from worker.settings.cores import decoders_for, usable_cores

ROOT: Final = Path(__file__).resolve().parents[2]
PYTHON: Final = ROOT / ".venv-peers" / "bin" / "python"
"""Of the environment that `make bench-peers` builds."""

ONE_THREAD: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)


@dataclass(frozen=True, slots=True)
class Contender:
    """One of those who are compared."""

    name: str
    distribution: str
    """Whose version the page names."""

    delivery: str
    lacks: str
    """What it does not do that the worker does, for the page."""


WORKER: Final = "worker"
CONTENDERS: Final = (
    Contender(WORKER, "latentprint", "exactly once", ""),
    Contender("worker-at-least-once", "latentprint", "at least once", "exactly once"),
    Contender(
        "plain",
        "kafka-python",
        "at least once",
        "sandbox, registry following, dead letters, exactly once",
    ),
    Contender("quix", "quixstreams", "exactly once", "sandbox, registry following, dead letters"),
    Contender(
        "bytewax",
        "bytewax",
        "at least once, by its recovery store",
        "sandbox, registry following, dead letters, exactly once, consumer group: partitions do"
        " not move when a process ends",
    ),
    Contender(
        "arroyo",
        "sentry-arroyo",
        "at least once",
        "sandbox, registry following, exactly once (dead letters it has, unused here)",
    ),
    Contender(
        "faust",
        "faust-streaming",
        "at least once",
        "sandbox, registry following, dead letters, exactly once (its documentation has it; left"
        " off here)",
    ),
)
NAMES: Final = tuple(contender.name for contender in CONTENDERS)


@dataclass(frozen=True, slots=True)
class Services:
    """The services that all share, and the topic that all read."""

    brokers: str
    redis: str
    images: str


def start(
    name: str,
    slots: int,
    group: str,
    verdicts: str,
    services: Services,
    folder: Path,
    **further: str,
) -> list["subprocess.Popen[bytes]"]:
    """So many processes of a contender; each says what is wrong in `folder`.

    `further` are variables of their environment.
    """
    folder.mkdir(parents=True)
    ports = [free_port() for _ in range(slots)]
    started = []
    for slot in range(slots):
        command, settings = _command(name, slot, ports, folder)
        environment = {
            **os.environ,
            **ONE_THREAD,
            "PYTHONPATH": str(ROOT),
            "PEER_BROKERS": services.brokers,
            "PEER_REDIS": services.redis,
            "PEER_IMAGES": services.images,
            "PEER_VERDICTS": verdicts,
            "PEER_GROUP": group,
            "LATENTPRINT_KAFKA__BROKERS": services.brokers,
            "LATENTPRINT_REDIS__URL": services.redis,
            "LATENTPRINT_KAFKA__GROUP": group,
            # As `latentprint run --slots` shares them out.
            "LATENTPRINT_DECODE__PROCESSES": str(decoders_for(usable_cores(), slots)),
            "LATENTPRINT_LOGGING__LEVEL": "warning",
            **settings,
            **further,
        }
        with (folder / f"{slot}.log").open("wb") as log:
            started.append(
                subprocess.Popen(command, env=environment, cwd=folder, stdout=log, stderr=log)
            )
    return started


def _command(
    name: str, slot: int, ports: Sequence[int], folder: Path
) -> tuple[list[str], Mapping[str, str]]:
    """What is run for one slot, and the settings of its own."""
    peers = [str(PYTHON), "-m"]
    match name:
        case "worker" | "worker-at-least-once":
            mode = "exactly_once" if name == WORKER else "at_least_once"
            run = [sys.executable, "-m", "worker.program", "run", "--slot", str(slot)]
            return run, {"LATENTPRINT_DELIVERY__MODE": mode}
        case "bytewax":
            return [*peers, "bytewax.run", *_cluster(slot, ports, folder)], {}
        case "faust":
            # Each process keeps its state in a folder of its own.
            run = [*peers, "benchmarks.peers.faust_peer", "--datadir", str(folder / f"at-{slot}")]
            return [*run, "worker", "--without-web", "-l", "warn"], {}
        case "arroyo":
            return [*peers, "benchmarks.peers.arroyo_peer"], {}
        case _:
            return [*peers, f"benchmarks.peers.{name}"], {}


def _cluster(slot: int, ports: Sequence[int], folder: Path) -> list[str]:
    """bytewax divides partitions among the processes of a cluster; recovery is theirs together."""
    store = folder / "recovery"
    if not store.exists():
        store.mkdir()
        made = [str(PYTHON), "-m", "bytewax.recovery", str(store), "1"]
        subprocess.run(made, check=True, capture_output=True)
    arguments = ["benchmarks.peers.wax:dataflow()", "-r", str(store), "-s", "1", "-b", "0"]
    if len(ports) > 1:
        addresses = ";".join(f"127.0.0.1:{port}" for port in ports)
        arguments += ["-i", str(slot), "-a", addresses]
    return arguments
