"""Deadlines count the time that this process had, not the time that passed."""

import os

import pytest

from worker.decoder.pipes import ChildTimedOutError, Deadline, read_exactly


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_pause_of_the_machine_uses_up_no_deadline() -> None:
    clock = Clock()
    deadline = Deadline(1.0, clock)
    clock.now_s += 3600
    deadline.tick()
    assert 0.5 < deadline.left_s < 1.0


def test_time_that_passes_in_ticks_uses_it_up() -> None:
    clock = Clock()
    deadline = Deadline(1.0, clock)
    for _ in range(11):
        clock.now_s += 0.1
        deadline.tick()
    assert deadline.left_s < 0
    assert deadline.next_wait_s == 0


def test_what_has_arrived_by_the_deadline_is_read() -> None:
    """The last look: we were paused, and the answer came meanwhile."""
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    deadline = Deadline(0.0)
    os.write(theirs, b"late")
    assert read_exactly(ours, 4, deadline) == b"late"
    with pytest.raises(ChildTimedOutError):
        read_exactly(ours, 1, Deadline(0.01))
    os.close(ours)
    os.close(theirs)
