"""The model card: what the bundle is, for whom, from what, how good, and where it ends."""

from collections.abc import Mapping, Sequence
from typing import Any

from training.evaluation.pages.tables import made_by

_CARD_GOALS = (
    "unseen families that draw from noise, 50 samples, 64 pixels: right",
    "unseen networks over photographs, 128-511 pixels: right",
    "unseen networks over photographs, 512 pixels: right",
    "photographs of sources left out, 128+ pixels: flagged",
    "photographs of sources left out, 128+ pixels: undetermined",
)


def model_card(document: Mapping[str, Any]) -> str:
    """From open-set.json alone."""
    head = document["made_by"]
    kinds = [row for row in document["kinds"] if row["flagged"]["share"] > 0.02]
    return "\n".join(
        [
            "# Model card",
            "",
            f"Bundle `{head['bundle']}`.",
            made_by(document) + " The figures are those of [README.md](README.md) and"
            " [open-set.json](open-set.json).",
            "",
            "## What it is",
            "",
            "Statistics of pixels (block DCT on the codec's grid, co-occurrences of residuals, and"
            " for lossless files colour and spectrum), brought by a map for each codec to a"
            " fingerprint; statistics of real photographs and of generators to hold it against; and"
            " no trained network. A generator is registered from fifty of its pictures, without"
            " training.",
            "",
            "## For whom, and for what not",
            "",
            "For those who run a platform and want to know which of the generators they registered"
            " made a picture, and at what rate real photographs would be taken for it.",
            "Not proof of anything about one picture: a verdict is a test with a stated error rate."
            " Not for pictures edited after they were made, for parts of pictures, for faces in"
            " particular, or for saying that a picture is real: `no_evidence` says only that"
            " nothing was found.",
            "",
            "## Data",
            "",
            "Photographs of packages of Debian, npm and Python, by source, faces of CelebA (for"
            " research alone), small GANs trained here, networks"
            " over photographs from packages, and simulated decoders. Pictures are fetched for"
            " training and never shipped; the bundle holds statistics and fingerprints.",
            "Held out from all of it: whole sources of photographs (training/data/roles.py) and"
            " whole families of generators (training/generators/roles.py), by a hash of their"
            " names.",
            "",
            "## Figures",
            "",
            *_figures(document["goals"]),
            "## Limits",
            "",
            "- The generators that draw from noise are small and of 64 pixels; none of the large"
            " models of today could be had, so nothing is measured on them.",
            f"- Photographs held out are few: {_photographs(document['photographs'])}. No rate"
            " below about one in as many can be told.",
            "- A source, a camera or a processing that resembles none of the calibration's may be"
            " flagged more often than the stated rate.",
            *_kinds(kinds),
            *_refused(document["refused"]),
            "- Pictures below 24 pixels, and JPEGs below quality 30, are not judged.",
            "",
        ]
    )


def _figures(goals: Sequence[Mapping[str, Any]]) -> list[str]:
    lines = ["| measure | arrival | seen, % | goal, % |", "|---|---|---|---|"]
    for row in goals:
        if row["measure"] in _CARD_GOALS and row["seen"] is not None:
            sign = "≥" if row["at_least"] else "≤"
            missed = "" if row["met"] else " (missed)"
            lines.append(
                f"| {row['measure']} | {row['arrival']} | {100 * row['seen']:.1f}{missed} |"
                f" {sign} {100 * row['goal']:.1f} |"
            )
    return [*lines, ""]


def _photographs(rows: Sequence[Mapping[str, Any]]) -> str:
    counts = {row["side"]: row["photographs"] for row in rows if "side" in row}
    return ", ".join(f"{count} of {side} pixels" for side, count in counts.items())


def _kinds(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return ["- No kind of picture that was tried is flagged in more than 2 %."]
    worst = sorted(rows, key=lambda row: -row["flagged"]["share"])
    told = ", ".join(
        f"{row['name']} {100 * row['flagged']['share']:.0f} % ({row['arrival']})" for row in worst
    )
    return [f"- Real pictures of these kinds are flagged in more than 2 %: {told}."]


def _refused(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    if not rows:
        return []
    told = ", ".join(f"{row['generator']} of {row['side']} pixels" for row in rows)
    return [f"- The enrolment gate refused: {told}."]
