"""A real Prometheus and a real Alertmanager (loopback only) beside a worker, as child processes."""

import json
import re
import shutil
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from deploy.services.errors import PortTaken, StartFailed, WatcherUnavailable, WrongUse
from deploy.services.ports import LOOPBACK, free_port, port_is_free
from deploy.services.processes import ServerProcess, launch
from deploy.services.state import write_in_one_step
from deploy.tools.debian import Tool, find_tool
from deploy.tools.errors import ToolUnavailable

WATCHING: Final = Path(__file__).parents[1] / "watching"
"""The settings and rules that Latentprint ships."""

EXAMPLE_WEBHOOK: Final = "http://127.0.0.1:9095/alarms"
"""What stands in `alertmanager.yaml` where its reader puts a receiver of their own."""

NOTIFY_JOB: Final = "latentprint-notify"
"""What the rules call `latentprint notify` by; the workers' name stands in `prometheus.yaml`."""

_START_DEADLINE_S = 60.0  # usually below 1 s; reading back a long write-ahead log takes longer
_STOP_GRACE_S = 10.0
_ANSWER_S = 5.0
_PORT_TRIES = 5
_KEPT = "15d"
_PORT_IN_USE = "address already in use"
_TARGET = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+):(\d+)")


@dataclass(frozen=True, slots=True)
class RunningWatcher:
    """One of the two servers: its address and its process."""

    port: int
    process: ServerProcess

    @property
    def address(self) -> str:
        """`http://127.0.0.1:PORT`, for a browser and for the HTTP interface."""
        return f"http://{LOOPBACK}:{self.port}"

    def stop(self) -> None:
        """Shut down in an orderly way (SIGKILL after 10 s). The data stays. Safe to call twice."""
        self.process.stop(grace_s=_STOP_GRACE_S)


def start_alertmanager(
    directory: Path, *, webhook: str | None = None, port: int = 0, settings: Path = WATCHING
) -> RunningWatcher:
    """Start Alertmanager with `settings`/alertmanager.yaml, and wait until it is ready.

    Alarms are posted to `webhook`; without one nobody is told, and they can only be looked at.
    Data, settings and log lie in `directory`. It ends with this process, however that ends.

    Raises:
        WrongUse: the webhook is no address of the web.
        WatcherUnavailable: the program cannot be had.
        PortTaken: `port` was given and is taken.
        StartFailed: it ended or missed its deadline; the message ends in its log.
    """
    if webhook is not None and not re.fullmatch(r"https?://[^\s\"'\\]+", webhook):
        raise WrongUse(
            "The webhook is no address that begins with http:// or https://, without spaces and "
            f"quotes. Nothing was started. Give one, such as {EXAMPLE_WEBHOOK}"
        )
    program = _find("alertmanager")
    directory.mkdir(parents=True, exist_ok=True)
    if program.beside is not None:
        link = directory / program.beside.name
        link.unlink(missing_ok=True)
        link.symlink_to(program.beside)
    text = (settings / "alertmanager.yaml").read_text()
    file = directory / "alertmanager.yaml"
    file.touch(mode=0o600)  # who knows the address of a webhook may often post there
    file.write_text(text.replace(EXAMPLE_WEBHOOK, webhook or EXAMPLE_WEBHOOK))
    command = [
        str(program.path),
        f"--config.file={file}",
        f"--storage.path={directory / 'data'}",
        "--cluster.listen-address=",  # alone: no gossip, and no port on every interface for it
    ]
    return _start("Alertmanager", command, directory, port)


