"""What calibrates a space, as text and as JSON: counts, the rate they allow, the rate measured."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from fingerprint_db.calibration import Calibration
from fingerprint_db.matching.certified import Alphas, Certified, CertifiedBin, Passed


def calibration_document(
    calibration: Calibration, found: Certified, alphas: Alphas
) -> dict[str, Any]:
    """The JSON form; rates between 0 and 1."""
    return {
        "space": calibration.space,
        "revision": calibration.revision,
        "digest": calibration.digest,
        "photographs": calibration.photographs,
        "calibrate": found.calibrate,
        "certify": found.certify,
        "sources": [
            {"source": source, "origin": origin, "photographs": count, "trimmed": trimmed}
            for (source, origin, trimmed), count in _sources(calibration).items()
        ],
        "written": _written(calibration),
        "alpha_name": alphas.name,
        "alpha_unknown": alphas.unknown,
        "alpha_source": alphas.source,
        "measured": {"name": asdict(found.name), "unknown": asdict(found.unknown)},
        "bins": [asdict(one) for one in found.bins],
    }


def calibration_text(calibration: Calibration, found: Certified, alphas: Alphas) -> Iterator[str]:
    """The same in lines."""
    space = f"{calibration.space[:12]}…"
    if calibration.digest is None:
        yield (
            f"no photographs of yours calibrate space {space}: levels are the bundle's. Give a"
            " folder of photographs, or --from-stream"
        )
        return
    yield (
        f"space {space} is calibrated by {calibration.photographs} photographs:"
        f" {found.calibrate} calibrate, {found.certify} certify; revision {calibration.revision},"
        f" digest {calibration.digest[:12]}…"
    )
    for (source, origin, share), count in _sources(calibration).items():
        yield f"  {source}: {count} photographs from {_origin(origin, share)}"
    for one in found.bins:
        yield f"{one.codec}/{one.size_class}: {_counts(one)}"
    for what, passed, alpha in (
        ("registered generators", found.name, alphas.name),
        ("nothing registered", found.unknown, alphas.unknown),
    ):
        yield f"the test of {what} at {alpha:g}: {_measured(passed)}"
    if shares := {share for _, origin, share in _sources(calibration) if origin == "stream"}:
        yield (
            f"of the stream the {max(shares):.2%} that scored highest do not calibrate: if all of"
            " them were photographs, as many more than alpha may pass. Those that certify hold"
            " whatever the stream held, so that what was measured on them is an upper bound"
        )


def _sources(calibration: Calibration) -> dict[tuple[str, str, float], int]:
    """How many photographs are of each source, origin and share trimmed."""
    found: dict[tuple[str, str, float], set[bytes]] = {}
    for part in calibration.parts.values():
        at = part.source, part.origin, part.trimmed
        found.setdefault(at, set()).update(bytes(row) for row in part.identities)
    return {at: len(identities) for at, identities in found.items()}


def _origin(origin: str, share: float) -> str:
    return "files" if origin == "files" else f"a stream, of which the top {share:.2%} were trimmed"


def _counts(one: CertifiedBin) -> str:
    beside = "alone" if one.alone else f"beside {one.bundle} of the bundle"
    allows = "no rate yet" if one.allows is None else f"a rate of {one.allows:g}"
    text = f"{one.calibrate} calibrate, {beside}; by themselves they allow {allows}"
    if one.next_step is not None:
        text += f", {one.more} more allow {one.next_step:g}"
    if one.until_alone:
        text += f"; {one.until_alone} more make them the level of names alone"
    return text


def _measured(passed: Passed) -> str:
    if not passed.count:
        return "no photographs were held back yet, so that no rate is certified"
    return (
        f"{passed.flagged} of {passed.count} held back pass ({passed.flagged / passed.count:.2%}),"
        f" the rate is below {passed.bound:.2%} with a confidence of 95 %"
    )


def _written(calibration: Calibration) -> dict[str, str | None] | None:
    """Who wrote last, when and why."""
    if (author := calibration.written) is None:
        return None
    at = author.at.isoformat()
    return {"at": at, "by": author.by, "reason": author.reason, "login": author.login}
