"""Workers that come and go hand partitions over without loss, duplicates or disorder."""

from tests.scenarios.harness import Run, ordinary_events, running


def test_a_second_worker_joins_and_leaves_under_load(run: Run) -> None:
    """Cooperative hand-over both ways, with events flowing throughout."""
    run.put(ordinary_events(200))
    with running(run.worker(slot=0)) as first:
        run.put(ordinary_events(200, start=200))
        with running(run.worker(slot=1)) as second:
            second.wait_logged('"event": "assigned"')
            first.wait_logged('"event": "revoked"')
            run.put(ordinary_events(200, start=400))
            second.wait_logged('"event": "commit"')
            assert second.drain() == 0
        run.put(ordinary_events(200, start=600))
        run.wait_drained()
        found = run.check()
        assert len(found.verdicts) == 800
        assert first.drain() == 0


def test_a_second_process_with_the_same_slot_stops_the_first_with_the_reason(run: Run) -> None:
    """Two processes of one slot would fence each other for ever; the older one gives way."""
    run.put(ordinary_events(20))
    with running(run.worker(slot=0)) as older, running(run.worker(slot=0)) as newer:
        run.put(ordinary_events(20, start=20))
        assert older.wait_ended() == 1
        assert "every worker its own --slot" in older.log.read_text()
        run.wait_drained()
        assert len(run.check().verdicts) == 40
        assert newer.drain() == 0
