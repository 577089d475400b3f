"""Every check, side by side, within a time: whatever is not done by then is said not to be."""

import os
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from fingerprint_db.snapshot import Snapshot
from worker.doctor.certificates import examine_certificates
from worker.doctor.cluster import examine_kafka
from worker.doctor.findings import Finding
from worker.doctor.judging import STEPS, examine_judging
from worker.doctor.machine import examine_machine
from worker.doctor.registry import examine_floor, examine_redis, space_of
from worker.doctor.traffic import Traffic
from worker.extractor.document import default_bundle_path
from worker.settings.settings import Settings

WITHIN_S = 8.5
"""So that it ends within ten seconds; Kafka says within five why it refuses."""

ASKING_S = 6.0
"""What is left for asking in any case, on a machine that takes long to load the program."""

PARTS = ("machine", "certificates", "kafka", "redis", "judging")


def examine(
    settings: Settings,
    roles: Sequence[str] = ("worker",),
    parts: Sequence[str] | None = None,
    *,
    began: float | None = None,
    within_s: float = WITHIN_S,
    clock: Callable[[], float] = time.time,
) -> Iterator[Finding]:
    """Each finding as soon as it is made; ends `within_s` after `began`, whatever is silent.

    Where most of that is over already, it ends after ASKING_S, or there would be no time to hear.

    `roles` are those of `worker.broker.rights`; what only a worker needs is looked at with
    "worker" among them. `parts` are those of PARTS to look at, all if None; `began` is of the
    monotonic clock, now if None; `clock` is this machine's.
    """
    now = time.monotonic()
    until = max((now if began is None else began) + within_s, now + min(ASKING_S, within_s))
    traffic, held, running = Traffic(), list[Snapshot](), list[subprocess.Popen[bytes]]()
    space = space_of(settings.extract.bundle or default_bundle_path())
    lines: dict[str, Callable[[], Iterator[Finding]]] = {}
    if "worker" in roles:
        lines["judging"] = lambda: examine_judging(settings, running)  # first: it takes longest
        lines["redis"] = lambda: examine_redis(settings, space, held, clock)
    lines |= {
        "machine": lambda: examine_machine(os.environ),
        "certificates": lambda: examine_certificates(settings, clock),
        "kafka": lambda: examine_kafka(settings, roles, traffic, clock, until),
    }
    for part in parts or ():
        if part not in lines:
            text = f"looked at for a worker alone, and not for {', '.join(roles)}"
            yield Finding(part, "unchecked", text)
    wanted = {name: line for name, line in lines.items() if parts is None or name in parts}
    try:
        yield from _side_by_side(wanted, until)
    finally:
        for process in running:
            process.kill()  # where it is done, nothing happens
    if space is not None:
        yield from examine_floor(space, traffic.metadata, held)


def _side_by_side(
    lines: dict[str, Callable[[], Iterator[Finding]]], until: float
) -> Iterator[Finding]:
    """What all lines find, in the order in which they find it."""
    found: queue.Queue[tuple[str, Finding | None]] = queue.Queue()
    open_lines, seen = set(lines), set[str]()
    for name, line in lines.items():
        threading.Thread(target=_walk, args=(name, line, found), daemon=True, name=name).start()
    while open_lines:
        try:
            name, finding = found.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            break
        if finding is None:
            open_lines.remove(name)
        else:
            seen.add(finding.check)
            yield finding
    yield from (_unfinished(name, seen) for name in sorted(open_lines))


def _unfinished(name: str, seen: set[str]) -> Finding:
    """What to say of a part that is not done when the time is over; `seen` are checks that are."""
    if name in ("kafka", "redis") and name not in seen:
        setting = {"kafka": "kafka.brokers", "redis": "redis.url"}[name]
        text = f"no answer in time; see that it runs, and that {setting} is its address"
        return Finding(name, "away", text)
    rest = ", ".join(step for step in STEPS if step not in seen)
    what = f"{rest} of {name}" if name == "judging" and rest else f"the rest of {name}"
    return Finding(
        name,
        "unchecked",
        f"{what} was not done in time; give it longer, as in --within 120 (the first time, the"
        " loops over pixels are compiled, which takes a minute; a busy machine is slower, too)",
    )


def _walk(
    name: str,
    line: Callable[[], Iterator[Finding]],
    found: queue.Queue[tuple[str, Finding | None]],
) -> None:
    try:
        for finding in line():
            found.put((name, finding))
    except Exception as error:  # a check that fails must not hide what the others found
        text = f"the check itself failed ({type(error).__name__}: {error}); please report it"
        found.put((name, Finding(name, "wrong", text)))
    finally:
        found.put((name, None))
