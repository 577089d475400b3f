"""A broken object is told from a store that is away, by what the store says to others."""

import pytest

from worker.errors import StopError
from worker.references.outages import PROBE_S, SEVERAL, Outages

STORE, OUTAGE_S = "s3://uploads", 300.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_an_event_is_to_blame_only_where_its_store_answered_another_since_its_last_try() -> None:
    clock = Clock()
    outages = Outages(OUTAGE_S, clock)
    outages.answered(STORE)
    clock.now += 1
    began = clock.now
    assert not outages.is_to_blame(STORE, "a", began, "503"), "the answer was before the try"
    outages.answered("s3://other")
    assert not outages.is_to_blame(STORE, "a", began, "503"), "another store's answer says nothing"
    outages.answered(STORE)
    assert outages.is_to_blame(STORE, "a", began, "503")


def test_while_a_store_is_away_one_event_that_was_tried_asks_now_and_then() -> None:
    clock = Clock()
    outages = Outages(OUTAGE_S, clock)
    assert outages.may_ask(STORE, tried=True)
    outages.is_to_blame(STORE, "a", clock.now, "503")
    assert outages.may_ask(STORE, tried=False), "its first try may show that the store is back"
    assert not outages.may_ask(STORE, tried=True)
    clock.now += PROBE_S
    assert outages.may_ask(STORE, tried=True)
    assert not outages.may_ask(STORE, tried=True)
    outages.answered(STORE)
    assert outages.may_ask(STORE, tried=True)


def test_a_store_that_is_away_for_several_senders_stops_the_worker_and_blames_nobody() -> None:
    clock = Clock()
    outages = Outages(OUTAGE_S, clock)
    for sender in range(SEVERAL):
        assert not outages.is_to_blame(STORE, f"/{sender}", clock.now, "503")
    clock.now += OUTAGE_S
    with pytest.raises(StopError, match=r"s3://uploads has answered nobody for 300 s") as caught:
        outages.is_to_blame(STORE, "/0", clock.now, "503")
    assert caught.value.exit_code == 3


def test_one_sender_alone_can_hold_a_store_up_but_not_stop_the_worker() -> None:
    clock = Clock()
    outages = Outages(OUTAGE_S, clock)
    assert not outages.is_to_blame(STORE, "/stranger", clock.now, "timeout")
    clock.now += OUTAGE_S
    assert outages.is_to_blame(STORE, "/stranger", clock.now, "timeout")
