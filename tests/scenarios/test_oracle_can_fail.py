"""The oracle is no rubber stamp: a worker that trusts `flush` loses verdicts, and it says so.

A batch that expires inside a transaction does not fail the commit (docs/upstream). The worker
checks every future; without that check offsets are committed for verdicts that never arrived.
"""

import time

import pytest

from tests.scenarios.harness import Run, WorkerProcess, ordinary_events, running
from tests.scenarios.proxy import PRODUCE, Action, Proxy, Rule
from tests.scenarios.worker_process import MUTATION

EVENTS = 60
FIRST = 20
"""Published before the outage: the producer knows its topics, and only the batches are lost."""

REQUEST_TIMEOUT_S = 2.0
OUTAGE_S = 2 * REQUEST_TIMEOUT_S + 1.0
"""Longer than the producer keeps a batch (`request_timeout_s` and a second). Both are short beside
the deadline of a commit: what is to be seen is the lost batch, not a commit that ran out of time.
"""


def outage() -> Rule:
    """Cuts every Produce request for `OUTAGE_S` seconds from the first one on; others pass."""
    began: list[float] = []

    def decide(number: int) -> Action:
        began.append(time.monotonic())
        return "cut_before" if began[-1] - began[0] < OUTAGE_S else "pass"

    return Rule(PRODUCE, decide)


def outlasted(run: Run) -> WorkerProcess:
    """A worker whose batches do not live as long as the outage."""
    return run.worker(KAFKA__REQUEST_TIMEOUT_S=str(REQUEST_TIMEOUT_S))


def test_a_worker_that_checks_every_future_loses_nothing_in_an_outage(
    proxied: tuple[Run, Proxy],
) -> None:
    run, proxy = proxied
    with running(outlasted(run)) as worker:
        run.put(ordinary_events(FIRST))
        run.wait_drained()
        proxy.rule = outage()
        run.put(ordinary_events(EVENTS - FIRST, start=FIRST))
        run.wait_drained()
        assert worker.drain() == 0
    assert proxy.rule.done, "no request was cut"
    assert len(run.check().verdicts) == EVENTS


def test_the_oracle_finds_what_a_worker_without_that_check_loses(
    proxied: tuple[Run, Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    run, proxy = proxied
    monkeypatch.setenv(MUTATION, "trust_flush")
    with running(outlasted(run)):
        run.put(ordinary_events(FIRST))
        run.wait_drained()
        proxy.rule = outage()
        run.put(ordinary_events(EVENTS - FIRST, start=FIRST))
        run.wait_drained()
        with pytest.raises(AssertionError, match="events have no outcome"):
            run.check()
