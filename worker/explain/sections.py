"""What a page shows, in its order; how it is set is left to the pages."""

from dataclasses import dataclass

from fingerprint_db.names import printable
from worker.events.records import Verdict
from worker.explain.degradation import in_words, size_in_words
from worker.explain.explanation import Explanation, Measured
from worker.explain.picture_plots import (
    blurred,
    kind_ranges,
    residual_drawing,
    spectrum_drawing,
)
from worker.explain.score_plots import among_names, among_photographs, block_bars, part_boxes
from worker.explain.shapes import Drawing
from worker.explain.words import NOT_SAID, headline, rates, reasons, told_photographs


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of texts; columns from `numbers` on are set to the right. `strong` rows stand out."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: int
    strong: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Prose:
    """Sentences that belong together, each on its own."""

    paragraphs: tuple[str, ...]


Body = Drawing | Table | Prose


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, what is below it, and a note on how to read it; half of the width unless wide."""

    title: str
    body: tuple[Body, ...]
    note: str = ""
    wide: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A page's head and its sections; all texts as they are, not yet escaped."""

    name: str
    outcome: str
    headline: str
    reasons: tuple[str, ...]
    rates: tuple[tuple[str, str], ...]
    sections: tuple[Section, ...]
    foot: tuple[tuple[str, str], ...]


def page_of(explanation: Explanation) -> Page:
    """Everything that the page of this picture shows."""
    verdict = explanation.verdict
    return Page(
        printable(verdict.subject or verdict.event_id),
        verdict.outcome,
        printable(headline(explanation)),
        tuple(printable(one) for one in reasons(explanation)),
        rates(explanation),
        tuple(_sections(explanation)),
        _foot(verdict),
    )


def _sections(explanation: Explanation) -> list[Section]:
    image, measured = explanation.image, explanation.measured
    arrived = Section("How it arrived", (Table((), in_words(explanation.degradation), 2),))
    found = []
    if image.regions:
        found.append(_seen(explanation))
    found.append(arrived)
    if measured is not None:
        found += _scores(explanation, measured)
    if image.regions:
        found += _pixels(explanation)
    if measured is not None and measured.kinds:
        found.append(_kinds(explanation.verdict, measured))
    said = Prose(NOT_SAID)
    found.append(Section("What this does not say", (said,), wide=True))
    return found


def _seen(explanation: Explanation) -> Section:
    return Section(
        "The picture, blurred",
        (blurred(explanation.image),),
        "Mean colours of at most 12 fields on the longer side: whoever checks a verdict need not"
        " see the picture, and this page does not hold it. Hatched fields were not read.",
    )


def _scores(explanation: Explanation, measured: Measured) -> list[Section]:
    verdict = explanation.verdict
    assert verdict.name_test is not None
    where = _bin(verdict.name_test.calibration_bin)
    names, generic = measured.names, measured.generic
    live = tuple(one for one in verdict.candidates if one.status == "live")
    return [
        Section(
            "Registered generators, against photographs",
            (among_names(measured, live),),
            f"The highest score of a generator within whose reach the picture lies, beside that of"
            f" {told_photographs(names)} ({where}). Dots below: scores"
            " of the nearest models, hollow where the picture is not typical of them. Photographs"
            " beyond the reach of every generator, as most are, have no score that counts.",
        ),
        Section(
            "The generic test, against photographs",
            (among_photographs(generic),),
            f"The score with nothing registered, beside that of {told_photographs(generic)}. It"
            " can give an unknown generator, never a name. Bars are as high as the root of their"
            " number.",
        ),
        _nearest(verdict),
        Section(
            "Which block spoke",
            (block_bars(measured),),
            "Parts of the score before it is normed, against an average picture: in that of the"
            f" likeliest generator ({printable(measured.likeliest)}) and in the generic one."
            if measured.likeliest is not None
            else "Parts of the generic score, against an average picture.",
        ),
        _parts(measured),
    ]


