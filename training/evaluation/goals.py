"""The goals of the issue, each against the rows: met, missed, or not measured, and by how much.

A goal names what it asks of which rows; what no picture was drawn for is said to be unmeasured,
never met.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

Rows = Sequence[Mapping[str, Any]]

NOISE = {
    "clean": 0.97,
    "jpeg90": 0.90,
    "jpeg75": 0.80,
    "half": 0.80,
    "jpeg85_then_75": 0.75,
}
NETWORKS = {
    "128-511": {"clean": 0.95, "jpeg90": 0.60, "jpeg75": 0.40},
    "512": {"clean": 0.97, "jpeg90": 0.90, "jpeg75": 0.75},
}
FOUND = {"clean": 0.80, "jpeg90": 0.40}
WRONG, FLAGGED, WORST, KIND, UNDETERMINED, GROWTH = 0.01, 0.005, 0.02, 0.02, 0.10, 1.1
TEN_SHOTS = {5: 0.92, 15: 0.80}


@dataclass(frozen=True, slots=True)
class Goal:
    """One line: what was asked (`at_least`, or at most), what was seen, and whether it holds.

    `met` is None where nothing was measured. `note` says what the figure is of.
    """

    measure: str
    arrival: str
    goal: float
    at_least: bool
    seen: float | None
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the goal holds for the share that was seen."""
        if self.seen is None:
            return None
        return self.seen >= self.goal if self.at_least else self.seen <= self.goal

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "met": self.met}


def goals(document: Mapping[str, Any]) -> list[Goal]:
    """Every goal, in the order of the issue."""
    return [
        *_noise(document["groups"]),
        *_networks(document["groups"]),
        *_ten_shots(document["few_shots"]),
        *_photographs(document["photographs"]),
        *_kinds(document["kinds"]),
        *_growth(document["registry_sizes"]),
        *_found(document["groups"]),
    ]


def _find(rows: Rows, **wanted: Any) -> Mapping[str, Any] | None:
    return next((r for r in rows if all(r.get(k) == v for k, v in wanted.items())), None)


def _of(
    row: Mapping[str, Any] | None, field: str, measure: str, arrival: str, goal: float, **more: Any
) -> Goal:
    """A goal about a share of a row."""
    at_least = bool(more.get("at_least", True))
    if row is None:
        note = str(more.get("note", "")) or "no such picture was drawn"
        return Goal(measure, arrival, goal, at_least, None, note=note)
    share = row[field]
    note = f"{row['pictures']} pictures"
    if "generators" in row:
        note += f" of {row['generators']} generators, {row['families']} families"
    if more.get("note"):
        note += f"; {more['note']}"
    return Goal(measure, arrival, goal, at_least, share["share"], share["low"], share["high"], note)


def _noise(rows: Rows) -> Iterator[Goal]:
    title = "unseen families that draw from noise, 50 samples"
    for sides, note in (
        ("128+", "none of the unseen ones draws 128 pixels or more"),
        ("64", "64 pixels, beside the goal"),
    ):
        name = f"{title}, {sides} pixels"
        if not any(r["sides"] == sides and r["group"] == "noise" for r in rows):
            yield Goal(f"{name}: right", "clean", NOISE["clean"], True, None, note=note)
            continue
        for arrival, goal in NOISE.items():
            row = _find(rows, sides=sides, group="noise", arrival=arrival)
            yield _of(row, "right", f"{name}: right", arrival, goal, note=note)
            yield _of(
                row, "wrong", f"{name}: wrong names", arrival, WRONG, at_least=False, note=note
            )


def _networks(rows: Rows) -> Iterator[Goal]:
    for sides, by_arrival in NETWORKS.items():
        for arrival, goal in by_arrival.items():
            row = _find(rows, sides=sides, group="photographs", arrival=arrival)
            title = f"unseen networks over photographs, {sides} pixels"
            yield _of(row, "right", f"{title}: right", arrival, goal)
            yield _of(
                row, "wrong_family", f"{title}: wrong families", arrival, WRONG, at_least=False
            )


def _ten_shots(rows: Rows) -> Iterator[Goal]:
    for of, goal in TEN_SHOTS.items():
        measured = [r for r in rows if r["of"] == of and r["arrival"] == "clean"]
        title = f"10 samples, nearest of {of}"
        if not measured:
            yield Goal(title, "clean", goal, True, None, note="too few generators")
        for row in measured:
            share = row["top_1"]
            yield Goal(
                f"{title}, {row['side']} pixels",
                "clean",
                goal,
                True,
                share["share"],
                share["low"],
                share["high"],
                f"{row['generators']} generators, {row['refused']} of them refused",
            )


def _photographs(rows: Rows) -> Iterator[Goal]:
    for sides in ("128+", "64"):
        for row in (r for r in rows if r.get("sides") == sides):
            title = f"photographs of sources left out, {sides} pixels"
            note = f"{row['photographs']} photographs"
            flagged, worst = row["flagged"], row["flagged"]["worst"]
            low, high = flagged["low"], flagged["bound"]
            arrival = str(row["arrival"])
            yield Goal(
                f"{title}: flagged", arrival, FLAGGED, False, flagged["share"], low, high, note
            )
            if worst is not None:
                yield Goal(
                    f"{title}: flagged of the worst source",
                    arrival,
                    WORST,
                    False,
                    worst["share"],
                    note=worst["source"],
                )
            unsaid = row["undetermined"]
            yield Goal(
                f"{title}: undetermined",
                arrival,
                UNDETERMINED,
                False,
                unsaid["share"],
                unsaid["low"],
                unsaid["high"],
                note,
            )


def _kinds(rows: Rows) -> Iterator[Goal]:
    for row in rows:
        title = f"{row['what']} {row['name']}"
        note = f"{row['photographs']} pictures"
        for event, goal in (("flagged", KIND), ("named", 0.0)):
            share = row[event]
            yield Goal(
                f"{title}: {event}",
                str(row["arrival"]),
                goal,
                False,
                share["share"],
                share["low"],
                share["bound"],
                note,
            )


def _growth(rows: Rows) -> Iterator[Goal]:
    for largest in (row for row in rows if row["models"] == 1000):
        side, arrival = largest["side"], largest["arrival"]
        one = _find(rows, models=1, side=side, arrival=arrival)
        if one is None:
            continue
        before, after = one["flagged"]["share"], largest["flagged"]["share"]
        title = f"flagged with 1,000 models against 1, {side} pixels"
        note = f"{before:.2%} with 1, {after:.2%} with 1,000"
        # Of fewer than one photograph no ratio can be told: one stands for none.
        least = 1 / one["photographs"]
        grown = max(after, least) / max(before, least)
        yield Goal(title, str(arrival), GROWTH, False, round(grown, 3), note=note)


def _found(rows: Rows) -> Iterator[Goal]:
    for sides in ("128+", "64"):
        for group in ("noise", "photographs", "simulated"):
            for arrival, goal in FOUND.items():
                row = _find(rows, sides=sides, group=group, arrival=arrival)
                if row is not None:
                    title = f"unknown families found with nothing registered, {group}, {sides}"
                    yield _of(row, "found_unregistered", title, arrival, goal)
