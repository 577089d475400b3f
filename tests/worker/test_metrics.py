"""The figures: declared once, counted from any thread, and seen from outside as they are inside."""

import socket
import threading
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from deploy.services.ports import free_port
from worker.errors import StopError
from worker.metrics import METRICS, Figures


def test_figures_begin_at_nothing_and_whole_numbers_stay_whole() -> None:
    figures = Figures()
    assert figures.read() == {metric.name: 0 for metric in METRICS}
    figures.add("verdicts")
    figures.add("judge_seconds", 0.12345)
    figures.set("registry_revision", 7.0)
    assert figures.read()["verdicts"] == 1
    assert isinstance(figures.read()["registry_revision"], int)
    assert figures.read()["judge_seconds"] == 0.123


def test_two_workers_in_one_process_have_figures_of_their_own() -> None:
    one, other = Figures(), Figures()
    one.add("verdicts", 3)
    assert other.read()["verdicts"] == 0


def test_a_figure_that_is_not_declared_or_of_another_kind_is_refused() -> None:
    figures = Figures()
    with pytest.raises(KeyError):
        figures.add("registry_revision")
    with pytest.raises(KeyError):
        figures.set("verdicts", 1)
    with pytest.raises(KeyError):
        figures.add("verdict")


def test_no_count_is_lost_between_threads() -> None:
    figures = Figures()

    def count() -> None:
        for _ in range(1000):
            figures.add("verdicts")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert figures.read()["verdicts"] == 4000


def test_what_is_scraped_is_what_is_counted_with_its_unit_and_meaning() -> None:
    figures = Figures()
    figures.add("verdicts", 3)
    figures.set("in_flight_bytes", 12)
    port = free_port()
    figures.listen(f"127.0.0.1:{port - 2}", slot=2)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    samples = {s.name: s.value for family in families for s in family.samples}
    assert {metric.exposed_name for metric in METRICS} <= set(samples)
    assert samples["latentprint_verdicts_total"] == 3
    assert samples["latentprint_in_flight_bytes"] == 12
    about = {family.name: family.documentation for family in families}
    assert about["latentprint_verdicts"] == "committed with a verdict (events)"


def test_an_address_that_is_taken_is_refused_with_the_slot_and_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            StopError, match=rf"slot 1 .* 127.0.0.1:{port} .*METRICS__LISTEN"
        ) as stop:
            Figures().listen(f"127.0.0.1:{port - 1}", slot=1)
    assert stop.value.exit_code == 2
