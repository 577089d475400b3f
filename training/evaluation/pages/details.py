"""Each generator; photographs, their sources, and kinds of pictures."""

from collections.abc import Mapping
from typing import Any

from training.evaluation.pages.tables import Document, Rows, made_by, percent, table

_VERDICTS = ("right", "wrong", "wrong_family", "unknown", "undetermined", "missed")


def generators(document: Document) -> str:
    """Each generator at each size under each arrival, and whom the gate refused."""
    lines = ["# Each generator", "", made_by(document), ""]
    for side in dict.fromkeys(r["side"] for r in document["generators"]):
        own = [r for r in document["generators"] if r["side"] == side]
        lines += [
            f"## {side} pixels, registered from {own[0]['shots']} samples,"
            f" {own[0]['models']} models in the registry",
            "",
            *table(
                (
                    *("generator", "family", "arrival", "pictures", "right", "wrong"),
                    *("wrong family", "unknown", "undetermined", "missed", "nearest"),
                    "found unregistered",
                ),
                (
                    (
                        r["generator"],
                        r["family"],
                        r["arrival"],
                        str(r["pictures"]),
                        *(percent(r[name]) for name in _VERDICTS),
                        percent(r["top_1"]),
                        percent(r["found_unregistered"]),
                    )
                    for r in own
                ),
            ),
        ]
    refused = [
        (r["generator"], str(r["side"]), str(r["shots"]), "; ".join(r["why"]))
        for r in document["refused"]
    ]
    lines += ["## Refused by the gate", ""]
    lines += table(("generator", "side", "samples", "why"), refused) if refused else ["None.", ""]
    return "\n".join(lines)


def photographs(document: Document) -> str:
    """Photographs by size and arrival, by source, and every kind of picture."""
    rows = document["photographs"]
    by_side = [r for r in rows if "side" in r]
    pooled = [r for r in rows if r.get("sides") == "128+"]
    kinds = document["kinds"]
    return "\n".join(
        [
            "# Photographs of sources left out, and kinds of pictures",
            "",
            made_by(document),
            "Each photograph has one vote, whatever the number of its views; the bound is Clopper"
            " and Pearson's upper one of 95 %.",
            "",
            "![photographs flagged](photographs.svg)" if pooled else "",
            "",
            *table(
                (
                    *("side", "registered", "arrival", "photographs", "flagged", "bound"),
                    *("worst source of 8", "named", "undetermined"),
                ),
                (
                    (
                        str(r["side"]),
                        r["registered"],
                        r["arrival"],
                        str(r["photographs"]),
                        percent(r["flagged"]["share"]),
                        percent(r["flagged"]["bound"]),
                        _worst(r["flagged"]["worst"]),
                        percent(r["named"]["share"]),
                        percent(r["undetermined"]["share"]),
                    )
                    for r in by_side
                ),
            ),
            "## By source",
            "",
            "128 pixels and more, all sizes together, with all generators of the size registered:"
            " flagged, in percent.",
            "",
            *_by_source(pooled),
            "## Kinds of pictures",
            "",
            "Photographs of the same sources after each history, damaged files, whole files as they"
            " came, and pictures that are no photographs, against all models of all sizes.",
            "",
            "![kinds](kinds.svg)" if kinds else "",
            "",
            *table(
                (
                    *("kind", "group", "arrival", "pictures", "flagged", "named", "undetermined"),
                    "rejected",
                ),
                (
                    (
                        str(r["name"]),
                        str(r.get("group", r["what"])),
                        r["arrival"],
                        str(r["photographs"]),
                        percent(r["flagged"]["share"]),
                        percent(r["named"]["share"]),
                        percent(r["undetermined"]["share"]),
                        percent(r["rejected"]),
                    )
                    for r in kinds
                ),
            ),
        ]
    )


def _by_source(rows: Rows) -> list[str]:
    names = sorted({name for r in rows for name in r["flagged"]["sources"]})
    return table(
        ("source", "photographs", *(r["arrival"] for r in rows)),
        (
            (
                name,
                str(max(r["flagged"]["sources"].get(name, {}).get("photographs", 0) for r in rows)),
                *(percent(r["flagged"]["sources"].get(name, {}).get("share")) for r in rows),
            )
            for name in names
        ),
    )


def _worst(worst: Mapping[str, Any] | None) -> str:
    return "-" if worst is None else f"{percent(worst['share'])} {worst['source']}"
