"""The figures: declared once, counted from any thread, and seen from outside as they are inside."""

import threading

import pytest

from worker.metrics import METRICS, SUPERVISOR, WORKER, Figures


def test_no_two_figures_share_a_name_and_every_counter_is_told_by_its_name() -> None:
    names = [metric.exposed_name for metric in METRICS]
    assert len(set(names)) == len(names)
    assert [
        m.name for m in METRICS if m.exposed_name.endswith("_total") != (m.kind == "counter")
    ] == []
    assert [m.name for m in METRICS if bool(m.buckets) != (m.kind == "histogram")] == []


def test_figures_begin_at_nothing_and_whole_numbers_stay_whole() -> None:
    figures = Figures()
    assert set(figures.read()) >= {metric.name for metric in WORKER}
    assert set(figures.read().values()) == {0}
    figures.add("rebuilds")
    figures.observe("commit_seconds", 0.12345)
    figures.set("registry_revision", 7.0)
    assert figures.read()["rebuilds"] == 1
    assert isinstance(figures.read()["registry_revision"], int)
    assert figures.read()["commit_seconds"] == 0.123
    assert figures.read()["commit_seconds_count"] == 1


def test_values_of_labels_are_added_up_in_the_log_and_of_lag_the_worst_is_told() -> None:
    figures = Figures()
    figures.add("verdicts", 2, outcome="no_evidence", flagged="false")
    figures.add("verdicts", 1, outcome="attributed", flagged="true")
    figures.set_all("lag_records", {("images", "0"): 5.0, ("images", "1"): 6.0})
    figures.set_all("lag_seconds", {("images", "0"): 9.0, ("images", "1"): 4.0})
    told = figures.read()
    assert (told["verdicts"], told["lag_records"], told["lag_seconds"]) == (3, 11, 9)


def test_a_partition_that_went_elsewhere_is_no_longer_shown() -> None:
    figures = Figures()
    figures.set_all("lag_records", {("images", "0"): 5.0, ("images", "1"): 6.0})
    figures.set_all("lag_records", {("images", "1"): 7.0})
    assert figures.read()["lag_records"] == 7
    figures.set_all("lag_records", {})
    assert figures.read()["lag_records"] == 0


def test_clocks_that_differ_make_no_negative_seconds() -> None:
    figures = Figures()
    figures.observe("end_to_end_seconds", -86400.0)
    assert (figures.read()["end_to_end_seconds"], figures.read()["end_to_end_seconds_count"]) == (
        0,
        1,
    )


def test_what_matters_to_a_reader_alone_is_set_when_one_reads() -> None:
    figures, asked = Figures(), iter(range(1, 9))
    figures.before_reading(lambda: figures.set("loop_age_seconds", next(asked)))
    assert [figures.read()["loop_age_seconds"] for _ in range(3)] == [1, 2, 3]


def test_two_workers_in_one_process_have_figures_of_their_own() -> None:
    one, other = Figures(), Figures()
    one.add("rebuilds", 3)
    assert other.read()["rebuilds"] == 0


def test_a_figure_that_is_not_declared_or_of_another_kind_is_refused() -> None:
    figures = Figures()
    with pytest.raises(KeyError):
        figures.add("registry_revision")
    with pytest.raises(KeyError):
        figures.set("rebuilds", 1)
    with pytest.raises(KeyError):
        figures.add("rebuild")
    with pytest.raises(KeyError):
        figures.add("rejects")
    with pytest.raises(KeyError):
        figures.add("rejects", code="schema", sender="anybody")
    with pytest.raises(KeyError):
        Figures(SUPERVISOR, slot=None).add("rebuilds")


def test_no_count_is_lost_between_threads() -> None:
    figures = Figures()

    def count() -> None:
        for _ in range(1000):
            figures.add("rejects", code="schema")

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert figures.read()["rejects"] == 4000
