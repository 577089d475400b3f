"""A goal holds, is missed, or was not measured; nothing that was not drawn holds."""

from typing import Any

from training.evaluation.goals import Goal, goals

NOTHING: dict[str, Any] = {
    "groups": [],
    "few_shots": [],
    "photographs": [],
    "kinds": [],
    "registry_sizes": [],
}


def share(value: float, **more: Any) -> dict[str, Any]:
    return {"share": value, "low": value, "high": value, "bound": value, "worst": None, **more}


def found(document: dict[str, Any], measure: str, arrival: str) -> Goal:
    (goal,) = [g for g in goals(document) if g.measure == measure and g.arrival == arrival]
    return goal


def test_without_rows_no_goal_holds() -> None:
    listed = goals(NOTHING)
    assert listed
    assert all(goal.met is None for goal in listed)


def test_a_share_below_its_goal_is_missed_and_one_at_it_holds() -> None:
    row = {
        "sides": "128-511",
        "group": "photographs",
        "arrival": "jpeg90",
        "pictures": 40,
        "generators": 4,
        "families": 2,
        "right": share(0.60),
        "wrong_family": share(0.02),
    }
    document = {**NOTHING, "groups": [row]}
    title = "unseen networks over photographs, 128-511 pixels"
    assert found(document, f"{title}: right", "jpeg90").met is True
    assert found(document, f"{title}: wrong families", "jpeg90").met is False
    assert found(document, f"{title}: right", "clean").met is None


def test_noise_families_of_128_pixels_are_said_to_be_missing() -> None:
    goal = found(
        NOTHING, "unseen families that draw from noise, 50 samples, 128+ pixels: right", "clean"
    )
    assert "none of the unseen ones draws 128 pixels" in goal.note


def test_one_photograph_stands_for_none_where_rates_are_compared() -> None:
    def row(models: int, flagged: float) -> dict[str, Any]:
        return {
            "models": models,
            "side": 256,
            "arrival": "clean",
            "photographs": 100,
            "flagged": share(flagged),
        }

    def grown(one: float, many: float) -> Goal:
        document = {**NOTHING, "registry_sizes": [row(1, one), row(1000, many)]}
        return found(document, "flagged with 1,000 models against 1, 256 pixels", "clean")

    assert grown(0.0, 0.0).seen == 1.0
    assert grown(0.0, 0.01).met is True
    assert grown(0.0, 0.02).met is False
    assert grown(0.02, 0.021).met is True


def test_a_kind_of_which_any_is_named_is_missed() -> None:
    kind = {
        "what": "kind",
        "name": "noise_10",
        "arrival": "clean",
        "photographs": 48,
        "flagged": share(0.01),
        "named": share(0.01),
    }
    document = {**NOTHING, "kinds": [kind]}
    assert found(document, "kind noise_10: flagged", "clean").met is True
    assert found(document, "kind noise_10: named", "clean").met is False
