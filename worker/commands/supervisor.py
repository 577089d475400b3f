"""`run --slots N`: N worker processes, one a slot, started again when they crash."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from worker.metrics import SUPERVISOR, Figures
from worker.seen.health import Health
from worker.telemetry import Log

FINAL_EXIT_CODES = frozenset({1, 2, 4})
"""Failed on purpose, wrong settings, refused: starting again would do the same again."""

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_AFTER_S = 60.0
"""A process that lived this long has recovered; its next crash is met with the first pause."""

KILL_AFTER_S = 25.0
"""SIGTERM must end a worker within 20 s; after this it is killed, which loses nothing."""

_TICK_S = 0.1


@dataclass(slots=True)
class _Slot:
    number: int
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    pause_s: float = FIRST_PAUSE_S
    start_at: float = 0.0
    restarts: int = 0


class Supervisor:
    """Keeps one process a slot alive until asked to stop, or until one gives up for good."""

    def __init__(
        self,
        command: Callable[[int, bool], Sequence[str]],
        slots: Sequence[int],
        *,
        environment: Mapping[str, str] | None = None,
        inherited: Mapping[int, int] | None = None,
        figures: Figures | None = None,
        health: Health | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`inherited` has for each slot a descriptor that its process is to have as well."""
        self._command = command
        self._environment = environment
        self._inherited = inherited or {}
        self._slots = [_Slot(number) for number in slots]
        self._figures = figures or Figures(SUPERVISOR, slot=None)
        self._figures.set("slots_wanted", len(self._slots))
        self._figures.before_reading(lambda: self._figures.set("slots_up", len(self.pids())))
        self._health = health or Health()
        self._clock = clock
        self._log: Log = structlog.get_logger("supervisor")

    def run(self, stop: threading.Event, leaving: threading.Event | None = None) -> int:
        """Supervise until `stop` is set; 0 after a clean drain of all.

        Where `leaving` is set by then, the slots are told to leave their group for good.

        When a slot ends with a final exit code, the others are drained and that code is returned:
        a breaker that tripped or settings that are wrong concern every slot.
        """
        verdict: int | None = None
        try:
            while not stop.is_set() and verdict is None:
                for slot in self._slots:
                    verdict = self._tend(slot)
                    if verdict is not None:
                        break
                self._health.came_round()
                self._health.started()
                # Not stop.wait(): a signal handler that sets `stop` runs on this very thread, and
                # would wait for ever for the lock that wait() may be holding.
                time.sleep(_TICK_S)
        finally:
            self._health.drains()
            codes = self._stop_all(leaving is not None and leaving.is_set())
        if verdict is not None:
            return verdict
        return next((code for code in codes if code != 0), 0)

    def pids(self) -> Mapping[int, int]:
        """The process id of each slot that runs now; safe from any thread."""
        running = [(slot.number, slot.process) for slot in self._slots]
        return {number: process.pid for number, process in running if process is not None}

    def _tend(self, slot: _Slot) -> int | None:
        """Start, watch or restart one slot; its exit code when that is final."""
        now = self._clock()
        if slot.process is None:
            if now >= slot.start_at:
                try:
                    slot.process = subprocess.Popen(
                        self._command(slot.number, slot.restarts == 0),
                        env=self._environment,
                        pass_fds=[self._inherited[slot.number]] if self._inherited else [],
                        start_new_session=True,
                    )
                except OSError as error:  # no memory, no process left: the other slots go on
                    self._log.error(
                        "slot_not_started",
                        slot=slot.number,
                        reason=str(error),
                        pause_s=slot.pause_s,
                    )
                    slot.start_at = now + slot.pause_s
                    slot.pause_s = min(LONGEST_PAUSE_S, slot.pause_s * 2)
                    return None
                slot.started = now
                self._log.info("slot_started", slot=slot.number, pid=slot.process.pid)
            return None
        code = slot.process.poll()
        if code is None:
            return None
        slot.process = None
        if code in FINAL_EXIT_CODES:
            self._log.error("slot_gave_up", slot=slot.number, exit_code=code)
            return code
        if now - slot.started > STEADY_AFTER_S:
            slot.pause_s = FIRST_PAUSE_S
        slot.start_at = now + slot.pause_s
        slot.restarts += 1
        self._figures.add("slot_restarts", code=str(code))
        self._log.warning(
            "slot_restart",
            slot=slot.number,
            exit_code=code,
            pause_s=slot.pause_s,
            restarts=slot.restarts,
        )
        slot.pause_s = min(LONGEST_PAUSE_S, slot.pause_s * 2)
        return None

    def _stop_all(self, leaving: bool) -> list[int]:
        """SIGTERM or SIGUSR1 to all, wait for the drain, kill what does not end."""
        running = [slot.process for slot in self._slots if slot.process is not None]
        for process in running:
            process.send_signal(signal.SIGUSR1 if leaving else signal.SIGTERM)
        end = self._clock() + KILL_AFTER_S
        codes = []
        for process in running:
            try:
                codes.append(process.wait(max(0.1, end - self._clock())))
            except subprocess.TimeoutExpired:
                self._log.error("slot_killed", pid=process.pid)
                process.kill()
                codes.append(process.wait())
        return codes
