"""One measurement at a time: computed once, kept as JSON with what fixes it, and found again.

A measurement is fixed by its configuration (recipes, counts of images, digests of the generators'
weights). Its file is `RESULTS/NAME.json`; as long as the configuration's digest is the one in the
file, it is not computed again. So a run that was interrupted goes on where it stopped, a page can
be written anew in seconds, and what is published names the commit, date and machine it came from.
"""

import functools
import hashlib
import json
import os
import platform
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from training.data.lock import locked, locked_when_free
from training.paper.devices import Place, wait_for_all
from worker.errors import StopError
from worker.settings.cores import usable_cores

Config = Mapping[str, Any]
Result = dict[str, Any]


@dataclass(frozen=True)
class Measured:
    """A result and how it came about; `seconds` by the clock, on a machine that may be busy."""

    name: str
    digest: str
    config: dict[str, Any]
    result: Result
    seconds: float
    date: str
    commit: str
    machine: str


@dataclass(frozen=True)
class Measurement:
    """What is to be measured: a path-like name, all that fixes it, and the work itself.

    `shared` work is done by all processes of `torchrun` together; other work by the first.
    """

    name: str
    config: Config
    compute: Callable[[], Result]
    shared: bool = False

    @property
    def digest(self) -> str:
        """Of the configuration: 16 hexadecimal digits of its SHA-256."""
        return digest_of(self.config)


def digest_of(config: Config) -> str:
    """16 hexadecimal digits of the SHA-256 of a configuration as sorted JSON."""
    text = json.dumps(config, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Results:
    """The measurements below a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """The file of a measurement."""
        return self.folder / f"{name}.json"

    def find(self, name: str) -> Measured | None:
        """What was last measured under a name; None where nothing was."""
        path = self.path(name)
        if not path.is_file():
            return None
        try:
            return Measured(**json.loads(path.read_text()))
        except (ValueError, TypeError) as error:
            raise StopError(
                f"{path} is not a measurement of this version ({error}); remove it, and"
                " `latentprint train reproduce` makes it anew"
            ) from error

    def current(self, measurement: Measurement) -> Measured | None:
        """What was measured under the same configuration; None where it is still to do."""
        found = self.find(measurement.name)
        return found if found is not None and found.digest == measurement.digest else None

    def keep(self, measurement: Measurement, result: Result, seconds: float) -> Measured:
        """Write a measurement's file in one step."""
        measured = Measured(
            measurement.name,
            measurement.digest,
            json.loads(json.dumps(dict(measurement.config))),
            result,
            round(seconds, 1),
            datetime.now(UTC).date().isoformat(),
            commit(),
            machine(),
        )
        path = self.path(measurement.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".part")
        draft.write_text(json.dumps(asdict(measured), indent=1) + "\n")
        os.replace(draft, path)
        return measured


def measure_missing(
    measurements: Sequence[Measurement],
    results: Results,
    locks: Path,
    say: Callable[[str], None],
    place: Place,
) -> None:
    """Compute what is not there yet, in order.

    The same command may be started once for each processor core: what another process is at is
    left to it in a first round, and waited for in a second. The processes of `torchrun` go
    through the list together instead.
    """
    if place.world > 1:
        for measurement in measurements:
            _measure_together(measurement, results, say, place)
        return
    for wait in (False, True):
        for measurement in measurements:
            if results.current(measurement) is not None:
                continue
            lock = locks / measurement.name.replace("/", "-")
            with locked_when_free(lock) if wait else locked(lock) as held:
                if held and results.current(measurement) is None:
                    _measure(measurement, results, say)


def _measure(measurement: Measurement, results: Results, say: Callable[[str], None]) -> None:
    say(f"{measurement.name}: measuring, at commit {commit()}")
    began = time.monotonic()
    result = measurement.compute()
    results.keep(measurement, result, time.monotonic() - began)
    say(f"{measurement.name}: done in {time.monotonic() - began:.0f} s")


def _measure_together(
    measurement: Measurement, results: Results, say: Callable[[str], None], place: Place
) -> None:
    done = results.current(measurement) is not None
    wait_for_all(place)  # nobody writes the file before all have looked for it
    if not done and place.first:
        _measure(measurement, results, say)
    elif not done and measurement.shared:
        measurement.compute()
    wait_for_all(place)


def machine() -> str:
    """Processor, cores or GPU, and versions, as the pages name them."""
    device = (
        torch.cuda.get_device_name()
        if torch.cuda.is_available()
        else f"{usable_cores()} cores of {_processor()}"
    )
    return f"{device}, Python {platform.python_version()}, torch {torch.__version__}"


def _processor() -> str:
    """Its name, and whether it multiplies bfloat16 itself, which moves results a little."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    facts = (line.split(":", 1) for line in lines if ":" in line)
    known = {name.strip(): text.strip() for name, text in facts}
    flags = known.get("flags", "").split()
    own = next((flag for flag in ("amx_bf16", "avx512_bf16") if flag in flags), "no bfloat16")
    return f"{known.get('model name', platform.machine())} ({own})"


@functools.cache
def commit() -> str:
    """The commit of the checkout, with "+" where code differs from it; "unknown" outside one.

    As it was at the first call, which is before anything is measured.
    """
    here = ["git", "-C", str(Path(__file__).parent)]
    head = subprocess.run(
        [*here, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    )
    changed = subprocess.run(
        [*here, "status", "--porcelain", "--untracked-files=no", "--", ":(top)*.py"],
        capture_output=True,
        text=True,
        check=False,
    )
    if head.returncode != 0:
        return "unknown"
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")
