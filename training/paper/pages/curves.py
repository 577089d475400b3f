"""Curves over a size or a number, ours beside the paper's, as SVG: accuracies, and powers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from training.paper.pages.plots import save


@dataclass(frozen=True)
class Curve:
    """`points`: a size in pixels to the accuracies, 0 to 1, of one or more training seeds."""

    name: str
    points: Mapping[int, Sequence[float]]
    published: bool = False


@dataclass(frozen=True)
class Panel:
    """Curves over one axis; `chance` (0 to 1) is a dotted line."""

    title: str
    axis: str
    curves: Sequence[Curve]
    chance: float


_CLOSEST = 1.25
"""Sizes that differ by a smaller factor would be written over one another."""


def curves(panels: Sequence[Panel], path: Path) -> None:
    """A panel beside the next; bars span the training seeds, the paper's curves are dashed."""
    with rc_context({"svg.hashsalt": "latentprint", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(3.4 * len(panels), 3.6))
        all_axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, panel in zip(all_axes, panels, strict=True):
            sizes = sorted({size for curve in panel.curves for size in curve.points})
            for place, curve in enumerate(panel.curves):
                known = sorted(curve.points)
                means = [100 * sum(curve.points[x]) / len(curve.points[x]) for x in known]
                below = [y - 100 * min(curve.points[x]) for x, y in zip(known, means, strict=True)]
                above = [100 * max(curve.points[x]) - y for x, y in zip(known, means, strict=True)]
                style = "--" if curve.published else "-"
                axes.errorbar(
                    known,
                    means,
                    yerr=[below, above],
                    fmt=style,
                    marker="." if curve.published else "o",
                    color="0.45" if curve.published else f"C{place}",
                    alpha=0.6 if curve.published and "LSUN" in curve.name else 1.0,
                    markersize=4,
                    linewidth=1.2,
                    label=curve.name,
                )
            axes.axhline(100 * panel.chance, color="k", linestyle=":", linewidth=0.8)
            axes.set_xscale("log", base=2)
            axes.set_xticks(named := _apart(sizes), [str(size) for size in named], fontsize=8)
            axes.xaxis.set_minor_locator(NullLocator())
            axes.set_ylim(0, 103)
            axes.set_xlabel(panel.axis)
            axes.set_title(panel.title, fontsize=9)
            axes.spines[["top", "right"]].set_visible(False)
        all_axes[0].set_ylabel("accuracy, %")
        handles, names = all_axes[0].get_legend_handles_labels()
        figure.legend(handles, names, loc="lower center", ncols=len(names), frameon=False)
        figure.subplots_adjust(top=0.9, bottom=0.24, left=0.06, right=0.99, wspace=0.06)
        save(figure, path)


@dataclass(frozen=True)
class Line:
    """`points`: a number of images to a ratio; lines of one `group` have its colour.

    `style` is one of matplotlib: "o-", ":", "x".
    """

    name: str
    points: Mapping[int, float]
    group: int
    style: str


def powers(lines: Sequence[Line], axis: str, height: str, path: Path) -> None:
    """Lines on logarithmic axes, on which a power of the number is a straight one."""
    with rc_context({"svg.hashsalt": "latentprint", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=(5.4, 3.6))
        axes = figure.subplots()
        for line in lines:
            numbers, ratios = list(line.points), list(line.points.values())
            colour = f"C{line.group}"
            axes.plot(numbers, ratios, line.style, color=colour, markersize=5, label=line.name)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel(axis)
        axes.set_ylabel(height)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=7)
        figure.tight_layout()
        save(figure, path)


def _apart(sizes: Sequence[int]) -> list[int]:
    """Those that leave room for their numbers, the largest first."""
    named: list[int] = []
    for size in sorted(sizes, reverse=True):
        if not named or named[-1] / size > _CLOSEST:
            named.append(size)
    return named
