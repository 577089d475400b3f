"""How the picture arrived, as far as its file and its pixels tell: codec, tables, earlier JPEG."""

from dataclasses import dataclass

from fingerprint_db.background import SIZE_CLASSES, size_class_of
from fingerprint_db.conditions import codec_of
from worker.decoder.decode import DecodedImage, ImageFacts
from worker.decoder.jpeg_quality import UNFAMILIAR, nearest_quality
from worker.extractor.arrival import arrival
from worker.extractor.earlier_jpeg import EarlierJpeg, find_earlier


@dataclass(frozen=True, slots=True)
class Degradation:
    """What was done to a picture before it was judged.

    `codec` is the one whose photographs it is held against; `table_quality` that of the standard
    table nearest to the file's own, at `table_distance` (nats of a step); both None unless JPEG.
    `earlier` is a JPEG found in the pixels before the file's own coding. `size_class` goes by
    `pixels_read`, and is None where nothing was read.
    """

    facts: ImageFacts
    codec: str
    table_quality: int | None
    table_distance: float | None
    sampling: str | None
    earlier: EarlierJpeg | None
    pixels_read: int
    regions: int
    plain_tiles: int
    size_class: str | None


def degradation(image: DecodedImage) -> Degradation:
    """Of any decoded image; the earlier JPEG is looked for in lossy files as well."""
    facts = image.facts
    quality, distance = nearest_quality(facts.jpeg.luma) if facts.jpeg else (None, None)
    pixels = sum(region[0].size for region in image.regions)
    codec = arrival(image).codec if image.regions else codec_of(facts.lossy, quality)
    return Degradation(
        facts,
        codec,
        quality,
        distance,
        facts.jpeg.sampling if facts.jpeg else None,
        _earlier(image),
        pixels,
        len(image.regions),
        image.plain_tiles,
        SIZE_CLASSES[size_class_of(pixels)][0] if pixels else None,
    )


def _earlier(image: DecodedImage) -> EarlierJpeg | None:
    if image.facts.jpeg is not None:
        return find_earlier(image.regions, image.facts.jpeg.luma)
    return None if image.facts.lossy else find_earlier(image.regions)


def in_words(found: Degradation) -> tuple[tuple[str, str], ...]:
    """Rows of a table: what, and how it was found."""
    facts = found.facts
    rows = [
        ("file", f"{facts.format.upper()}, {facts.byte_size:,} bytes"),
        ("picture", f"{facts.width} x {facts.height} pixels"),
        ("judged as", found.codec),
    ]
    if found.table_quality is not None and found.table_distance is not None:
        own = " (tables of the encoder's own)" if found.table_distance > UNFAMILIAR else ""
        rows.append(("JPEG quality", f"about {found.table_quality}{own}"))
    if found.sampling is not None:
        rows.append(("chroma", found.sampling))
    rows.append(("earlier JPEG", _earlier_in_words(found)))
    read = f"{found.pixels_read:,} in {found.regions} region{'s' if found.regions != 1 else ''}"
    share = found.pixels_read / (facts.width * facts.height)
    rows.append(("pixels read", f"{read}, {min(share, 1):.0%} of the picture"))
    if found.plain_tiles:
        rows.append(("passed over", f"{found.plain_tiles} plain tiles"))
    if found.size_class is not None:
        rows.append(("size class", size_in_words(found.size_class)))
    return tuple(rows)


def size_in_words(size_class: str) -> str:
    """Of the square that has as many pixels: 96 to 191 pixels a side."""
    if size_class.endswith("_up"):
        return f"{size_class.removesuffix('_up')} pixels a side and more"
    return f"{size_class.replace('_', ' ')} pixels a side"


def _earlier_in_words(found: Degradation) -> str:
    if found.earlier is not None:
        y, x = found.earlier.offset
        own = "on the file's own grid" if found.facts.lossy else "from the top left corner"
        where = own if (y, x) == (0, 0) else f"its grid {y} down, {x} across"
        return f"quality about {found.earlier.quality}, {where}"
    if not found.regions:
        return "nothing was read"
    if found.facts.lossy and found.facts.jpeg is None:
        return "not looked for in a WebP"
    return "none is sure"
