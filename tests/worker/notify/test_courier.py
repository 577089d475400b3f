"""One receiver: tries within a budget, what is given up and why, signatures that others check."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from structlog.testing import capture_logs

from tests.waiting import wait_for
from tests.worker.notify.alerting import alert, plan, raw
from tests.worker.notify.receiving import OTHER_SECRET, SECRET, Answer, Receiver, receiving
from worker.metrics import NOTIFY, Figures
from worker.notify.courier import Courier, Job
from worker.notify.letters import Letter
from worker.notify.messages import Message, alert_message, read_alert


class Desk:
    """A courier for one receiver, and what it settled."""

    def __init__(self, folder: Path, url: str, **options: Any) -> None:
        self.secret = folder / "secret"
        self.secret.write_text(SECRET)
        text = f'[[receiver]]\nname = "one"\nurl = "{url}"\nsecret_files = ["{self.secret}"]\n'
        (receiver,) = plan(folder, text + options.pop("extra", "")).receivers
        self.figures = Figures(NOTIFY)
        self.draining = threading.Event()
        self.failures: list[BaseException] = []
        self.settled: list[Letter | None] = []
        arguments = {"timeout_s": 1.0, "budget_s": 30.0, "queue_messages": 10} | options
        self.courier = Courier(
            receiver,
            figures=self.figures,
            draining=self.draining,
            fail=self.failures.append,
            wait_first_s=0.05,
            wait_jitter_s=0.0,
            **arguments,
        )

    def send(self, message: Message | None = None, **job: Any) -> Message:
        message = message or a_message()
        self.courier.offer(Job(message, self.settled.append, read_at=time.monotonic(), **job))
        return message

    def outcome(self, count: int = 1) -> list[Letter | None]:
        return wait_for(
            lambda: self.settled[:] if len(self.settled) >= count else [], "it to be settled"
        )


def a_message() -> Message:
    record = raw(alert())
    read, document = read_alert(record)
    return alert_message(record, read, document, "warning")


@contextmanager
def desk(folder: Path, *answers: Answer, **options: Any) -> Iterator[tuple[Desk, Receiver]]:
    with receiving(*answers) as receiver:
        one = Desk(folder, receiver.url, **options)
        one.courier.start()
        try:
            yield one, receiver
        finally:
            one.courier.close(timeout_s=5.0)


def test_a_503_is_tried_again_under_the_same_id_with_the_time_of_the_try(tmp_path: Path) -> None:
    with desk(tmp_path, Answer(503), Answer(close=True), Answer(429)) as (one, receiver):
        message = one.send()
        assert one.outcome() == [None]
    assert receiver.taken() == [str(message.message_id)] * 4
    for request in receiver.requests:
        assert request.path == "/hook?token=a"
        assert request.verified()["data"]["alert"]["alert_id"] == str(message.message_id)
    counted = one.figures.read()
    assert (counted["notify_delivered"], counted["notify_failures"]) == (1, 3)


@pytest.mark.parametrize("as_date", [False, True])
def test_retry_after_is_honoured(as_date: bool, tmp_path: Path) -> None:
    value = format_datetime(datetime.now(UTC) + timedelta(seconds=3)) if as_date else "1"
    with desk(tmp_path, Answer(503, {"Retry-After": value})) as (one, receiver):
        one.send()
        assert one.outcome() == [None]
    first, second = receiver.requests
    assert 0.7 < second.at - first.at < 10, "without it, a twentieth of a second"


def test_a_retry_after_beyond_the_budget_ends_with_the_budget(tmp_path: Path) -> None:
    with desk(tmp_path, *[Answer(503, {"Retry-After": "999999999999"})] * 2, budget_s=1.0) as (
        one,
        receiver,
    ):
        one.send()
        (letter,) = one.outcome()
    assert letter is not None
    assert letter.reason == "http_503"
    assert len(receiver.requests) == 2


@pytest.mark.parametrize(
    ("answer", "reason", "says"),
    [
        (Answer(400, body=b"invalid_blocks \x1b[31m"), "http_400", "400: invalid_blocks \\x1b[31m"),
        (Answer(302, {"Location": "http://127.0.0.1:1/"}), "http_302", "not followed"),
        (Answer(401), "http_401", "401"),
    ],
)
def test_what_no_waiting_mends_becomes_a_dead_letter_at_once(
    answer: Answer, reason: str, says: str, tmp_path: Path
) -> None:
    with desk(tmp_path, answer) as (one, receiver):
        message = one.send()
        (letter,) = one.outcome()
        assert letter is not None
        assert (letter.reason, letter.attempts, letter.receiver) == (reason, 1, "one")
        assert says in letter.message
        assert message.record is not None
        assert letter.value == message.record.value, "byte for byte"
        assert len(receiver.requests) == 1
        one.send()
        assert one.outcome(2)[1] is None, "the next one is tried"


def test_410_ends_all_tries_at_that_receiver(tmp_path: Path) -> None:
    with desk(tmp_path, Answer(410)) as (one, receiver):
        one.send()
        one.send()
        letters = one.outcome(2)
    assert [letter and letter.reason for letter in letters] == ["gone", "gone"]
    assert [letter and letter.attempts for letter in letters] == [1, 0]
    assert len(receiver.requests) == 1
    assert one.courier.gone


def test_a_dead_receiver_costs_one_budget_and_not_one_for_each_alert(tmp_path: Path) -> None:
    with desk(tmp_path, *[Answer(503)] * 1000, budget_s=0.5) as (one, _):
        began = time.monotonic()
        for _ in range(8):
            one.send()
        letters = one.outcome(8)
        assert time.monotonic() - began < 4, "eight budgets are 4 s"
    assert [letter and letter.reason for letter in letters] == ["http_503", *["budget"] * 7]


def test_a_receiver_that_is_slow_and_well_loses_nothing(tmp_path: Path) -> None:
    with desk(tmp_path, budget_s=0.8) as (one, receiver):
        receiver.pause_s = 0.3
        for _ in range(6):
            one.send()
        assert one.outcome(6) == [None] * 6, "they waited longer than a budget, each in its turn"


def test_what_finds_the_queue_full_is_a_dead_letter_and_waits_for_nobody(tmp_path: Path) -> None:
    with receiving() as receiver:
        one = Desk(tmp_path, receiver.url, queue_messages=2)  # not started: nothing is taken out
        for _ in range(3):
            one.send()
        (letter,) = one.settled
        assert letter is not None
        assert (letter.reason, letter.attempts) == ("queue_full", 0)
        one.courier.start()
        assert one.outcome(3)[1:] == [None, None]
        one.courier.close()


def test_a_drain_ends_the_tries_and_settles_nothing_that_may_still_succeed(tmp_path: Path) -> None:
    with desk(tmp_path, *[Answer(503)] * 1000) as (one, receiver):
        one.draining.set()
        one.send()
        wait_for(lambda: receiver.requests, "the one try")
        wait_for(lambda: one.courier.at_rest, "the courier to rest")
        assert one.settled == []
        assert len(receiver.requests) == 1


def test_a_courier_that_cannot_go_on_says_so(tmp_path: Path) -> None:
    with desk(tmp_path) as (one, _):

        def broken(letter: Letter | None) -> None:
            raise RuntimeError("a bug")

        one.courier.offer(Job(a_message(), broken))
        (failure,) = wait_for(lambda: one.failures[:], "the failure")
    assert str(failure) == "a bug"


def test_what_is_no_longer_ours_is_not_sent(tmp_path: Path) -> None:
    with desk(tmp_path) as (one, receiver):
        one.send(wanted=lambda: False)
        second = one.send()
        assert one.outcome() == [None]
        assert receiver.taken() == [str(second.message_id)]


def test_secrets_are_rotated_without_a_restart_and_without_a_gap(tmp_path: Path) -> None:
    with desk(tmp_path) as (one, receiver):
        one.send()
        one.outcome(1)
        one.secret.write_text(f"{SECRET}\n{OTHER_SECRET}\n")
        one.send()
        one.outcome(2)
        one.secret.write_text("being written")
        one.send()
        one.outcome(3)
        one.secret.write_text(OTHER_SECRET)
        one.send()
        one.outcome(4)
    old, both, meanwhile, new = receiver.requests
    assert old.verified(SECRET)
    assert both.verified(SECRET)
    assert both.verified(OTHER_SECRET)
    assert meanwhile.verified(OTHER_SECRET), "those read before are used"
    assert new.verified(OTHER_SECRET)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(new.body, dict(new.headers))


def test_a_changed_body_fails_the_check(tmp_path: Path) -> None:
    with desk(tmp_path) as (one, receiver):
        one.send()
        one.outcome()
    (request,) = receiver.requests
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(request.body + b" ", dict(request.headers))


def test_nothing_of_secret_or_address_reaches_the_log(tmp_path: Path) -> None:
    with capture_logs() as lines, desk(tmp_path, Answer(503), Answer(400)) as (one, _):
        one.send()
        one.outcome()
    assert "not_delivered" in str(lines)
    assert SECRET[6:] not in str(lines)
    assert "token" not in str(lines)
