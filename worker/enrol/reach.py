"""Which conditions a sample can be enrolled for: those that its generator's pictures can be in.

A picture as its generator wrote it can come to be in any. One that was compressed already has lost
what the compression took: what it looks like as PNG, or at a better quality than its own, says
nothing of the generator's own files there.
"""

from fingerprint_db.conditions import (
    FULL_CHROMA_QUALITIES,
    JPEG_QUALITIES,
    QUALITIES_OF,
    WEBP_QUALITY,
    Condition,
)
from worker.decoder.decode import ImageFacts
from worker.decoder.jpeg_quality import nearest_quality

COMPRESSED = "were compressed already"
BETTER_THAN_OWN = "were compressed at a lower quality already"


def quality_of(facts: ImageFacts) -> int | None:
    """A file's own quality, 1..100 of JPEG; that of the one WebP condition for lossy WebP.

    None for files that lose nothing. Of a JPEG, by the distance between quantisation tables, as the
    extractor has it.
    """
    if not facts.lossy:
        return None
    if facts.jpeg is not None:
        return nearest_quality(facts.jpeg.luma)[0]
    return facts.jpeg_quality or WEBP_QUALITY


def beyond_reach(condition: Condition, quality: int | None) -> str | None:
    """Why a sample compressed at `quality` (None: never) is not re-encoded under the condition."""
    if quality is None:
        return None
    if condition.file_codec == "lossless":
        return COMPRESSED
    known = JPEG_QUALITIES | FULL_CHROMA_QUALITIES
    needed = known.get(condition.codec, WEBP_QUALITY)
    return BETTER_THAN_OWN if needed > quality else None


def quality_for(condition: Condition, pixels_sha256: str, own: int | None) -> int | None:
    """The JPEG quality that a sample is written with under the condition; None: the codec's own.

    Every second sample has the codec's own, the others any of those that the codec stands for,
    drawn by their pixels: a model must know its pictures at qualities between the enrolled ones.
    None is better than the quality that a sample had already (`own`).
    """
    first, last = QUALITIES_OF.get(condition.codec, (0, 0))
    number = int(pixels_sha256[:8], 16)
    if not last or number % 2:
        return None
    drawn = first + number // 2 % (last - first + 1)
    return drawn if own is None else min(drawn, own)
