"""A slot that is taken away for good leaves its group; one that only stops keeps its place."""

import json
import subprocess
import sys
import time

from tests.scenarios.harness import COMMITTED, Run, ordinary_events, running
from tests.waiting import wait_for

LONG_SESSION = {"KAFKA__SESSION_TIMEOUT_S": "45"}
"""As shipped; a slot that does not leave holds its partitions for so long."""

MOVED_WITHIN_S = 10.0
"""A heartbeat, a rebalance and a poll; on an idle machine it takes a second."""

ASSIGNED = '"event": "assigned"'


def test_slots_scaled_in_give_their_partitions_to_the_others_at_once(run: Run) -> None:
    """By SIGUSR1 under load, and by the command after a SIGTERM; nothing is lost or doubled."""
    run.put(ordinary_events(100))
    with running(run.worker(slot=0, **LONG_SESSION)) as stays:
        with running(run.worker(slot=1, **LONG_SESSION)) as goes:
            goes.wait_logged(ASSIGNED)
            stays.wait_logged('"event": "revoked"')
            run.put(ordinary_events(200, start=100))
            goes.wait_logged(COMMITTED)
            run.put(ordinary_events(200, start=300))
            before, asked_at = stays.count_logged(ASSIGNED), time.monotonic()
            assert goes.leave() == 0
            assert goes.has_logged('"event": "left_group"')
            wait_for(lambda: stays.count_logged(ASSIGNED) > before, "them to move", MOVED_WITHIN_S)
            print(f"moved {time.monotonic() - asked_at:.1f} s after SIGUSR1")
        stopped = run.worker(slot=2, **LONG_SESSION)
        with running(stopped):
            stopped.wait_logged(ASSIGNED)
            before = stays.count_logged(ASSIGNED)
            assert stopped.drain() == 0
        assert stays.count_logged(ASSIGNED) == before, "its place is kept for its return"
        asked_at = time.monotonic()
        assert leave(run, 2, 7) == [2], "slot 7 was never there, which is no mistake"
        wait_for(lambda: stays.count_logged(ASSIGNED) > before, "them to move", MOVED_WITHIN_S)
        print(f"moved {time.monotonic() - asked_at:.1f} s after the command was typed")
        run.put(ordinary_events(200, start=500))
        run.wait_drained(20.0)
        assert len(run.check().verdicts) == 700
        assert stays.drain() == 0


def leave(run: Run, *slots: int) -> list[int]:
    """Which of these `latentprint leave` took out."""
    options = ["--json", "--group", run.group, "--brokers", run.brokers]
    for slot in slots:
        options += ["--slot", str(slot)]
    done = subprocess.run(
        [sys.executable, "-m", "worker.program", "leave", *options],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    answer = json.loads(done.stdout)
    assert answer["group"] == run.group
    return list(answer["left"])
