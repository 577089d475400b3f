"""Prometheus and Alertmanager for a person at a terminal: they outlive the command.

They have a state file of their own beside that of Kafka and Redis, since a worker on a distant
Kafka can be watched as well.
"""

import json
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from deploy.services.errors import PortTaken, StartFailed, WrongUse
from deploy.services.local import locked
from deploy.services.ports import LOOPBACK
from deploy.services.processes import ProcessIdentity, is_alive, stop_process
from deploy.services.prometheus import (
    RunningWatcher,
    answers,
    check_targets,
    posts_to,
    start_alertmanager,
    start_prometheus,
    write_targets,
)
from deploy.services.state import services_folder, write_in_one_step

_STOP_GRACE_S = 20.0
_ANSWER_S = 10.0


@dataclass(frozen=True, slots=True)
class WatcherRecord:
    """One server as remembered: port, process identity, log file."""

    port: int
    pid: int
    started: str
    log: str

    @property
    def address(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def identity(self) -> ProcessIdentity:
        """Process id and start time."""
        return ProcessIdentity(self.pid, self.started)


@dataclass(frozen=True, slots=True)
class WatchingState:
    """Both servers, what they watch, and the folder of their settings, data and logs."""

    prometheus: WatcherRecord
    alertmanager: WatcherRecord
    targets: tuple[str, ...]
    notify: str | None
    directory: str


@dataclass(frozen=True, slots=True)
class WatchingWishes:
    """What the caller asked for; 0 takes the port it had, else a free one."""

    targets: tuple[str, ...]
    notify: str | None = None
    webhook: str | None = None
    prometheus_port: int = 0
    alertmanager_port: int = 0


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm that fires now; muted: silenced, or another alarm explains it."""

    name: str
    severity: str
    since: str
    labels: dict[str, str]
    summary: str
    description: str
    runbook: str
    muted: bool


def watching_file(file: Path) -> Path:
    """Where the two are remembered, by the state file of the services."""
    return file.with_name(f"{file.stem}-watching.json")


def watch(file: Path, wishes: WatchingWishes) -> WatchingState:
    """Have both servers running on these targets, remembered beside the state file `file`.

    A Prometheus that runs is told the new targets. Whoever wants another port or webhook stops
    both first. An interrupted call leaves nothing new running.

    Raises:
        ServiceError: any of its kinds; what this call had started is stopped again.
    """
    check_targets([*wishes.targets, *([wishes.notify] if wishes.notify else [])])
    with locked(file):
        before = read_watching(file)
        if before is not None and _alive(before):
            return _again(file, before, wishes)
        _stop(before)  # one of the two may be left
        directory = services_folder(file) / "watching"
        had = (before.prometheus.port, before.alertmanager.port) if before else (0, 0)
        fresh: list[RunningWatcher] = []
        try:
            alertmanager = _on_its_port(
                lambda port: start_alertmanager(
                    directory / "alertmanager", webhook=wishes.webhook, port=port
                ),
                wishes.alertmanager_port,
                had[1],
            )
            fresh.append(alertmanager)
            prometheus = _on_its_port(
                lambda port: start_prometheus(
                    directory / "prometheus",
                    targets=wishes.targets,
                    notify=wishes.notify,
                    alertmanager=alertmanager,
                    port=port,
                ),
                wishes.prometheus_port,
                had[0],
            )
            fresh.append(prometheus)
            state = WatchingState(
                _record(prometheus),
                _record(alertmanager),
                wishes.targets,
                wishes.notify,
                str(directory),
            )
            _write(file, state)
        except BaseException:
            for server in fresh:
                server.stop()
            raise
        for server in fresh:
            server.process.outlive_this_process()
        return state


def unwatch(file: Path) -> tuple[str, ...]:
    """Stop both and forget them; returns the names of those that were still running.

    Their data stays for the next `watch`.

    Raises:
        StopFailed: a process may not be signalled or does not end; the state file stays.
    """
    with locked(file):
        stopped = _stop(read_watching(file))
        watching_file(file).unlink(missing_ok=True)
        return stopped


def read_watching(file: Path) -> WatchingState | None:
    """What is remembered beside the state file `file`; None when nothing is.

    Raises:
        WrongUse: it is there and cannot be read, or is not ours.
    """
    place = watching_file(file)
    try:
        content = json.loads(place.read_text())
        return WatchingState(
            WatcherRecord(**content["prometheus"]),
            WatcherRecord(**content["alertmanager"]),
            tuple(content["targets"]),
            content["notify"],
            content["directory"],
        )
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WrongUse(
            f"The state file {place} cannot be read as one of ours ({error!r}), so what runs is "
            f"unknown and nothing was done. Look into it, end what it names, and remove it."
        ) from error


def alarms(state: WatchingState) -> tuple[Alarm, ...]:
    """What fires now, pages first, as Alertmanager says.

    Raises:
        StartFailed: it does not answer.
    """
    address = f"{state.alertmanager.address}/api/v2/alerts"
    try:
        with urllib.request.urlopen(address, timeout=_ANSWER_S) as answer:
            found = [_alarm(alert) for alert in json.load(answer)]
    except (OSError, ValueError) as error:
        raise StartFailed(
            f"Alertmanager does not answer at {address} ({error}); see its log "
            f"{state.alertmanager.log}, or start it again: latentprint services watch"
        ) from error
    return tuple(sorted(found, key=lambda one: (one.severity != "page", one.since, one.name)))


def watcher_answers(record: WatcherRecord) -> bool:
    """Whether it is the remembered process and says that it is ready."""
    return is_alive(record.identity) and answers(record.port)


def _alarm(alert: dict[str, dict[str, str]]) -> Alarm:
    labels, said = dict(alert["labels"]), alert["annotations"]
    return Alarm(
        name=labels.pop("alertname"),
        severity=labels.pop("severity", ""),
        since=str(alert["startsAt"]),
        labels=labels,
        summary=said.get("summary", ""),
        description=said.get("description", ""),
        runbook=said.get("runbook_url", ""),
        muted=alert["status"]["state"] == "suppressed",
    )


def _again(file: Path, before: WatchingState, wishes: WatchingWishes) -> WatchingState:
    """Both run: new targets are told to the one that runs, anything else is a contradiction."""
    for name, port, wanted in (
        ("Prometheus", before.prometheus.port, wishes.prometheus_port),
        ("Alertmanager", before.alertmanager.port, wishes.alertmanager_port),
    ):
        if wanted not in (0, port):
            raise WrongUse(
                f"{name} runs on port {port} already, and port {wanted} was asked for. "
                f"Nothing was changed. Stop it first: latentprint services down"
            )
    if wishes.webhook and not posts_to(Path(before.directory) / "alertmanager", wishes.webhook):
        raise WrongUse(  # an address may be a secret: neither of the two is printed
            "Alertmanager runs with another webhook already. Nothing was changed. "
            "Stop it first: latentprint services down"
        )
    for server in (before.prometheus, before.alertmanager):
        if not watcher_answers(server):
            raise StartFailed(
                f"Process {server.pid} runs but does not answer at {server.address}; see its log "
                f"{server.log}. Nothing was changed. Stop it and start again: latentprint services "
                f"down && latentprint services watch"
            )
    state = replace(before, targets=wishes.targets, notify=wishes.notify)
    write_targets(
        Path(before.directory) / "prometheus" / "workers.json", wishes.targets, wishes.notify
    )
    _write(file, state)
    return state


def _on_its_port(start: Callable[[int], RunningWatcher], wanted: int, had: int) -> RunningWatcher:
    """On the port asked for, else the one it had, else a free one."""
    if wanted == 0 and had:
        try:
            return start(had)
        except PortTaken:
            pass
    return start(wanted)


def _alive(state: WatchingState) -> bool:
    return is_alive(state.prometheus.identity) and is_alive(state.alertmanager.identity)


def _stop(state: WatchingState | None) -> tuple[str, ...]:
    stopped = []
    if state is not None:
        servers = (("Prometheus", state.prometheus), ("Alertmanager", state.alertmanager))
        for name, record in servers:
            if is_alive(record.identity):
                stop_process(record.identity, name=name, grace_s=_STOP_GRACE_S)
                stopped.append(name)
    return tuple(stopped)


def _record(server: RunningWatcher) -> WatcherRecord:
    identity = server.process.identity
    return WatcherRecord(server.port, identity.pid, identity.started, str(server.process.log))


def _write(file: Path, state: WatchingState) -> None:
    write_in_one_step(watching_file(file), json.dumps(asdict(state), indent=2) + "\n")