def _nearest(verdict: Verdict) -> Section:
    headings = (
        "model", "family", "status", "condition", "score", "distance", "limit", "lead, nats",
        "typical",
    )  # fmt: skip
    rows = tuple(
        (
            printable(one.name),
            printable(one.family or "-"),
            one.status,
            one.condition or "-",
            f"{one.similarity:.2f}",
            f"{one.distance:.1f}",
            f"{one.distance_threshold:.1f}",
            "-" if one.lead is None else f"{one.lead:+.1f}",
            "yes" if one.accepted else "no",
        )
        for one in verdict.candidates
    )
    named = frozenset(
        number for number, one in enumerate(verdict.candidates) if one.model_id == verdict.model_id
    )
    if not rows:
        nothing = Prose(("No generator is registered under this picture's codec.",))
        return Section("Nearest models", (nothing,), wide=True)
    return Section(
        "Nearest models",
        (Table(headings, rows, 4, named),),
        "Likeliest first. The score is in deviations of photographs; typical: the distance is"
        " within the model's own limit; lead: log-likelihood ahead of the best other live model.",
        wide=True,
    )


def _parts(measured: Measured) -> Section:
    if not measured.parts:
        small = Prose(("The picture is too small to be cut: parts need sides of 32 pixels.",))
        return Section("Agreement of its parts", (small,))
    shown = [part.named if measured.by_name else part.generic for part in measured.parts]
    count = sum(one is not None and one.comparable for one in shown)
    share = (
        "no part can be compared"
        if measured.agreement is None
        else (f"{round(measured.agreement * count)} of {count} parts are on the side of the whole")
    )
    return Section(
        "Agreement of its parts",
        (part_boxes(measured),),
        f"{share}. Each part is held against photographs of its own size; it has fewer pixels and"
        " says less, so that a part below its level is no contradiction by itself. The generator's"
        " score is held against what photographs score for it, typical of it or not.",
    )


def _pixels(explanation: Explanation) -> list[Section]:
    found = explanation.degradation
    # WebP's blocks are predicted from their neighbours, and leave no grid that is always there.
    grid = found.earlier is not None or found.facts.format == "jpeg"
    return [
        Section(
            "Residual",
            (residual_drawing(explanation.image),),
            "What is left of brightness when its surroundings are taken off. Whole, it would draw"
            " the picture's outlines; so small calm windows are shown, out of their order.",
        ),
        Section(
            "Spectrum",
            (spectrum_drawing(explanation.image, jpeg_grid=grid),),
            "Mean log magnitude of brightness over all windows that were read. Up-sampling leaves"
            " peaks at its periods; so do enlarging and a JPEG's own grid.",
        ),
    ]


def _kinds(verdict: Verdict, measured: Measured) -> Section:
    evidence = verdict.evidence
    assert evidence is not None
    odd = [one.name.replace("_", " ") for one in measured.kinds if one.unusual]
    told = f"Unusual here: {', '.join(odd)}." if odd else "Nothing is unusual here."
    if evidence.familiarity_distance is None:
        near = "There are too few photographs to say whether the kind is familiar."
    else:
        words = "unfamiliar" if evidence.unfamiliar else "familiar"
        near = (
            f"To the tenth nearest photograph it is {evidence.familiarity_distance:.2f} deviations,"
            f" the limit is {evidence.familiarity_limit:.2f}: the kind is {words}."
        )
    return Section(
        "What kind of picture it is",
        (kind_ranges(measured.kinds),),
        f"Blue: the middle 95 % of photographs of this codec; line: all of them; dot: this picture,"
        f" coloured where it is outside. {told} {near}",
        wide=True,
    )


def _bin(name: str) -> str:
    codec, _, size = name.partition("/")
    return f"{codec}, {size_in_words(size)}"


def _foot(verdict: Verdict) -> tuple[tuple[str, str], ...]:
    revision = "-" if verdict.registry_revision is None else str(verdict.registry_revision)
    return (
        ("file, SHA-256", verdict.image.sha256),
        ("verdict", str(verdict.verdict_id)),
        ("judged", verdict.created_at.strftime("%Y-%m-%d %H:%M:%S %Z")),
        ("bundle", verdict.bundle_digest),
        ("registry", f"revision {revision}, root {verdict.registry_root or '-'}"),
        ("own photographs", verdict.calibration_digest or "none"),
        ("policy", verdict.policy_digest),
        ("program", f"{verdict.worker_version}, {verdict.decoder_version}"),
    )
