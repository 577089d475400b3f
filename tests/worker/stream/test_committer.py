"""The committer thread: an event that is judged again is no second one to the breaker."""

from collections.abc import Callable, Sequence
from typing import cast

from kafka.structs import TopicPartition

from tests.waiting import wait_for
from worker.errors import RetryError
from worker.events.cloudevents import Origin
from worker.events.dead_letter import DeadLetter
from worker.metrics import Figures
from worker.settings.delivery import DeliverySettings
from worker.stream.answers import Answer
from worker.stream.breaker import Breaker
from worker.stream.committer import CommitThread
from worker.stream.entries import Prefix
from worker.stream.in_flight import Ownership
from worker.stream.transaction import Committed, Publisher

P0 = TopicPartition("images", 0)
REJECTED = 3


class Doubtful:
    """Every commit but the fourth is in doubt; after each the same events are judged again."""

    def __init__(self) -> None:
        self.ownership: Ownership[Answer] = Ownership(max_records=99, max_bytes=9999)
        self.ownership.assign([P0], "member")
        self.tries = 0
        self.reject()

    def reject(self) -> None:
        entries = self.ownership.admit(P0, [(offset, 1) for offset in range(REJECTED)])
        self.ownership.begin(entries)
        letter = DeadLetter(Origin("images", 0, 0), None, b"", (), "schema", "event", "no")
        self.ownership.finish([(entry, letter, 1) for entry in entries])

    def commit(self, prefixes: Sequence[Prefix[Answer]]) -> Committed[Answer]:
        self.tries += 1
        if self.tries < 4:
            raise RetryError("the broker is away")
        self.ownership.settle(prefixes)
        results = [entry.result for prefix in prefixes for entry in prefix.entries]
        return Committed(tuple(filter(None, results)), REJECTED, 0.0)

    def rebuild(self, should_stop: Callable[[], bool], say_away: Callable[[str], None]) -> None:
        self.ownership.discard()
        self.ownership.resume([P0], "member")
        self.reject()

    def close(self) -> None:
        """Nothing is held."""


def test_events_that_are_judged_again_after_a_doubt_do_not_trip_the_breaker() -> None:
    doubtful, failures, figures = Doubtful(), list[BaseException](), Figures()
    delivery = DeliverySettings(
        commit_interval_ms=1.0, commit_records=REJECTED, max_consecutive_rejects=REJECTED + 1
    )
    commits = CommitThread(
        publisher=cast("Publisher[Answer]", doubtful),
        ownership=doubtful.ownership,
        breaker=Breaker(delivery, figures),
        redrives="redrives",
        delivery=delivery,
        figures=figures,
        fail=failures.append,
    )
    commits.start()
    wait_for(lambda: failures or doubtful.tries == 4, "the fourth commit")
    commits.close(10.0)
    assert failures == []
    assert figures.read()["rejects"] == REJECTED
    assert figures.read()["events_committed"] == REJECTED


class Undue:
    """Owns nothing, and says at first that nothing is due."""

    def __init__(self) -> None:
        self.said = iter([False, False, True])
        self.asked = 0
        self.taken_after: list[int] = []

    def wait_until_due(self, interval_s: float, records: int, timeout_s: float) -> bool:
        self.asked += 1
        return next(self.said)

    def take(self, limit: int) -> list[Prefix[Answer]]:
        self.taken_after.append(self.asked)
        return []


def test_nothing_is_taken_before_it_is_due() -> None:
    undue, failures, figures = Undue(), list[BaseException](), Figures()
    commits = CommitThread(
        publisher=cast("Publisher[Answer]", Doubtful()),
        ownership=cast("Ownership[Answer]", undue),
        breaker=Breaker(DeliverySettings(), figures),
        redrives="redrives",
        delivery=DeliverySettings(),
        figures=figures,
        fail=failures.append,
    )
    commits.start()
    wait_for(lambda: failures, "the end of what is said")
    commits.close(10.0)
    assert undue.taken_after == [3]
