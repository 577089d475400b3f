"""A GPU that dies in the middle of a stream costs a restart, and no event."""

import pytest

from tests.scenarios.harness import Run, ordinary_events, running
from tests.scenarios.sizes import size
from tests.scenarios.worker_process import DEVICE_DIES_AT
from worker.watchdog import WATCHDOG_EXIT_CODE

EVENTS = size(200, 4000)
DIES_AT = 4


def test_a_device_that_dies_makes_no_dead_letter_and_every_event_is_answered_once(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends with 75 and names the device; its successor answers what is left."""
    run.put(ordinary_events(EVENTS))
    with monkeypatch.context() as dying:
        dying.setenv(DEVICE_DIES_AT, str(DIES_AT))
        worker = run.worker()
    assert worker.wait_ended() == WATCHDOG_EXIT_CODE
    log = worker.log.read_text()
    assert "self-test failed (RuntimeError: CUDA error: an illegal memory access" in log
    assert "no image is to blame" in log
    with running(run.worker()) as successor:
        run.wait_drained()
        found = run.check()
        assert len(found.verdicts) == EVENTS
        assert found.letters == []
        assert successor.drain() == 0
