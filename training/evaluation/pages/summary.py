"""The first page: the goals, and the figures over groups of generators."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.evaluation.pages.figures import GROUP_NAMES
from training.evaluation.pages.tables import Document, Rows, made_by, percent, table

_VERDICTS = ("right", "wrong", "wrong_family", "unknown", "undetermined", "missed")


def readme(document: Document, figures: Sequence[str], *, baselines: bool = False) -> str:
    """What was asked, how it came out against the goals, and the figures over groups.

    `baselines` says whether they have a page beside it.
    """
    met = [goal["met"] for goal in document["goals"]]
    return "\n".join(
        [
            "# Evaluation on what nothing learned from",
            "",
            made_by(document),
            "Digest, policy and plan were written down before any held-out source was opened."
            " Generators are of families, photographs of sources, that took no part in training,"
            " calibration or choice. Every picture went through the worker's own stages: decoder,"
            " extractor, enrolment gate, pipeline. `undetermined` counts in every denominator, and"
            " so do generators that the gate refused. Intervals are of 95 %, by the bootstrap over"
            " families (or sources) and over photographs within them. All figures are in"
            " [open-set.json](open-set.json).",
            "",
            "[Each generator](generators.md) · [photographs and kinds of pictures](photographs.md)"
            + (" · [baselines](baselines.md)" if baselines else "")
            + " · [model card](model-card.md)",
            "",
            "## Goals",
            "",
            f"{met.count(True)} of {len(met)} lines hold, {met.count(False)} are missed,"
            f" {met.count(None)} could not be measured."
            " Of kinds of pictures only what is missed stands here; all are in"
            " [photographs.md](photographs.md).",
            "",
            *_goals(document["goals"]),
            "## Generators registered from samples",
            "",
            *_figure(figures, "right.svg", "named right, by arrival and size"),
            *_groups(document["groups"]),
            "## Registered models",
            "",
            "Photographs flagged as the registry grows. " + " ".join(_FILLERS.split()),
            "",
            *_figure(figures, "registry-size.svg", "photographs flagged by size of the registry"),
            *_registry_sizes(document["registry_sizes"]),
            "## Samples",
            "",
            "Names are given from ten samples on in this table, whatever the policy asks; a"
            " registry holds one group's generators.",
            "",
            *_figure(figures, "samples.svg", "named right by number of samples"),
            *_shots(document["shots"]),
            "Nearest of five and of fifteen models, each registered from ten samples:",
            "",
            *_few_shots(document["few_shots"]),
            "## Over thresholds",
            "",
            *_figure(figures, "open-set-curve.svg", "open-set classification rate"),
            *_curves(document["curves"]),
            "How sure the nearest model is (from its lead in likelihood over the next), against how"
            " often it is right; and the p-values that verdicts state, against the share of"
            " photographs at or below them, left-out sources:",
            "",
            *_calibration(document),
        ]
    )


_FILLERS = """
Registries hold the generators that were really registered, of this size first and then of others,
and beyond these fillers: models each number of whose means is drawn with the mean and the deviation
that it has over the registered models, with limits of models that were registered
(training/evaluation/fillers.py). Registries of one and of ten are drawn several times.
"""


def _with_interval(share: Mapping[str, Any]) -> str:
    return f"{percent(share['share'])} ({percent(share['low'])} to {percent(share['high'])})"


def _goals(rows: Rows) -> list[str]:
    shown = [r for r in rows if not _is_kind(r) or r["met"] is False]
    words = {True: "holds", False: "**missed**", None: "not measured"}

    def seen(row: Mapping[str, Any]) -> str:
        if row["seen"] is None:
            return "-"
        if row["goal"] > 1:
            return f"{row['seen']:.2f} times"
        between = (
            "" if row["low"] is None else f" ({percent(row['low'])} to {percent(row['high'])})"
        )
        return percent(row["seen"]) + between

    def asked(row: Mapping[str, Any]) -> str:
        sign = "≥" if row["at_least"] else "≤"
        return (
            f"{sign} {row['goal']:.1f} times"
            if row["goal"] > 1
            else f"{sign} {percent(row['goal'])}"
        )

    return table(
        ("measure", "arrival", "goal, %", "seen, %", "", "of"),
        (
            (r["measure"], r["arrival"], asked(r), seen(r), words[r["met"]], r["note"])
            for r in shown
        ),
    )


def _is_kind(row: Mapping[str, Any]) -> bool:
    return str(row["measure"]).split(" ")[0] in ("kind", "other", "whole")


def _groups(rows: Rows) -> list[str]:
    return table(
        (
            *("sides", "generators that", "arrival", "pictures", "right", "wrong"),
            *("wrong family", "unknown", "undetermined", "missed", "found with none registered"),
        ),
        (
            (
                r["sides"],
                f"{GROUP_NAMES[r['group']]} ({r['generators']})",
                r["arrival"],
                str(r["pictures"]),
                _with_interval(r["right"]),
                *(percent(r[name]["share"]) for name in _VERDICTS[1:]),
                percent(r["found_unregistered"]["share"]),
            )
            for r in rows
            if r["sides"] != "128+"
        ),
    )


def _registry_sizes(rows: Rows) -> list[str]:
    return table(
        ("side", "arrival", "models", "of them enrolled", "drawn", "flagged", "named"),
        (
            (
                str(r["side"]),
                r["arrival"],
                str(r["models"]),
                str(r["enrolled"]),
                str(r["draws"]),
                _with_interval(r["flagged"]),
                percent(r["named"]["share"]),
            )
            for r in rows
        ),
    )


def _shots(rows: Rows) -> list[str]:
    return table(
        ("generators that", "side", "arrival", "samples", "registered", "right", "nearest right"),
        (
            (
                GROUP_NAMES[r["group"]],
                str(r["side"]),
                r["arrival"],
                str(r["shots"]),
                f"{r['models']} of {r['generators']}",
                _with_interval(r["right"]),
                percent(r["top_1"]["share"]),
            )
            for r in rows
        ),
    )


def _few_shots(rows: Rows) -> list[str]:
    return table(
        ("side", "arrival", "models", "of", "nearest right"),
        (
            (
                str(r["side"]),
                r["arrival"],
                str(r["of"]),
                f"{r['generators']} generators, {r['refused']} refused",
                _with_interval(r["top_1"]),
            )
            for r in rows
        ),
    )


def _curves(rows: Rows) -> list[str]:
    return table(
        ("side", "arrival", "area under the curve", "as decided: right", "as decided: flagged"),
        (
            (
                str(r["side"]),
                r["arrival"],
                f"{r['area']:.3f}",
                percent(r["decided"]["right"]),
                percent(r["decided"]["flagged"]),
            )
            for r in rows
        ),
    )


def _calibration(document: Document) -> list[str]:
    return [
        *table(
            ("arrival", "pictures", "expected calibration error of the nearest model"),
            (
                (r["arrival"], str(r["pictures"]), f"{r['expected_calibration_error']:.3f}")
                for r in document["confidence"]
            ),
        ),
        *table(
            ("arrival", "test", "at or below 0.005", "0.01", "0.05", "mean gap"),
            (
                (
                    r["arrival"],
                    r["test"],
                    *(percent(_at_level(r, level)) for level in (0.005, 0.01, 0.05)),
                    f"{r['expected_calibration_error']:.3f}",
                )
                for r in document["promises"]
            ),
        ),
    ]


def _at_level(row: Mapping[str, Any], level: float) -> float | None:
    return next((one["share"] for one in row["levels"] if one["level"] == level), None)


def _figure(figures: Sequence[str], name: str, what: str) -> list[str]:
    return [f"![{what}]({name})", ""] if name in figures else []
