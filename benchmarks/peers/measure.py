"""Rounds of the worker and its peers on one topic; `make bench-peers` runs it.

    python -m benchmarks.peers.measure [--images 4500] [--rounds 3] [--slots 1 2] [--only NAME ...]

Each round runs every contender once, one after another, so that what else the machine does falls on
all alike. All read the same topic of 512x512 JPEGs from its beginning, each with a group and a
topic of verdicts of its own (the worker's outputs are the worker's topics, in both of its modes).
Writes benchmarks/results/peers-DATE.json, and the page and the plot of it.
"""

import argparse
import io
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from kafka import KafkaAdminClient
from PIL import Image, ImageOps

from benchmarks.peers import page
from benchmarks.peers.contenders import CONTENDERS, NAMES, PYTHON, ROOT, WORKER, Services, start
from benchmarks.peers.summary import measured
from benchmarks.peers.watching import Place, Reader, differing, follow
from deploy.services.kafka import start_kafka
from deploy.services.redis import start_redis
from worker.broker.topic_creation import create_topics
from worker.broker.topics import Topics
from worker.outside.submit import submit
from worker.settings.cores import usable_cores

PHOTOS: Final = ROOT / "training" / "demo" / "photos"
SIDE, QUALITY = 512, 85
PARTITIONS: Final = 4
DEADLINE_S: Final = 600.0
STOP_S: Final = 30.0


def main() -> None:
    """Run all rounds and write what came of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--images", type=int, default=4500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slots", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", nargs="+", choices=NAMES, default=list(NAMES))
    parser.add_argument("--output", type=Path, help="JSON alone, without the page")
    options = parser.parse_args()
    if not PYTHON.exists():
        sys.exit(f"{PYTHON} is not there; `make bench-peers` builds it")
    now = datetime.now(UTC)
    document = {
        "command": f"python -m benchmarks.peers.measure {' '.join(sys.argv[1:])}".rstrip(),
        "date": now.isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {usable_cores()} cores",
        "load_before": round(os.getloadavg()[0], 1),
        "commit": _printed("git", "rev-parse", "--short", "HEAD"),
        "images": options.images,
        "versions": _versions(),
        **rounds(options),
    }
    text = json.dumps(document, separators=(",", ":")) + "\n"
    (options.output or page.RESULTS / f"peers-{now:%Y-%m-%d}.json").write_text(text)
    if options.output is None:
        page.write()


def rounds(options: argparse.Namespace) -> dict[str, Any]:
    """Start the services, feed the topic, and run every contender in every round."""
    runs: list[dict[str, Any]] = []
    reference: Mapping[Place, Any] | None = None
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        root = Path(folder)
        kafka = stack.enter_context(start_kafka(root / "kafka"))
        redis = stack.enter_context(start_redis(root / "redis"))
        services = Services(kafka.brokers, redis.url, Topics().images)
        create_topics(kafka.brokers, Topics(), partitions=PARTITIONS)
        import_zoo(services)
        image_bytes = feed(root / "images", options.images, services)
        for number in range(options.rounds):
            for slots in options.slots:
                for name in options.only:
                    run = f"{name}-{slots}-{number}"
                    result, verdicts = _run(name, slots, run, services, root, options.images)
                    if reference is None and name == WORKER:
                        reference = verdicts
                    if reference is not None:
                        result["differing"] = differing(verdicts, reference)
                    runs.append({"contender": name, "slots": slots, "round": number, **result})
                    print(json.dumps(runs[-1]), flush=True)
    return {"image_bytes": image_bytes, "runs": runs}


def _run(
    name: str, slots: int, run: str, services: Services, root: Path, images: int
) -> tuple[dict[str, Any], Mapping[Place, Any]]:
    """One contender over the whole topic: its figures, and its verdicts."""
    verdicts = Topics().verdicts
    if not name.startswith(WORKER):
        verdicts = f"peer.{run}"
        connection = KafkaAdminClient(bootstrap_servers=services.brokers)
        connection.create_topics({verdicts: {"num_partitions": PARTITIONS}})
        connection.wait_for_topics([verdicts])
        connection.close()
    reader = Reader(services.brokers, verdicts)
    folder = root / run
    processes = start(name, slots, f"group-{run}", verdicts, services, folder)
    try:
        delivered, used = follow(reader, processes, images, DEADLINE_S)
    except RuntimeError as error:
        said = "\n".join(log.read_text()[-3000:] for log in sorted(folder.glob("*.log")))
        raise RuntimeError(f"{run}: {error}\n{said}") from error
    finally:
        reader.close()
        stop(processes)
    figures = measured(delivered.made_at_s, used)
    return {**figures, "twice": delivered.twice}, delivered.verdicts


def stop(processes: list["subprocess.Popen[bytes]"]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def import_zoo(services: Services) -> None:
    environment = {**os.environ, "LATENTPRINT_REDIS__URL": services.redis}
    command = [sys.executable, "-m", "worker.program", "registry", "import"]
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)


def feed(folder: Path, images: int, services: Services) -> int:
    """So many different pictures into the topic; bytes of one, on average."""
    folder.mkdir()
    files = sorted(f for f in PHOTOS.iterdir() if f.suffix in (".jpg", ".webp"))
    weight = 0
    for number in range(images):
        with Image.open(files[number % len(files)]) as file:
            # Another cut each time a photograph comes round, so that no picture comes twice.
            at = (number * 0.37 % 1, number * 0.61 % 1)
            picture = ImageOps.fit(file.convert("RGB"), (SIDE, SIDE), bleed=0.05, centering=at)
        data = io.BytesIO()
        picture.save(data, "JPEG", quality=QUALITY)
        weight += len(data.getvalue())
        (folder / f"{number:05d}.jpg").write_bytes(data.getvalue())
    submit([folder], brokers=services.brokers, topic=services.images)
    return round(weight / images)


def _versions() -> dict[str, str]:
    """What the peers' environment holds of each, and of what all share."""
    wanted = sorted({contender.distribution for contender in CONTENDERS} | {"torch", "numba"})
    code = (
        "import sys;from importlib.metadata import version;"
        "print(*[version(n) for n in sys.argv[1:]])"
    )
    found = _printed(str(PYTHON), "-c", code, *wanted).split()
    return dict(zip(wanted, found, strict=True))


def _printed(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout.strip()


if __name__ == "__main__":
    main()
