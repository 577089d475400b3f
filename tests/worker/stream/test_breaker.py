"""One sender's flood is held back; everybody's rejects stop the worker."""

import pytest
from structlog.testing import capture_logs

from worker.errors import RejectError, StopError
from worker.metrics import Figures
from worker.settings.delivery import DeliverySettings
from worker.stream.breaker import Breaker, Place, sender_of, sender_of_headers

LIMITS = DeliverySettings(
    max_consecutive_rejects=5,
    max_reject_ratio=0.5,
    reject_window=20,
    quarantine_s=60.0,
    max_quarantined=3,
)


class Bench:
    """A breaker with its clock, shown events one after another."""

    def __init__(self, limits: DeliverySettings = LIMITS) -> None:
        self.now = 1000.0
        self.figures = Figures()
        self.breaker = Breaker(limits, self.figures, clock=lambda: self.now)
        self.offset = 0

    def send(self, sender: str, code: str | None = None) -> str | None:
        """One event from its arrival to its commit; gives the code that it is answered with."""
        place = self.arrive()
        try:
            self.breaker.check(sender, place)
        except RejectError as error:
            code = error.code
        self.breaker.count(sender, place, code=code, reason="as the test says")
        return code

    def arrive(self) -> Place:
        self.offset += 1
        return ("images", 0, self.offset)

    def trip(self, sender: str) -> None:
        for _ in range(6):
            self.send(sender, "decode.corrupt")


def test_a_few_broken_files_among_good_ones_pass() -> None:
    bench = Bench()
    for number in range(200):
        bench.send("one", "decode.corrupt" if number % 4 == 0 else None)
    for _ in range(5):
        bench.send("one", "decode.corrupt")
    with pytest.raises(StopError):
        bench.send("one", "decode.corrupt")


def test_a_run_of_rejects_of_the_only_sender_names_the_last_reason_and_the_way_on() -> None:
    bench = Bench()
    for _ in range(5):
        bench.send("one", "schema")
    with pytest.raises(
        StopError,
        match=r"6 events in a row.*no event of another.*schema \(as.*MAX_CONSECUTIVE_REJECTS",
    ) as caught:
        bench.send("one", "schema")
    assert caught.value.exit_code == 1


def test_a_share_of_rejects_trips_only_over_a_full_window() -> None:
    bench = Bench()
    pattern = ["schema", "schema", None] * 7
    for code in pattern[:19]:
        bench.send("one", code)
    with pytest.raises(StopError, match="of the last 20 events"):
        bench.send("one", pattern[19])


def test_a_flood_of_one_sender_is_quarantined_with_an_alarm_and_the_others_are_judged() -> None:
    bench = Bench()
    bench.send("good")
    with capture_logs() as lines:
        answers = [bench.send("flood", "decode.corrupt") for _ in range(50)]
    assert answers == ["decode.corrupt"] * 6 + ["quarantined"] * 44
    (alarm,) = lines
    assert (alarm["event"], alarm["log_level"], alarm["sender"]) == ("quarantine", "error", "flood")
    assert [bench.send("good") for _ in range(3)] == [None] * 3
    figures = bench.figures.read()
    assert (figures["senders_quarantined"], figures["quarantines"]) == (1, 1)


def test_a_flood_that_is_most_of_the_stream_stops_nobody_else() -> None:
    """Its rejects fill the window, but one sender gives more than half of them."""
    bench = Bench()
    for _ in range(30):
        bench.send("good")
        for _ in range(4):
            bench.send("flood", "decode.corrupt")
        bench.send("other", "decode.corrupt" if bench.offset % 5 == 0 else None)
    assert bench.figures.read()["senders_quarantined"] == 1


def test_after_a_pause_one_event_is_tried_and_a_right_one_lifts_the_quarantine() -> None:
    bench = Bench()
    bench.send("good")
    bench.trip("flood")
    bench.now += 59.0
    assert bench.send("flood") == "quarantined"
    bench.now += 1.0
    assert bench.send("flood", "decode.corrupt") == "decode.corrupt", "the one that is tried"
    assert bench.send("flood") == "quarantined", "it was wrong, so another pause"
    bench.now += 60.0
    with capture_logs() as lines:
        assert bench.send("flood") is None
    assert [line["event"] for line in lines] == ["quarantine_lifted"]
    assert bench.send("flood") is None
    assert bench.figures.read()["senders_quarantined"] == 0


def test_only_the_event_that_was_let_through_lifts_a_quarantine() -> None:
    """What was on its way before, and what is read again, does not count as the one tried."""
    bench = Bench()
    bench.send("good")
    bench.trip("flood")
    bench.breaker.count("flood", bench.arrive(), code=None)
    bench.now += 60.0
    tried = bench.arrive()
    bench.breaker.check("flood", tried)
    with pytest.raises(RejectError):
        bench.breaker.check("flood", bench.arrive())
    bench.breaker.check("flood", tried)  # read again after a doubt: still the one
    bench.breaker.count("flood", tried, code=None)
    bench.breaker.check("flood", bench.arrive())


def test_several_senders_within_an_hour_stop_the_worker_and_over_days_they_do_not() -> None:
    for pause_s, stops in ((600.0, True), (3600.0, False)):
        bench = Bench()
        for sender in ("a", "b"):
            bench.send("good")
            bench.trip(sender)
            bench.now += pause_s
        bench.send("good")
        if stops:
            with pytest.raises(StopError, match="3 senders did so within an hour"):
                bench.trip("c")
        else:
            bench.trip("c")
            assert bench.figures.read()["senders_quarantined"] == 3


def test_a_bad_release_stops_the_worker_although_every_event_has_another_sender() -> None:
    bench = Bench()
    for number in range(40):
        bench.send(f"before {number}")
    for number in range(5):
        bench.send(f"after {number}", "model_nan")
    with pytest.raises(StopError, match="6 events in a row were rejected, of several senders"):
        bench.send("after all", "model_nan")


def test_a_quarantine_of_no_seconds_means_that_the_worker_stops() -> None:
    bench = Bench(LIMITS.model_copy(update={"quarantine_s": 0.0}))
    bench.send("good")
    with pytest.raises(StopError, match="all of 'flood'"):
        bench.trip("flood")


@pytest.mark.parametrize(
    ("source", "subject", "sender"),
    [
        ("/app", None, "/app"),
        ("/app", "photo.jpg", "/app"),
        ("/app", "user-7/photo.jpg", "/app user-7"),
        ("/app", "/user-7/album/photo.jpg", "/app user-7"),
    ],
)
def test_a_sender_is_the_source_and_the_first_part_of_the_subject(
    source: str, subject: str | None, sender: str
) -> None:
    assert sender_of(source, subject) == sender
    said = None if subject is None else subject.encode()
    headers = (("ce_source", source.encode()), ("ce_subject", said))
    assert sender_of_headers(headers) == sender


def test_a_record_without_headers_has_a_sender_without_a_name() -> None:
    assert sender_of_headers(()) == ""
    assert sender_of_headers((("ce_source", None),)) == ""


def test_senders_beyond_number_take_no_memory_beyond_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("worker.stream.breaker.MAX_SENDERS", 10)
    bench = Bench()
    for number in range(100):
        bench.send(f"sender {number}")
    assert len(bench.breaker._senders) == 10
