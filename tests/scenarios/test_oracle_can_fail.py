"""The oracle is no rubber stamp: a worker that trusts `flush` loses verdicts, and it says so.

A batch that expires inside a transaction does not fail the commit (docs/upstream). The worker
checks every future; without that check offsets are committed for verdicts that never arrived.
"""

import time

import pytest

from tests.scenarios.harness import Run, ordinary_events, running
from tests.scenarios.proxy import PRODUCE, Action, Proxy, Rule
from tests.scenarios.worker_process import MUTATION

EVENTS = 60
OUTAGE_S = 9.0
"""Longer than the producer keeps a batch (`request_timeout_s` and a second)."""


def outage() -> Rule:
    """Cuts every Produce request for `OUTAGE_S` seconds from the first one on; others pass."""
    began: list[float] = []

    def decide(number: int) -> Action:
        began.append(time.monotonic())
        return "cut_before" if began[-1] - began[0] < OUTAGE_S else "pass"

    return Rule(PRODUCE, decide)


def test_a_worker_that_checks_every_future_loses_nothing_in_an_outage(
    proxied: tuple[Run, Proxy],
) -> None:
    run, proxy = proxied
    proxy.rule = outage()
    run.put(ordinary_events(EVENTS))
    with running(run.worker()) as worker:
        run.wait_drained()
        assert worker.drain() == 0
    assert proxy.rule.done, "no request was cut"
    assert len(run.check().verdicts) == EVENTS


def test_the_oracle_finds_what_a_worker_without_that_check_loses(
    proxied: tuple[Run, Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, proxy = proxied
    proxy.rule = outage()
    run.put(ordinary_events(EVENTS))
    monkeypatch.setenv(MUTATION, "trust_flush")
    with running(run.worker()):
        run.wait_drained()
        with pytest.raises(AssertionError, match="events have no outcome"):
            run.check()
