"""What befalls the machine under the decoders is never blamed on an image."""

import os
import signal
import time
from pathlib import Path

import psutil

from tests.scenarios import oracle
from tests.scenarios.harness import DARK, Event, Run, WorkerProcess, ordinary_events, running
from tests.scenarios.sizes import size
from tests.scenarios.worker_process import DECODE_PAUSES, KILLED_ONCE, NO_PROCESSES
from tests.waiting import wait_for

EVENTS = size(60, 2000)
PAUSE_S = size(10, 30)
"""Longer than an image may take by the wall clock, 4 x decode.cpu_s."""


def family(worker: WorkerProcess) -> list[psutil.Process]:
    """The worker's decoders and their children."""
    return list(psutil.Process(worker.process.pid).children(recursive=True))


def test_a_machine_without_processes_delays_images_and_ends_the_worker_if_it_lasts(
    run: Run, tmp_path: Path
) -> None:
    sign = tmp_path / "no-processes"
    os.environ[NO_PROCESSES], os.environ[DECODE_PAUSES] = str(sign), ",".join(["0.5"] * 20)
    try:
        worker = run.worker()
    finally:
        del os.environ[NO_PROCESSES], os.environ[DECODE_PAUSES]
    with running(worker):
        sign.touch()
        for decoder in family(worker):
            decoder.kill()
        run.put(ordinary_events(EVENTS))
        worker.wait_logged("decode_retry")
        sign.unlink()
        run.wait_drained()
        found = run.check()
        assert (len(found.verdicts), len(found.letters)) == (EVENTS, 0)
        sign.touch()
        for decoder in family(worker):
            decoder.kill()
        run.put(ordinary_events(1))
        assert worker.wait_ended() == 75, "a supervisor starts it again"
    assert "no decoder child can be started" in worker.log.read_text()
    assert len(oracle.find(run.brokers, run.topics).letters) == 0
    with running(run.worker()):
        run.wait_drained()
        assert len(run.check().verdicts) == EVENTS + 1


def test_a_pause_of_the_whole_machine_rejects_no_image(run: Run) -> None:
    """Longer than any deadline of a decode: the clocks of those that stood still stand still."""
    with running(run.worker(KAFKA__SESSION_TIMEOUT_S="60")) as worker:
        run.put(ordinary_events(20))
        run.wait_drained()
        everyone = [*family(worker), psutil.Process(worker.process.pid)]
        for decoder in everyone[:-1]:
            decoder.suspend()
        run.put(ordinary_events(EVENTS))
        pause(1.0)  # until the first of them waits for its decoder
        everyone[-1].suspend()
        wait_for(lambda: all(_is_stopped(p) for p in everyone), "all to stop")
        pause(PAUSE_S)
        everyone[-1].resume()
        pause(1.0)  # a deadline that did not stand still is over now, and no child has answered
        for decoder in everyone[:-1]:
            decoder.resume()
        run.wait_drained()
        found = run.check()
        assert (len(found.verdicts), len(found.letters)) == (EVENTS + 20, 0)
        assert worker.drain() == 0


def test_a_child_that_the_kernel_kills_costs_its_image_a_second_try_and_no_more(run: Run) -> None:
    run.put([*ordinary_events(10), Event(DARK + KILLED_ONCE), *ordinary_events(10, start=10)])
    with running(run.worker()) as worker:
        run.wait_drained()
        found = run.check()
        assert (len(found.verdicts), len(found.letters)) == (21, 0)
        assert worker.count_logged("a decode failed; once more in a fresh child") == 1
        assert f"ended by {signal.SIGKILL.name}" in worker.log.read_text()
        assert worker.drain() == 0


def pause(seconds: float) -> None:
    """Let so much time pass: here it is the fault itself."""
    began = time.monotonic()
    wait_for(lambda: time.monotonic() - began > seconds, "the pause to end", 2 * seconds + 30)


def _is_stopped(process: psutil.Process) -> bool:
    try:
        return bool(process.status() == psutil.STATUS_STOPPED)
    except psutil.NoSuchProcess:
        return True
