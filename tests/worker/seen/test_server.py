"""The server of a process: every page answered, and nobody kept out by a client that is slow."""

import json
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.waiting import wait_for
from worker.errors import StopError
from worker.metrics import WORKER, Figures
from worker.seen import server as page_server
from worker.seen.health import Health
from worker.seen.pages import worker_pages
from worker.seen.probe import ask
from worker.seen.server import MAX_CONNECTIONS, Answer, PageServer, listening


@pytest.fixture
def figures() -> Figures:
    return Figures(slot=2)


@pytest.fixture
def health() -> Health:
    return Health(("group",))


@pytest.fixture
def served(figures: Figures, health: Health) -> Iterator[int]:
    """The port at which the pages of slot 2 are served, and one that breaks."""
    pages = dict(worker_pages(figures, health))

    def broken(accept: str) -> Answer:
        raise RuntimeError("out of order")

    server = PageServer(listening("127.0.0.1", 0, "a test"), pages | {"/broken": broken})
    yield server.port
    server.close()


def scraped(port: int, accept: str = "") -> tuple[str, str]:
    """What a scraper gets, and the type that it is said to be."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/metrics", headers={"Accept": accept} if accept else {}
    )
    with urllib.request.urlopen(request, timeout=5) as answer:
        return answer.read().decode(), answer.headers["Content-Type"]


def test_what_is_scraped_is_what_is_counted_with_its_slot_unit_and_meaning(
    figures: Figures, served: int
) -> None:
    figures.add("verdicts", 3, outcome="no_evidence", flagged="false")
    figures.set("in_flight_bytes", 12)
    families = list(text_string_to_metric_families(scraped(served)[0]))
    samples = {s.name: s for family in families for s in family.samples}
    plain = {m.exposed_name for m in WORKER if not m.labels and m.kind != "histogram"}
    assert plain <= set(samples)
    assert samples["latentprint_verdicts_total"].value == 3
    labels = {"slot": "2", "outcome": "no_evidence", "flagged": "false"}
    assert samples["latentprint_verdicts_total"].labels == labels
    assert {sample.labels.get("slot") for sample in samples.values()} == {"2"}
    assert samples["latentprint_in_flight_bytes"].value == 12
    about = {family.name: family.documentation for family in families}
    assert about["latentprint_verdicts"] == "committed with a verdict (events)"


def test_a_scraper_that_asks_for_openmetrics_gets_it(served: int) -> None:
    text, content_type = scraped(served, "application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")


def test_each_state_is_200_or_503_with_its_checks_by_name(health: Health, served: int) -> None:
    told = ask("127.0.0.1", served, "/readyz")
    assert not told.holds
    assert told.words[0] == "NOT  group: not known yet: the start still goes on"
    health.know("group", lambda: (True, "2 partitions"))
    told = ask("0.0.0.0", served, "/readyz")
    assert told.holds
    assert told.document == {
        "ready": True,
        "checks": [
            {"check": "group", "ok": True, "seen": "2 partitions"},
            {"check": "stays", "ok": True, "seen": "nobody asked it to end"},
        ],
    }
    assert ask("127.0.0.1", served, "/livez").holds
    assert not ask("127.0.0.1", served, "/startupz").holds


def test_a_page_that_fails_or_is_not_there_counts_as_no(served: int) -> None:
    assert ask("127.0.0.1", served, "/broken").words == ("RuntimeError: out of order",)
    missing = ask("127.0.0.1", served, "/healthz")
    assert not missing.holds
    assert missing.document is not None
    assert "/readyz" in missing.document["pages"]


def test_nobody_and_something_else_at_the_address_count_as_no() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        threading.Thread(target=_greet, args=(other,)).start()
        assert "BadStatusLine" in ask("127.0.0.1", port, "/readyz").words[0]
    told = ask("127.0.0.1", port, "/readyz")
    assert (told.holds, told.document) == (False, None)
    assert "does it run?" in told.words[0]


def _greet(listener: socket.socket) -> None:
    client, _ = listener.accept()
    with client:
        client.recv(1000)
        client.sendall(b"220 mail.example ESMTP\r\n")


def test_clients_that_say_nothing_keep_nobody_out(served: int) -> None:
    before = threading.active_count()
    silent = [socket.create_connection(("127.0.0.1", served)) for _ in range(3 * MAX_CONNECTIONS)]
    started = time.monotonic()
    assert ask("127.0.0.1", served, "/livez").holds
    assert time.monotonic() - started < 2.0, "it waited for none of them"
    # The first ones had to give way to those that came after.
    silent[0].settimeout(5.0)
    assert silent[0].recv(1) == b""
    assert threading.active_count() < before + 2 * MAX_CONNECTIONS
    for client in silent:
        client.close()


def test_a_client_that_sends_a_byte_now_and_then_is_closed_in_the_end(
    served: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_server, "CLIENT_S", 0.3)
    with socket.create_connection(("127.0.0.1", served)) as slow:
        slow.settimeout(0.05)
        wait_for(lambda: _closed_after_a_byte(slow), "the server to lose patience")
    assert ask("127.0.0.1", served, "/livez").holds


def _closed_after_a_byte(client: socket.socket) -> bool:
    try:
        client.sendall(b"G")
        return client.recv(1) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_an_address_that_is_taken_is_refused_with_the_slot_and_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StopError, match=rf"slot 1 .*:{port} .*METRICS__LISTEN") as stop:
            listening("127.0.0.1", port, what="slot 1")
    assert stop.value.exit_code == 2


def test_an_answer_is_one_line_of_json() -> None:
    answer = Answer.of(503, {"ready": False})
    assert json.loads(answer.body) == {"ready": False}
    assert answer.body.endswith(b"}\n")
