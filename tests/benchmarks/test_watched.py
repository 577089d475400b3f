"""The pictures of a watched worker show what was kept of it."""

import json
import re

from benchmarks import watched
from benchmarks.watched import spans_of
from tests.deploy.watching.queries import undeclared


def test_a_state_holds_from_its_first_point_to_its_last_and_a_gap_parts_it() -> None:
    points = [(10, 1.0), (12, 1.0), (14, 1.0), (30, 1.0), (32, 1.0)]
    assert spans_of(points, step_s=2) == [(10, 6), (30, 4)]
    assert spans_of([], step_s=2) == []


def test_what_is_drawn_is_asked_of_declared_figures() -> None:
    found = {name: undeclared(query) for name, query in watched.QUERIES.items()}
    assert {name: names for name, names in found.items() if names} == {}


def test_the_alarms_fired_in_the_order_that_the_page_tells() -> None:
    """Stale before blind, stale before the limit, blind a minute after it."""
    kept = json.loads(watched.newest().read_text())
    alarms, stopped = kept["series"]["alarms"], kept["marks_s"]["stopped"]
    stale = alarms["LatentprintRegistryStale firing"][0][0] - stopped
    blind = alarms["LatentprintBlindVerdicts firing"][0][0] - stopped
    assert 30 + 15 <= stale < 60
    assert 60 + 60 <= blind <= 60 + 60 + 15


def test_the_pictures_are_there_and_small_and_their_letters_can_be_searched() -> None:
    pictures = sorted(watched.FIGURES.glob("*.svg"))
    assert [picture.name for picture in pictures] == ["burst.svg", "redis-stopped.svg"]
    assert sum(picture.stat().st_size for picture in pictures) < 60_000
    assert re.search(r">RegistryStale</text>", pictures[1].read_text())