def start_prometheus(
    directory: Path,
    *,
    targets: Sequence[str],
    notify: str | None = None,
    alertmanager: RunningWatcher,
    port: int = 0,
    settings: Path = WATCHING,
) -> RunningWatcher:
    """Start Prometheus on `targets` (HOST:PORT each), and wait until it is ready.

    `notify` is where `latentprint notify` listens, if it runs. The rules are
    `settings`/alerts.yaml; what fires goes to `alertmanager`. Data, settings and log lie in
    `directory`. It ends with this process, however that ends.

    Raises:
        WrongUse: a target is not HOST:PORT.
        WatcherUnavailable, PortTaken, StartFailed: as `start_alertmanager`.
    """
    check_targets([*targets, *([notify] if notify else [])])
    program = _find("prometheus")
    directory.mkdir(parents=True, exist_ok=True)
    for name in ("prometheus.yaml", "alerts.yaml"):
        shutil.copyfile(settings / name, directory / name)
    write_targets(directory / "workers.json", targets, notify)
    write_targets(directory / "alertmanagers.json", [f"{LOOPBACK}:{alertmanager.port}"])
    command = [
        str(program.path),
        f"--config.file={directory / 'prometheus.yaml'}",
        f"--storage.tsdb.path={directory / 'data'}",
        f"--storage.tsdb.retention.time={_KEPT}",
    ]
    pages = program.path.parents[1] / "share/prometheus/web"
    if pages.is_dir():  # unpacked, not installed: its own pages are not where it was told to look
        command.append(f"--web.local-assets={pages}")
    return _start("Prometheus", command, directory, port)


def posts_to(directory: Path, webhook: str) -> bool:
    """Whether the Alertmanager of this folder was started with this webhook."""
    return f" {webhook}\n" in (directory / "alertmanager.yaml").read_text()


def check_targets(targets: Sequence[str]) -> None:
    """Refuse what is not HOST:PORT, before anything is started.

    Raises:
        WrongUse: names the first that is not.
    """
    for target in targets:
        found = _TARGET.fullmatch(target)
        if found is None or not 0 < int(found[2]) <= 65_535:
            raise WrongUse(
                f"{target!r} is not HOST:PORT. Nothing was started. Give what the worker listens"
                " on, LATENTPRINT_METRICS__LISTEN, such as 127.0.0.1:9464; `run --slot N` listens N"
                " ports above it"
            )


def write_targets(file: Path, targets: Sequence[str], notify: str | None = None) -> None:
    """Say where to scrape; Prometheus reads the file whenever it changes."""
    groups: list[dict[str, object]] = [{"targets": list(targets)}]
    if notify is not None:
        groups.append({"targets": [notify], "labels": {"job": NOTIFY_JOB}})
    write_in_one_step(file, json.dumps(groups, indent=1) + "\n")


def answers(port: int) -> bool:
    """Whether the server on this port says that it is ready; both speak alike."""
    try:
        with urllib.request.urlopen(
            f"http://{LOOPBACK}:{port}/-/ready", timeout=_ANSWER_S
        ) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _find(program: str) -> Tool:
    try:
        return find_tool(program)
    except ToolUnavailable as missing:
        raise WatcherUnavailable(f"Nothing was started: {missing}") from missing


def _start(name: str, command: Sequence[str], directory: Path, port: int) -> RunningWatcher:
    """On the port asked for, else on a free one."""
    for attempt in range(1, _PORT_TRIES + 1):
        chosen = port or free_port()
        try:
            return RunningWatcher(chosen, _launch(name, command, directory, chosen))
        except PortTaken:
            if port or attempt == _PORT_TRIES:
                raise
    raise AssertionError("the last attempt returns or raises")


def _launch(name: str, command: Sequence[str], directory: Path, port: int) -> ServerProcess:
    """Launch on exactly this port and wait until ready; nothing is left behind on failure."""
    if not port_is_free(port):
        raise _port_taken(name, port)
    process = launch(
        name,
        [*command, f"--web.listen-address={LOOPBACK}:{port}"],
        log=directory / f"{name.lower()}.log",
        cwd=directory,
    )
    try:
        process.wait_until_ready(
            lambda: answers(port), f"an answer on {LOOPBACK}:{port}", _START_DEADLINE_S
        )
    except BaseException as error:
        process.kill()
        if isinstance(error, StartFailed) and _PORT_IN_USE in process.log_of_this_start():
            raise _port_taken(name, port) from error
        raise
    return process


def _port_taken(name: str, port: int) -> PortTaken:
    return PortTaken(
        f"{name} cannot listen on {LOOPBACK}:{port}: somebody else does. {name} was not started. "
        f"Choose another port, or leave the choice to the program."
    )
