"""The worker beside what it was at an earlier commit: processor time of an image, file to verdict.

    python -m benchmarks.against [--commit 1bc704b] [--rounds 8] [--images 32] [--output FILE]

The commit is checked out into a temporary folder and runs in this environment, with its own bundle
and its own zoo as registry. Both decode the same files in a sandboxed child and judge them in
batches of 16, each with one thread, in turns. Counted is the processor time of the whole tree of
processes, those that ended included; Kafka and Redis are no part of it. The files are photographs
of 512x512 from the demo, as JPEG of quality 90 and as PNG; quote the ratios.
"""

import argparse
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageOps

from benchmarks.peers.watching import processor_s
from worker.settings.cores import usable_cores

ROOT: Final = Path(__file__).resolve().parents[1]
PHOTOS: Final = ROOT / "training" / "demo" / "photos"
SIDE: Final = 512
QUALITY: Final = 90


class Contender:
    """The worker of one tree, in a process of its own with children of its own."""

    def __init__(self, tree: Path) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(tree),
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        command = [sys.executable, str(ROOT / "benchmarks" / "against_child.py")]
        self.process = subprocess.Popen(
            command, cwd=tree, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._said()

    def round(self, folder: Path) -> dict[str, float]:
        """Judge the files of a folder: milliseconds of processor time an image, by stage."""
        count = len(list(folder.iterdir()))
        before = processor_s([self.process])
        assert self.process.stdin is not None
        self.process.stdin.write(f"{folder}\n".encode())
        self.process.stdin.flush()
        answer = json.loads(self._said())
        whole = processor_s([self.process]) - before
        return {
            "all": whole * 1000 / count,
            "decode": (whole - answer["judging_s"]) * 1000 / count,
            "extract": answer["extract_s"] * 1000 / count,
            "determined": answer["determined"],
        }

    def end(self) -> None:
        """Let it end by itself."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(60)

    def _said(self) -> bytes:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"a contender ended with {self.process.wait()}; see its error above")
        return line


def main() -> None:
    """Print the results as JSON; with --output also into a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--commit", default="1bc704b")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    document = {
        "command": f"python -m benchmarks.against --commit {options.commit}"
        f" --rounds {options.rounds} --images {options.images}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {usable_cores()} cores",
        "load_before": round(os.getloadavg()[0], 1),
        "commit": _git("rev-parse", "--short", "HEAD"),
        "against": options.commit,
        **measure(options.commit, options.rounds, options.images),
    }
    text = json.dumps(document, separators=(",", ":")) + "\n"
    sys.stdout.write(text)
    if options.output is not None:
        options.output.write_text(text, encoding="utf-8")


def measure(commit: str, rounds: int, images: int) -> dict[str, Any]:
    """Rounds of both contenders in turns, by format: least and median, and ratios by round."""
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        root = Path(scratch)
        folders = pictures(root, images)
        former = stack.enter_context(checked_out(commit, root / "former"))
        contenders = {"now": Contender(ROOT), "then": Contender(former)}
        for contender in contenders.values():
            stack.callback(contender.end)
        runs: dict[str, dict[str, list[dict[str, float]]]] = {
            kind: {name: [] for name in contenders} for kind in folders
        }
        for number in range(rounds + 1):
            for kind, folder in folders.items():
                for name, contender in contenders.items():
                    one = contender.round(folder)
                    if number:  # the first fills caches
                        runs[kind][name].append(one)
    return {
        "rounds": rounds,
        "images": images,
        "formats": {kind: _summary(own["now"], own["then"]) for kind, own in runs.items()},
    }


def pictures(root: Path, images: int) -> dict[str, Path]:
    """Folders of the same pictures as JPEG and as PNG, by format."""
    folders = {kind: root / kind for kind in ("jpeg", "png")}
    for folder in folders.values():
        folder.mkdir()
    files = sorted(f for f in PHOTOS.iterdir() if f.suffix in (".jpg", ".webp"))
    for number in range(images):
        with Image.open(files[number % len(files)]) as file:
            at = (number * 0.37 % 1, number * 0.61 % 1)
            picture = ImageOps.fit(file.convert("RGB"), (SIDE, SIDE), bleed=0.05, centering=at)
        for kind, folder in folders.items():
            data = io.BytesIO()
            picture.save(data, kind.upper(), **({"quality": QUALITY} if kind == "jpeg" else {}))
            (folder / f"{number:05d}").write_bytes(data.getvalue())
    return folders


@contextmanager
def checked_out(commit: str, folder: Path) -> Iterator[Path]:
    """The tree of a commit of this repository, for a while."""
    _git("worktree", "add", "--detach", "--force", str(folder), commit)
    try:
        yield folder
    finally:
        _git("worktree", "remove", "--force", str(folder))


def _summary(now: list[dict[str, float]], then: list[dict[str, float]]) -> dict[str, Any]:
    ratios = [one["all"] / other["all"] for one, other in zip(now, then, strict=True)]
    return {
        "now": _spread(now),
        "then": _spread(then),
        "ratio": round(statistics.median(ratios), 3),
        "ratio_range": [round(min(ratios), 3), round(max(ratios), 3)],
    }


def _spread(rounds: list[dict[str, float]]) -> dict[str, Any]:
    parts = ("all", "decode", "extract")
    return {
        "least_ms": {part: round(min(one[part] for one in rounds), 2) for part in parts},
        "median_ms": {
            part: round(statistics.median(one[part] for one in rounds), 2) for part in parts
        },
        "determined": int(rounds[-1]["determined"]),
    }


def _git(*command: str) -> str:
    done = subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"git {' '.join(command)} failed: {done.stderr.strip()}")
    return done.stdout.strip()


if __name__ == "__main__":
    main()
