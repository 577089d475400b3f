"""Goal G5: EndTxn is cut or delayed on its way; nothing is torn, lost or doubled."""

import random

from tests.scenarios.harness import Run, ordinary_events, running
from tests.scenarios.proxy import END_TXN, Action, Proxy, Rule
from tests.scenarios.report import Report, outcome_facts
from tests.scenarios.sizes import SEED, size
from tests.waiting import wait_for

FAULTS = size(6, 200)
DELAY_S = 7.0
"""Longer than a request may take, so that the worker gives the commit up while it is on its way."""


def test_an_end_of_transaction_that_is_cut_or_late_tears_nothing(
    proxied: tuple[Run, Proxy], report: Report
) -> None:
    """Every third EndTxn never arrives, arrives unanswered, or arrives after it was given up."""
    run, proxy = proxied
    schedule = random.Random(SEED)
    faults: tuple[Action, ...] = ("cut_before", "cut_after", "delay")

    def decide(number: int) -> Action:
        return schedule.choice(faults) if number % 3 == 2 else "pass"

    rule = Rule(END_TXN, decide, delay_s=DELAY_S)
    proxy.rule = rule
    put = 0
    with running(run.worker()) as worker:
        while len(rule.done) < FAULTS:
            seen = len(rule.done)

            def fed_until_a_fault(seen: int = seen) -> bool:
                nonlocal put
                run.put(ordinary_events(20, start=put))
                put += 20
                return len(rule.done) > seen

            wait_for(fed_until_a_fault, f"fault {seen + 1} of {FAULTS}", 120.0)
        proxy.rule = None
        run.wait_drained()
        found = run.check()
        assert worker.drain() == 0
    rebuilds = worker.count_logged('"event": "rebuild"')
    assert rebuilds >= len(rule.done) // 2, "the faults left no trace: the proxy was passed by"
    report.keep(
        "G5",
        f"{len(rule.done)} of {rule.seen} EndTxn requests cut or delayed by {DELAY_S:g} s",
        outcome_facts(found) | {"torn": 0, "rebuilds": rebuilds, "faults": len(rule.done)},
    )
