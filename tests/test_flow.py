"""The tutorial: an image goes in as an event, a verdict comes out. Read it from top to bottom.

Nothing is replaced by a stand-in. Kafka and Redis are real servers (tests/conftest.py starts
them), the worker is the real program in a process of its own with the bundle that the project
ships, and every step is a command as a user types it.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from deploy.services.kafka import RunningKafka
from tests.waiting import wait_for
from tests.worker.broker.reading import read_all
from training.demo.files import PHOTO_FOLDER
from training.zoo.catalog import CATALOG, HELD_OUT
from training.zoo.generate import generate, load_generator

ROOT = Path(__file__).resolve().parent.parent
PHOTOS = ("china.jpg", "chelsea.png", "koala.webp")
IMAGES = 24  # of each generator; at least MOSTLY of them must be answered rightly
MOSTLY = 21
SOME = 8  # of a sibling that nobody registered: at 64 pixels about two thirds are found
SEED = 1_000_000  # images that neither training nor enrolment nor evaluation has drawn

Document = dict[str, Any]


class Program:
    """`latentprint`, with everything it must know in its environment."""

    def __init__(self, brokers: str, redis_url: str, folder: Path) -> None:
        self.prefix = f"flow-{uuid.uuid4().hex[:8]}."
        self._folder = folder
        settings = {
            "KAFKA__BROKERS": brokers,
            "KAFKA__PREFIX": self.prefix,
            "KAFKA__GROUP": f"{self.prefix}worker",
            "REDIS__URL": redis_url,
            "LOGGING__FORMAT": "json",
            "STATE": str(folder / "no-services.json"),
        }
        others = {k: v for k, v in os.environ.items() if not k.startswith("LATENTPRINT_")}
        self._environment = others | {f"LATENTPRINT_{k}": v for k, v in settings.items()}

    def __call__(self, *arguments: str | Path, exit_code: int = 0) -> list[Document]:
        """Run `latentprint ARGUMENTS --json` and return the documents that it prints."""
        ended = subprocess.run(
            [*self._command(arguments), "--json"],
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert ended.returncode == exit_code, f"{arguments}: {ended.stdout}\n{ended.stderr}"
        return [json.loads(line) for line in ended.stdout.splitlines()]

    @contextmanager
    def running_worker(self) -> Iterator["Worker"]:
        """`latentprint run`, ready to take events; killed at the latest when the block is left."""
        log = self._folder / "worker.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                self._command(["run", "--json"]),
                env=self._environment,
                stdout=output,
                stderr=output,
            )
        try:
            worker = Worker(process, log)
            worker.wait_logged('"event": "ready"')
            yield worker
        finally:
            process.kill()
            process.wait()

    def _command(self, arguments: Sequence[str | Path]) -> list[str]:
        return [sys.executable, "-m", "worker.program", *map(str, arguments)]


class Worker:
    """The worker's process and what it logs."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self._process = process
        self._log = log

    def wait_logged(self, text: str) -> None:
        def seen() -> bool:
            assert self._process.poll() is None, f"the worker ended: {self._log.read_text()}"
            return text in self._log.read_text()

        wait_for(seen, f"{text!r} in {self._log}", deadline_s=120)

    def stop(self) -> int:
        """SIGTERM, and the exit code of the drained process."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=60)


def save_generated(name: str, count: int, seed: int, folder: Path) -> None:
    """PNG files that a GAN of the zoo made."""
    folder.mkdir(parents=True)
    for number, image in enumerate(generate(load_generator(name), count, seed)):  # (3, H, W)
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"{number:02d}.png")


def outcomes(documents: Sequence[Document], folder: str) -> Counter[tuple[str, str | None]]:
    """How often each (outcome, model named) was given to the images of one folder."""
    below = [d for d in documents if str(d["subject"]).startswith(f"{folder}/")]
    return Counter((d["outcome"], d["model"]) for d in below)


def test_from_image_event_to_verdict(kafka: RunningKafka, redis_url: str, tmp_path: Path) -> None:
    latentprint = Program(kafka.brokers, redis_url, tmp_path)
    registered = [name for name in CATALOG if name != HELD_OUT]

    # 1. Workers never create topics: an operator does, once, with the right sizes.
    (created,) = latentprint("topics", "create", "--partitions", "2")
    assert {topic["name"].removeprefix(latentprint.prefix) for topic in created["topics"]} == {
        "images",
        "verdicts",
        "alerts",
        "dead-letters",
        "redrives",
        "notify-dead-letters",
        "dead-letter-decisions",
        "fingerprints",
    }

    # 2. The registry starts with the generators that the extractor bundle brings. One GAN of the
    #    zoo is kept out of it, and out of everything the extractor has seen: the unknown one.
    (imported,) = latentprint("registry", "import")
    assert imported["imports"][0]["added"] == registered

    with latentprint.running_worker() as worker:
        # 3. A platform's uploads: photos, images of the GANs, and a file that broke on the way.
        uploads = tmp_path / "uploads"
        (uploads / "photos").mkdir(parents=True)
        for photo in PHOTOS:
            shutil.copy(PHOTO_FOLDER / photo, uploads / "photos")
        for place, name in enumerate(CATALOG):
            save_generated(name, IMAGES, SEED + place, uploads / name)
        (uploads / "broken").mkdir()
        half = (PHOTO_FOLDER / "china.jpg").read_bytes()[:50_000]
        (uploads / "broken" / "half.jpg").write_bytes(half)
        count = len(PHOTOS) + len(CATALOG) * IMAGES + 1

        (summary,) = latentprint("submit", uploads)
        assert summary["submitted"] == count

        # 4. Every event is answered once: by a verdict, or by a dead letter that says why not.
        answers = latentprint("watch", "--from-start", "--count", str(count))
        assert len({answer["subject"] for answer in answers}) == count
        verdicts = [answer for answer in answers if answer["record"] == "verdict"]
        (letter,) = [answer for answer in answers if answer["record"] == "dead_letter"]
        assert (letter["subject"], letter["code"]) == ("broken/half.jpg", "decode.truncated")

        # 5. No evidence against the photos; the registered GANs are named; the other one is found
        #    to be synthetic, but of a generator that nobody registered.
        assert outcomes(verdicts, "photos") == {("no_evidence", None): len(PHOTOS)}
        for name in registered:
            assert outcomes(verdicts, name)["attributed", name] >= MOSTLY
        assert outcomes(verdicts, HELD_OUT)["unknown_generator", None] >= SOME

        # 6. A verdict can be reproduced: it names the image, the bundle, the registry's revision
        #    and the policy. It states what both tests against real photographs found, registered
        #    generators first and then with none registered, and how far they can be trusted.
        (verdict,) = [v for v in verdicts if v["subject"] == "photos/china.jpg"]
        assert verdict["bundle_digest"] == imported["imports"][0]["space"]
        assert verdict["registry_revision"] == imported["imports"][0]["revision"]
        assert len(verdict["policy_digest"]) == 64
        assert (verdict["image"]["width"], verdict["image"]["height"]) == (640, 427)
        names, generic = verdict["name_test"], verdict["real_test"]
        assert names["p_value"] > names["alpha"]
        assert generic["p_value"] > generic["alpha"]
        assert generic["false_positive_bound"] < 0.05
        assert names["calibration_count"] > names["source_count"] > 1
        assert "jpeg" in verdict["evidence"]["codec"]

        # 7. In Kafka each verdict lies under the key of its image event, here the path; those
        #    that are flagged have raised an alert.
        records = read_all(kafka.brokers, f"{latentprint.prefix}verdicts")
        keys = {json.loads(record.value)["subject"]: record.key for record in records}
        assert len(keys) == len(records) == len(verdicts)
        assert all(key == subject.encode() for subject, key in keys.items())
        alerts = read_all(kafka.brokers, f"{latentprint.prefix}alerts")
        assert {json.loads(alert.value)["subject"] for alert in alerts} == {
            v["subject"] for v in verdicts if v["flagged"]
        }

        # 8. The unknown generator gets a name: registered from samples while the worker runs.
        samples = tmp_path / "samples"
        save_generated(HELD_OUT, 50, SEED + 100, samples)
        (report,) = latentprint("register", HELD_OUT, samples)
        assert report["registered"]
        assert report["refusals"] == []
        worker.wait_logged(f'"revision": {report["revision"]}')

        # 9. Its next images are attributed; no worker was restarted, nothing was trained.
        later = tmp_path / "later"
        save_generated(HELD_OUT, IMAGES, SEED + 200, later / "new")
        latentprint("submit", later)
        everything = latentprint("watch", "--from-start", "--count", str(count + IMAGES))
        assert outcomes(everything, "new")["attributed", HELD_OUT] >= MOSTLY

        # 10. SIGTERM: the worker finishes what it holds, commits it, and exits with 0. There were
        #     no more answers than events.
        assert worker.stop() == 0
    final = latentprint("watch", "--from-start", "--until-idle", "1")
    assert Counter(a["subject"] for a in final) == Counter(a["subject"] for a in everything)
    assert len(final) == count + IMAGES
