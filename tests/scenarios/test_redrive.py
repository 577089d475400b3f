"""Dead letters that are judged again, once their cause is mended (goal G9)."""

import typer
from typer.testing import CliRunner

from tests.scenarios import oracle
from tests.scenarios.harness import BRIGHT, Event, Run, ordinary_events, running
from tests.scenarios.report import Report
from tests.scenarios.sizes import size
from tests.waiting import wait_for
from worker.commands import dlq

LETTERS = size(3, 200)
SMALLEST_LIMIT = "1024"
"""Every image of the scenarios has more bytes, so that a worker with this limit rejects them."""


def redrive(run: Run, *arguments: str) -> None:
    """`latentprint dlq redrive`, as an operator types it."""
    app = typer.Typer()
    dlq.contribute(app)
    place = ["--brokers", run.brokers, "--prefix", run.topics.prefix]
    env = {"LATENTPRINT_STATE": "/nonexistent/services.json"}
    result = CliRunner().invoke(app, ["dlq", "redrive", *arguments, *place], env=env)
    assert result.exit_code == 0, (result.output, result.exception)


def wait_redriven(run: Run) -> None:
    """Wait until the group has committed the last redrive; a transaction's marker lies behind."""
    after = 1 + oracle.read(run.brokers, run.topics.redrives)[-1].offset
    wait_for(
        lambda: oracle.committed(run.brokers, run.group, run.topics.redrives) == {0: after},
        f"offset {after} of the redrives to be committed",
        60.0,
    )


def test_a_redrive_gives_the_verdict_of_the_first_place_and_twice_the_same_ids(
    run: Run, report: Report
) -> None:
    run.put(Event(BRIGHT, key=b"%d" % number, doomed=True) for number in range(LETTERS))
    strict_worker = run.worker(
        DECODE__MAX_IMAGE_BYTES=SMALLEST_LIMIT,
        DELIVERY__MAX_CONSECUTIVE_REJECTS=f"{10 * LETTERS}",
        DELIVERY__REJECT_WINDOW=f"{10 * LETTERS}",
    )
    with running(strict_worker) as strict:
        run.wait_drained()
        assert strict.drain() == 0
    first = oracle.find(run.brokers, run.topics)
    assert {letter.code for letter in first.letters} == {"too_large"}
    with running(run.worker()) as mended:
        redrive(run, "--all")
        wait_redriven(run)
        letters = oracle.read(run.brokers, run.topics.dead_letters)
        redrive(run, *(f"{letter.partition}:{letter.offset}" for letter in letters), "--again")
        wait_redriven(run)
        run.put(ordinary_events(5, start=1))
        run.wait_drained()
        assert mended.drain() == 0
    oracle.check_settled(run.brokers, run.group, run.topics)
    found = oracle.find(run.brokers, run.topics)
    places = {(letter.origin.partition, letter.origin.offset) for letter in first.letters}
    redriven = [v for _, v in found.verdicts if (v.partition, v.offset) in places]
    assert len(places) == LETTERS
    assert len(redriven) == 2 * LETTERS
    assert len({verdict.verdict_id for verdict in redriven}) == LETTERS
    assert {(v.topic, v.partition, v.offset) for v in redriven} == {
        (run.topics.images, *place) for place in places
    }
    alerts = [a for a in found.alerts if a.verdict_id in {v.verdict_id for v in redriven}]
    assert len(alerts) == 2 * LETTERS
    assert len({alert.alert_id for alert in alerts}) == LETTERS
    report.keep(
        "G9",
        f"{LETTERS} dead letters, all redriven twice",
        {
            "verdicts": len(redriven),
            "verdict_ids": LETTERS,
            "alerts": len(alerts),
            "alert_ids": LETTERS,
        },
    )


def test_what_is_rejected_again_counts_its_attempts_and_does_not_trip_the_breaker(
    run: Run,
) -> None:
    run.put(Event(BRIGHT, key=b"k", doomed=True) for _ in range(3))
    strict = run.worker(
        DECODE__MAX_IMAGE_BYTES=SMALLEST_LIMIT, DELIVERY__MAX_CONSECUTIVE_REJECTS="4"
    )
    with running(strict) as worker:
        run.wait_drained()
        redrive(run, "--all")
        wait_redriven(run)
        assert worker.drain() == 0
    letters = oracle.find(run.brokers, run.topics).letters
    assert sorted(letter.attempts for letter in letters) == [1, 1, 1, 2, 2, 2]
    assert {letter.value for letter in letters} == {BRIGHT}
    assert {(letter.origin.partition, letter.origin.offset) for letter in letters} == (
        set(run.ledger.doomed)
    )
