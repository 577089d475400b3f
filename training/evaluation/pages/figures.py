"""The plots of the pages, as SVG without dates, so that the same numbers give the same file."""

from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.evaluation.pages.tables import Document, Rows
from training.evaluation.plan import ARRIVALS, MAIN

GROUP_NAMES = {
    "noise": "draw from noise",
    "photographs": "networks over photographs",
    "simulated": "simulated decoders",
}


def draw_figures(document: Document, folder: Path) -> list[str]:
    """Every plot that the document has rows for; their file names."""
    drawn = {
        "right.svg": _right(document["groups"]),
        "photographs.svg": _photographs(document["photographs"]),
        "kinds.svg": _kinds(document["kinds"]),
        "registry-size.svg": _registry_size(document["registry_sizes"]),
        "samples.svg": _samples(document["shots"]),
        "open-set-curve.svg": _curves(document["curves"]),
    }
    folder.mkdir(parents=True, exist_ok=True)
    with rc_context({"svg.hashsalt": "latentprint", "font.size": 9}):
        for name, figure in drawn.items():
            if figure is not None:
                figure.savefig(folder / name, metadata={"Date": None})
    return [name for name, figure in drawn.items() if figure is not None]


def _panels(count: int, width: float = 4.6, height: float = 3.2) -> tuple[Figure, list[Axes]]:
    with rc_context({"svg.hashsalt": "latentprint", "font.size": 9}):
        figure = Figure(figsize=(width * count, height), layout="constrained")
        return figure, list(np.atleast_1d(figure.subplots(1, count)).ravel())


def _right(rows: Rows) -> Figure | None:
    """Named right by arrival, a panel for each pool of sides that the goals have."""
    pools = [p for p in ("64", "128-511", "512") if any(r["sides"] == p for r in rows)]
    if not pools:
        return None
    figure, panels = _panels(len(pools))
    for axes, pool in zip(panels, pools, strict=True):
        groups = list(dict.fromkeys(r["group"] for r in rows if r["sides"] == pool))
        width = 0.8 / len(groups)
        for number, group in enumerate(groups):
            own = {
                r["arrival"]: r["right"]
                for r in rows
                if r["sides"] == pool and r["group"] == group and r["arrival"] in MAIN
            }
            places = np.arange(len(own)) + width * (number - (len(groups) - 1) / 2)
            shares = np.array([share["share"] for share in own.values()])
            low = np.array([share["low"] for share in own.values()])
            high = np.array([share["high"] for share in own.values()])
            axes.bar(
                places,
                100 * shares,
                0.92 * width,
                yerr=100 * np.array([np.maximum(shares - low, 0), np.maximum(high - shares, 0)]),
                label=GROUP_NAMES[group],
                error_kw={"linewidth": 0.8},
            )
            axes.set_xticks(range(len(own)), list(own), rotation=25, ha="right")
        axes.set_title(f"{pool} pixels")
        axes.set_ylim(0, 105)
        axes.set_ylabel("named right, %")
        axes.legend(frameon=False, fontsize=7)
    return figure


def _photographs(rows: Rows) -> Figure | None:
    own = [r for r in rows if r.get("sides") == "128+"]
    if not own:
        return None
    figure, (axes,) = _panels(1, 7)
    own.sort(key=lambda r: ARRIVALS.index(r["arrival"]))
    for number, row in enumerate(own):
        flagged = row["flagged"]
        axes.plot([number] * 2, [100 * flagged["low"], 100 * flagged["high"]], "C0", linewidth=4)
        axes.plot(number, 100 * flagged["share"], "ko", markersize=4)
        if flagged["worst"] is not None:
            axes.plot(number, 100 * flagged["worst"]["share"], "C3x", markersize=6)
    axes.axhline(0.5, color="grey", linestyle="--", linewidth=0.8)
    axes.set_xticks(range(len(own)), [r["arrival"] for r in own], rotation=25, ha="right")
    axes.set_ylabel("photographs flagged, %")
    axes.set_title("dot: all, bar: 95 %, cross: worst source of 8 or more; dashed: goal for all")
    return figure


def _kinds(rows: Rows) -> Figure | None:
    own = [r for r in rows if r["arrival"] in ("clean", "as_received")]
    if not own:
        return None
    own.sort(key=lambda r: r["flagged"]["share"])
    figure, (axes,) = _panels(1, 7, 1 + 0.16 * len(own))
    places = np.arange(len(own))
    axes.barh(places, [100 * r["flagged"]["share"] for r in own], label="flagged")
    axes.barh(
        places,
        [100 * r["undetermined"]["share"] for r in own],
        left=[100 * r["flagged"]["share"] for r in own],
        color="lightgrey",
        label="undetermined",
    )
    axes.axvline(2, color="grey", linestyle="--", linewidth=0.8)
    axes.set_yticks(places, [str(r["name"]) for r in own], fontsize=6)
    axes.set_xlabel("share of the pictures, %; dashed: the goal")
    axes.legend(frameon=False)
    return figure


def _registry_size(rows: Rows) -> Figure | None:
    sides = list(dict.fromkeys(r["side"] for r in rows))
    if not sides:
        return None
    figure, panels = _panels(len(sides))
    for axes, side in zip(panels, sides, strict=True):
        for arrival in dict.fromkeys(r["arrival"] for r in rows if r["side"] == side):
            own = [r for r in rows if r["side"] == side and r["arrival"] == arrival]
            axes.plot(
                [r["models"] for r in own],
                [100 * r["flagged"]["share"] for r in own],
                "o-",
                label=arrival,
            )
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel("registered models")
        axes.set_ylabel("photographs flagged, %")
        axes.set_title(f"{side} pixels")
        axes.legend(frameon=False)
    return figure


def _samples(rows: Rows) -> Figure | None:
    groups = list(dict.fromkeys(r["group"] for r in rows))
    if not groups:
        return None
    figure, panels = _panels(len(groups))
    for axes, group in zip(panels, groups, strict=True):
        of_group = [r for r in rows if r["group"] == group]
        for number, arrival in enumerate(dict.fromkeys(r["arrival"] for r in of_group)):
            own = [r for r in of_group if r["arrival"] == arrival]
            for field, style in (("right", "o-"), ("top_1", ":")):
                axes.plot(
                    [r["shots"] for r in own],
                    [100 * r[field]["share"] for r in own],
                    style,
                    color=f"C{number}",
                    label=arrival if field == "right" else None,
                )
        axes.set_xscale("log")
        axes.set_ylim(0, 105)
        axes.set_xlabel("samples; dotted: the nearest model is the right one")
        axes.set_ylabel("named right, %")
        axes.set_title(f"{GROUP_NAMES[group]}, {of_group[0]['side']} pixels")
        axes.legend(frameon=False)
    return figure


def _curves(rows: Rows) -> Figure | None:
    sides = list(dict.fromkeys(r["side"] for r in rows))
    if not sides:
        return None
    figure, panels = _panels(len(sides))
    for axes, side in zip(panels, sides, strict=True):
        for row in (r for r in rows if r["side"] == side):
            points = np.array(row["points"])
            axes.plot(
                100 * np.maximum(points[:, 0], 1e-3),
                100 * points[:, 1],
                label=f"{row['arrival']}, area {row['area']:.2f}",
            )
        axes.set_xscale("log")
        axes.set_xlim(0.1, 100)
        axes.set_ylim(0, 105)
        axes.set_xlabel("photographs at or above the score, %")
        axes.set_ylabel("nearest model right, %")
        axes.set_title(f"{side} pixels")
        axes.legend(frameon=False, fontsize=7)
    return figure
