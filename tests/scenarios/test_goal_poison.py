"""Goal G8: one event in twenty is poison of every kind; each dies alone, once, as it came."""

import random
from collections import Counter
from dataclasses import replace

from tests.scenarios import oracle
from tests.scenarios.harness import Event, Run, ordinary_events, running
from tests.scenarios.report import Report, outcome_facts
from tests.scenarios.sizes import SEED, size
from tests.scenarios.test_poison import POISON

EVENTS = size(200, 4000)
SHARE = 0.05


def test_every_twentieth_event_is_poison_and_dies_alone(run: Run, report: Report) -> None:
    schedule = random.Random(SEED)
    kinds = list(POISON.values())
    events: list[Event] = []
    for number, event in enumerate(ordinary_events(EVENTS)):
        doomed = schedule.random() < SHARE
        kind = schedule.choice(kinds)
        named = f"{kind.event_id}-{number}" if kind.event_id else ""
        events.append(replace(kind, event_id=named) if doomed else event)
    run.put(events)
    with running(run.worker()) as worker:
        run.wait_drained(deadline_s=size(120, 1800))
        found = run.check()
        assert worker.drain() == 0
    doomed_values = Counter((event.key, event.value) for event in events if event.doomed)
    assert Counter((letter.key, letter.value) for letter in found.letters) == doomed_values
    codes = Counter(letter.code for letter in oracle.find(run.brokers, run.topics).letters)
    report.keep(
        "G8",
        f"{EVENTS} events, {sum(doomed_values.values())} of them poison of {len(POISON)} kinds",
        outcome_facts(found) | dict(sorted(codes.items())),
    )
