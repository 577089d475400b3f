"""The worker as the demo runs it: the real program in a process of its own, and its settings."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from worker.errors import StopError
from worker.settings_sources import PREFIX

GROUP = "latentprint-demo"
DRAIN_S = 25.0
"""The worker promises to end within 20 s of SIGTERM."""

# The user's settings for extractor, policy and decoder hold in the demo too; what says where
# services are and how events are delivered is the demo's own.
_USERS_OWN = ("EXTRACT__", "DECISION__", "DECODE__", "CACHE")
_REGISTER_S = 300.0


class ServerProcess(Protocol):
    """What the demo needs of a started process; deploy.services.processes has it."""

    def running(self) -> bool: ...

    def stop(self, *, grace_s: float) -> None: ...

    def wait(self, deadline_s: float) -> int: ...

    def log_tail(self) -> str: ...

    def log_of_this_start(self) -> str: ...


def users_settings() -> dict[str, str]:
    """The user's own LATENTPRINT_* variables that hold in the demo too."""
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith(PREFIX) and name.removeprefix(PREFIX).startswith(_USERS_OWN)
    }


def settings_of_demo(brokers: str, redis_url: str, folder: Path) -> dict[str, str]:
    """The LATENTPRINT_* variables under which worker and `register` run."""
    return users_settings() | {
        f"{PREFIX}PROFILE": "local",
        f"{PREFIX}KAFKA__BROKERS": brokers,
        f"{PREFIX}KAFKA__GROUP": GROUP,
        f"{PREFIX}REDIS__URL": redis_url,
        f"{PREFIX}DELIVERY__MODE": "exactly_once",
        f"{PREFIX}LOGGING__FORMAT": "json",
        # A file that is not there: services that the user keeps running are none of the demo's.
        f"{PREFIX}STATE": str(folder / "no-services.json"),
    }


def environment_for(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with these LATENTPRINT_* variables and no others."""
    others = {n: value for n, value in os.environ.items() if not n.startswith(PREFIX)}
    return {**others, **settings}


def worker_command(settings: Mapping[str, str], slots: int) -> list[str]:
    """`latentprint run --json` under exactly these settings, whatever the environment says."""
    dropped = [part for n in os.environ if n.startswith(PREFIX) for part in ("-u", n)]
    given = [f"{name}={value}" for name, value in settings.items()]
    many = ["--slots", str(slots)] if slots > 1 else []
    return ["env", *dropped, *given, *program(), "run", *many, "--json"]


def program() -> list[str]:
    """The program with the Python that runs this, whether or not a script is on the PATH."""
    return [sys.executable, "-m", "worker.program"]


class DemoWorker:
    """The running worker."""

    def __init__(self, process: ServerProcess) -> None:
        self._process = process
        self._ready_at: float | None = None

    def check(self) -> None:
        """Raises StopError with the end of its log when the worker has ended by itself."""
        if not self._process.running():
            raise StopError(
                f"the worker ended by itself, with exit code {self._process.wait(1.0)}, so that no"
                f" more verdicts come. {self._process.log_tail()}\nMend what it says, or try"
                " `latentprint run` by hand against `latentprint services up`"
            )

    def ready_at(self) -> float | None:
        """When (monotonic seconds) the worker was first seen to be ready; None before."""
        if self._ready_at is None and '"event": "ready"' in self._process.log_of_this_start():
            self._ready_at = time.monotonic()
        return self._ready_at

    def log_tail(self) -> str:
        """The end of its log, for messages."""
        return self._process.log_tail()

    def drain(self) -> None:
        """SIGTERM, and StopError unless the worker finishes its events and exits with code 0."""
        self._process.stop(grace_s=DRAIN_S)
        code = self._process.wait(1.0)
        if code != 0:
            raise StopError(
                f"the worker ended with exit code {code} after SIGTERM, expected 0 within"
                f" {DRAIN_S:g} s; it did not drain. {self._process.log_tail()}"
            )

    def end(self) -> None:
        """Whatever happened, the worker is gone afterwards. Safe to call twice."""
        self._process.stop(grace_s=DRAIN_S)


def register(
    name: str, folder: Path, settings: Mapping[str, str], meanwhile: Callable[[], None]
) -> str:
    """`latentprint register NAME FOLDER`, as an operator types it; returns its report.

    `meanwhile` is called a few times a second. StopError when the gate refuses the samples.
    """
    command = [*program(), "register", name, str(folder), "--by", "latentprint demo"]
    command += ["--reason", "registered from samples"]
    environment = environment_for(settings) | {"COLUMNS": "100", "NO_COLOR": "1"}
    log = folder.with_suffix(".register.log")
    began = time.monotonic()
    with log.open("w+b") as output:
        child = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        try:
            while child.poll() is None and time.monotonic() - began < _REGISTER_S:
                meanwhile()
        finally:
            if child.poll() is None:
                child.kill()
            child.wait()
        output.seek(0)
        report = output.read().decode(errors="replace").strip()
    if child.returncode != 0:
        raise StopError(
            f"`latentprint register {name}` ended with exit code {child.returncode}, expected 0, so"
            f" that the generator stays unknown. It said:\n{report}",
            exit_code=child.returncode if child.returncode > 0 else 1,
        )
    return report


def write_samples(samples: tuple[bytes, ...], folder: Path) -> None:
    """The sample images as PNG files, for `register`."""
    folder.mkdir(parents=True)
    for number, data in enumerate(samples):
        (folder / f"sample-{number:03d}.png").write_bytes(data)
