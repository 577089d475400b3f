"""The plots of the pages, as SVG without dates, so that the same numbers give the same file."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure


def bars(
    groups: Sequence[str],
    series: Mapping[str, Sequence[float | None]],
    path: Path,
    *,
    chance: Sequence[float] = (),
) -> None:
    """Accuracy in percent of each series in each group; a dashed line marks chance."""
    with rc_context({"svg.hashsalt": "latentprint", "font.size": 9}):
        figure = Figure(figsize=(1.6 + 1.5 * len(groups), 3.4))
        axes = figure.subplots()
        width = 0.8 / len(series)
        for number, (name, shares) in enumerate(series.items()):
            places = np.arange(len(groups)) + width * (number - (len(series) - 1) / 2)
            heights = [100 * share if share is not None else 0.0 for share in shares]
            drawn = axes.bar(places, heights, width * 0.92, label=name)
            labels = ["" if share is None else f"{100 * share:.1f}" for share in shares]
            axes.bar_label(drawn, labels, fontsize=7, padding=1)
        for place, share in enumerate(chance):
            axes.plot([place - 0.45, place + 0.45], [100 * share] * 2, "k--", linewidth=0.8)
        axes.set_xticks(np.arange(len(groups)), groups)
        axes.set_ylim(0, 112)
        axes.set_yticks(range(0, 101, 20))
        axes.set_ylabel("accuracy, %")
        axes.spines[["top", "right"]].set_visible(False)
        figure.legend(loc="outside upper center", ncols=min(len(series), 4), frameon=False)
        figure.subplots_adjust(top=0.8 if len(series) > 4 else 0.86, left=0.1, right=0.99)
        save(figure, path)


def confusion(counts: Sequence[Sequence[int]], sources: Sequence[str], path: Path) -> None:
    """Rows: true sources; columns: answers; in percent of the row."""
    shares = np.array(counts, float)
    shares = 100 * shares / shares.sum(1, keepdims=True)
    with rc_context({"svg.hashsalt": "latentprint", "font.size": 9}):
        figure = Figure(figsize=(2.2 + 0.5 * len(sources), 1.8 + 0.5 * len(sources)))
        axes = figure.subplots()
        axes.imshow(shares, vmin=0, vmax=100, cmap="Blues")
        for (row, column), share in np.ndenumerate(shares):
            if share > 0:
                colour = "white" if share > 50 else "black"
                text = f"{share:.0f}" if share >= 1 else f"{share:.1f}"
                axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=7)
        axes.set_xticks(range(len(sources)), sources, rotation=45, ha="right")
        axes.set_yticks(range(len(sources)), sources)
        axes.set_xlabel("answer")
        axes.set_ylabel("true source")
        figure.tight_layout()
        save(figure, path)


def save(figure: Figure, path: Path) -> None:
    """Write a figure without its date."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
