"""One sender's broken uploads are held back with an alarm, and everybody else is served."""

from collections import Counter

from tests.scenarios.harness import DARK, Event, Run, running
from tests.scenarios.sizes import size

ROUNDS, LIMIT = size(100, 2000), 20


def of_user(user: int, value: bytes, number: int) -> Event:
    headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", b"%d-%d" % (user, number)),
        ("ce_source", b"/app"),
        ("ce_type", b"latentprint.image.v1"),
        ("ce_subject", b"user-%d/%d.png" % (user, number)),
        ("content-type", b"image/png"),
    )
    key = b"user-%d" % user
    return Event(value, key=key, headers=headers, doomed=value != DARK)


def test_a_flood_of_one_sender_is_quarantined_with_an_alarm_and_the_others_are_judged(
    run: Run,
) -> None:
    """Two broken uploads of user 0 for each good one of six others, through one source."""
    before = [of_user(1 + number % 6, DARK, -number) for number in range(12)]
    run.put(before)
    limit = str(LIMIT)
    worker = run.worker(DELIVERY__MAX_CONSECUTIVE_REJECTS=limit, DELIVERY__COMMIT_RECORDS="10")
    events = []
    for number in range(ROUNDS):
        events.append(of_user(1 + number % 6, DARK, number))
        events += [of_user(0, b"no image", 2 * number + half) for half in (0, 1)]
    with running(worker):
        run.wait_drained()  # a worker that has judged nobody else yet would stop instead
        run.put(events)
        run.wait_drained()
        found = run.check()
        assert worker.drain() == 0
    assert len(found.verdicts) == len(before) + ROUNDS
    codes = Counter(letter.code for letter in found.letters)
    assert set(codes) == {"decode.unsupported", "quarantined"}
    assert codes["decode.unsupported"] >= LIMIT + 1
    alarm = [line for line in worker.log.read_text().splitlines() if '"quarantine"' in line]
    assert len(alarm) == 1
    assert '"level": "error"' in alarm[0]
    assert "/app user-0" in alarm[0]
