"""An explanation as JSON, for programs: the verdict, and every number that the page draws."""

import math
from dataclasses import asdict
from typing import Any

from worker.explain.degradation import Degradation
from worker.explain.explanation import Explanation, Measured
from worker.explain.held import Held
from worker.explain.parts import PartScore


def to_document(explanation: Explanation) -> dict[str, Any]:
    """What can be written as JSON; numbers that are not finite are null, as those not there.

    Of the photographs' scores only the count is told: the page draws them.
    """
    measured = explanation.measured
    return {
        "verdict": explanation.verdict.model_dump(mode="json"),
        "degradation": _degradation(explanation.degradation),
        "measured": None if measured is None else _measured(measured),
    }


def _degradation(found: Degradation) -> dict[str, Any]:
    earlier = found.earlier
    return {
        "codec": found.codec,
        "table_quality": found.table_quality,
        "table_distance": found.table_distance,
        "chroma": found.sampling,
        "earlier_jpeg": None
        if earlier is None
        else {"quality": earlier.quality, "grid": list(earlier.offset)},
        "pixels_read": found.pixels_read,
        "regions": found.regions,
        "plain_tiles": found.plain_tiles,
        "size_class": found.size_class,
    }


def _measured(measured: Measured) -> dict[str, Any]:
    return {
        "by_name": measured.by_name,
        "likeliest": measured.likeliest,
        "names": _held(measured.names),
        "named_codec": measured.named_codec,
        "generic": _held(measured.generic),
        "name_bound": measured.name_bound,
        "named_blocks": measured.named_blocks,
        "generic_blocks": measured.generic_blocks,
        "kinds": [{**asdict(one), "unusual": one.unusual} for one in measured.kinds],
        "parts": [
            {
                "where": part.where,
                "pixels": part.pixels,
                "generic": _part(part.generic),
                "named": None if part.named is None else _part(part.named),
            }
            for part in measured.parts
        ],
        "crop_agreement": measured.agreement,
    }


def _held(held: Held) -> dict[str, Any]:
    return {
        "score": _finite(held.score),
        "level": _finite(held.level),
        "passes": held.passes,
        "p_value": held.p_value,
        "worst_source_share": held.standing.worst_share,
        "photographs": held.count,
        "photographs_without_score": held.without,
        "sources": held.sources,
        "own_photographs": held.own,
        "own_alone": held.alone,
    }


def _part(one: PartScore) -> dict[str, Any]:
    return {"score": _finite(one.score), "level": _finite(one.level), "passes": one.passes}


def _finite(number: float | None) -> float | None:
    return number if number is not None and math.isfinite(number) else None
