"""Goal G4b: the group refuses a commit's offsets; those of others are not moved by the next one.

A producer of kafka-python keeps offsets that were pending at an abort and commits them with its
next transaction (docs/upstream). By then their partition may be another worker's.
"""

import signal
from itertools import count

import pytest

from tests.scenarios.harness import Run, ordinary_events, running
from tests.scenarios.proxy import TXN_OFFSETS, Action, Proxy, Rule, of_an_older_generation
from tests.scenarios.report import Report, outcome_facts
from tests.scenarios.sizes import size
from tests.scenarios.worker_process import MUTATION
from tests.waiting import wait_for

REFUSALS = size(6, 60)


def refuse_every_third(number: int) -> Action:
    return "alter" if number % 3 == 2 else "pass"


def test_offsets_that_the_group_refused_are_never_committed_later(
    proxied: tuple[Run, Proxy], report: Report
) -> None:
    """Two workers, one of which leaves and comes back, so that partitions change hands."""
    run, proxy = proxied
    starts = count(0, 40)
    rule = proxy.rule = Rule(TXN_OFFSETS, refuse_every_third, alter=of_an_older_generation)
    with running(run.worker(0)) as stays:
        while len(rule.done) < REFUSALS:
            with running(run.worker(1)) as comes:
                seen = len(rule.done)

                def fed_until_refused(seen: int = seen) -> bool:
                    run.put(ordinary_events(40, start=next(starts)))
                    return len(rule.done) >= seen + 3

                wait_for(fed_until_refused, f"refusal {seen + 3}", 120.0)
                assert comes.drain() == 0
        proxy.rule = None
        run.wait_drained()
        found = run.check()
        assert stays.drain() == 0
    logs = "".join(worker.log.read_text() for worker in run.workers)
    illegal = logs.count("IllegalGenerationError")
    assert illegal >= REFUSALS, "the group did not refuse what was altered"
    report.keep(
        "G4b",
        f"{len(rule.done)} of {rule.seen} offset commits with a generation that is past,"
        " two workers, one of which comes and goes",
        outcome_facts(found) | {"refused": len(rule.done)},
    )


@pytest.mark.parametrize("mutation", ["", "reuse_producer"])
def test_only_a_producer_used_again_after_an_abort_loses_events(
    proxied: tuple[Run, Proxy], monkeypatch: pytest.MonkeyPatch, mutation: str
) -> None:
    """A slow commit, so that the next one is large; that is refused; a small one; a kill."""
    run, proxy = proxied
    actions: tuple[Action, ...] = ("delay", "alter")
    proxy.rule = Rule(
        TXN_OFFSETS,
        lambda number: actions[number] if number < len(actions) else "pass",
        delay_s=2.0,
        alter=of_an_older_generation,
    )
    run.put(ordinary_events(400))
    monkeypatch.setenv(MUTATION, mutation)
    dies = run.worker(failpoint="after_commit:kill@2")
    assert dies.wait_ended() == -signal.SIGKILL
    with running(run.worker()):
        run.wait_drained()
        if mutation:
            with pytest.raises(AssertionError, match="events have no outcome"):
                run.check()
        else:
            assert len(run.check().verdicts) == 400
