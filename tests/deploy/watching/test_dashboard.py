"""The dashboard asks only for figures that are declared, and is the one that is generated."""

import json
from typing import Any

from deploy.watching import dashboard
from tests.deploy.watching.queries import undeclared
from tests.deploy.watching.rules import read_rules

WINDOW = "$__rate_interval"


def panels() -> list[dict[str, Any]]:
    """Every panel of the dashboard as it is shipped, its rows left out."""
    board: dict[str, Any] = json.loads(dashboard.FILE.read_text())
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def test_the_dashboard_is_the_generated_one() -> None:
    assert dashboard.FILE.read_text() == dashboard.document(), (
        "run `python -m deploy.watching.dashboard`"
    )


def test_every_query_of_the_dashboard_is_one_and_asks_for_declared_figures() -> None:
    targets = [target for panel in panels() for target in panel["targets"]]
    assert len(targets) > 30
    found = {t["expr"]: undeclared(t["expr"].replace(WINDOW, "5m")) for t in targets}
    assert {query: names for query, names in found.items() if names} == {}


def test_panels_have_titles_of_their_own_room_of_their_own_and_queries_of_their_own() -> None:
    titles = [panel["title"] for panel in panels()]
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels()}
    assert len(set(titles)) == len(titles) == len(places)
    for panel in panels():
        letters = [target["refId"] for target in panel["targets"]]
        assert letters == list("ABCDEFGH"[: len(letters)]), panel["title"]
        assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= dashboard.WIDTH


def test_an_alarm_that_a_panel_speaks_of_is_there() -> None:
    spoken = [word for p in panels() for word in p["description"].replace(".", " ").split()]
    named = {word for word in spoken if word.startswith("Latentprint")}
    assert named
    assert named <= {rule.name for rule in read_rules()}
