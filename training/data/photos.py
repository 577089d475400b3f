"""Which files of the Debian packages are photographs, and how to get at them.

The packages also hold renders, paintings and vector art; those are not real in the sense of this
project, so that the photographs are listed by name. Six activities of gcompris keep theirs inside
Qt resource bundles (.rcc), uncompressed, as WebP.
"""

from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import PurePosixPath

from PIL import Image

MIN_AREA = 300_000
"""Pixels; smaller images in the bundles are buttons and drawings."""

BUNDLES = (
    "clickgame",
    "erase",
    "explore_farm_animals",
    "explore_monuments",
    "explore_world_animals",
    "explore_world_music",
)

LOMIRI_PREFIXES = (
    *("Bridge", "Dragonfly", "Picture_0B", "Picture_1A", "Wine", "aitzgorri", "free", "friends"),
    *("greentock", "life", "picosdeeuropa", "seeding", "sunset", "Kleiber"),
)

LXQT_NAMES = (
    *("Butterfly-Kenneth-Wimer.jpg", "after-the-rain.jpg", "fog.jpg", "this-is-not-windows.jpg"),
    *("Valendas.png", "appleflower.png", "butterfly.png", "cloud.png", "drop.png", "flowers.png"),
)

PLASMA_NAMES = (
    *("BytheWater", "ColdRipple", "ColorfulCups", "DarkestHour", "EveningGlow", "FallenLeaf"),
    *("Grey", "Kite", "OneStandsOut", "Path", "summer_1am"),
)

PHOTOS_PER_PACKAGE = {
    "gcompris-qt-data": 121,
    "lomiri-wallpapers-16.04": 13,
    "lomiri-wallpapers-20.04": 1,
    "lxqt-themes": 10,
    "mate-backgrounds": 12,
    "palapeli-data": 5,
    "plasma-workspace-wallpapers": 11,
}
"""How many photographs the pinned versions hold; a different count is a mistake of ours."""

CALIBRATION_PHOTO_COUNT = 159
"""How many photographs of `endless-sky-high-dpi` are taken, of the pinned version."""

SCENE_SOURCES = {
    "lomiri-wallpapers-16.04": "lomiri-wallpapers",
    "lomiri-wallpapers-20.04": "lomiri-wallpapers",
}
"""Packages of one collection are one source; any other package is a source of its own."""

_UNSPLASH = {
    "badlands": (0, 5, 7, 8),
    "beach": (0, 2, 3, 4, 5, 6),
    "canyon": (0, 7),
    "city": (4, 6, 8, 9, 10, 11, 12),
    "desert": (1, 2),
    "fields": (1, 2, 5, 6, 7, 9),
    "fog": (0, 2, 4),
    "forest": (1, 2, 3, 4, 5),
    "hills": (2,),
    "lava": (1, 2, 6),
    "mountain": (1, 3, 4, 5, 6, 7, 8, 9),
    "sea": (3, 8),
    "sky": (0, 2, 3, 7, 8, 9),
    "snow": (0, 1, 2, 3, 4, 6, 7, 10),
    "water": (0, 8),
}
_AUTHORS = {f"{place}{n}": "unsplash" for place, numbers in _UNSPLASH.items() for n in numbers}
_AUTHORS |= {"lava0": "usgs", "lava5": "zahniser"}
# As the package's copyright file names them; `loc` are photographs of the Library of Congress.
_LANDSCAPES = ("games", "endless-sky", "plugins", "endless-sky-high-dpi", "images", "land")
# Of authors whose licence wants them named with every copy, and so left for other uses.
_LEFT_OUT_AUTHORS = ("-sfiera", "-harro", "bwerner", "myrabella", "mfield", "dmottl")
# Of space, of Mars, or of space stations: no everyday photographs.
_LEFT_OUT_PLACES = ("nasa", "space", "station", "earthrise", "canyon0", "desert0")


def photos_in(members: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """The photographs among (path below usr/share, bytes): (file name to keep, original bytes)."""
    for name, data in members:
        path = PurePosixPath(name)
        match path.parts:
            case ("gcompris-qt", "rcc", _) if path.stem in BUNDLES:
                for number, photo in enumerate(webp_in_bundle(data)):
                    yield f"{path.stem}-{number:02d}.webp", photo
            case ("backgrounds", file) if file.startswith(LOMIRI_PREFIXES):
                yield file, data
            case ("backgrounds", "mate", "nature", file) | ("palapeli", "collection", file):
                if path.suffix == ".jpg":
                    yield file, data
            case ("lxqt", "wallpapers", file) if file in LXQT_NAMES:
                yield file, data
            case ("wallpapers", title, "contents", "images", _) if title in PLASMA_NAMES:
                yield f"{title}{path.suffix}", data


def calibration_photos_in(members: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """The photographs of `endless-sky-high-dpi`: landscapes, towns and interiors of many authors.

    They are 1440x720, toned and saved once as JPEG; their places were looked at one by one.
    `canyon0` alone is a photograph of the Earth; canyon01 to canyon05 are not.
    """
    for name, data in members:
        path = PurePosixPath(name)
        title = path.name.removesuffix("@2x.jpg")
        if path.parts[:-1] != _LANDSCAPES or title == path.name:
            continue
        if any(author in title for author in _LEFT_OUT_AUTHORS):
            continue
        if title.startswith(_LEFT_OUT_PLACES) and title != "canyon0":
            continue
        yield f"{title}.jpg", data


def calibration_source(title: str) -> str:
    """The source of a photograph of `endless-sky-high-dpi`: its author, or where it was taken from.

    An author's name is the suffix of the title; without one the copyright file tells.
    """
    place, dash, author = title.partition("-")
    if not dash:
        author = "loc" if place.startswith("loc") else _AUTHORS.get(place, "morguefile")
    return f"endless-sky-{author}"


def webp_in_bundle(data: bytes) -> Iterator[bytes]:
    """The WebP files of at least MIN_AREA pixels in a Qt resource bundle, in their order.

    A WebP file begins with "RIFF", the little-endian length of what follows those eight bytes, and
    "WEBP". A span that Pillow cannot identify as an image is passed over.
    """
    start = data.find(b"RIFF")
    while start >= 0:
        length = int.from_bytes(data[start + 4 : start + 8], "little") + 8
        span = data[start : start + length]
        if span[8:12] == b"WEBP" and len(span) == length:
            if _area(span) >= MIN_AREA:
                yield span
            start = data.find(b"RIFF", start + length)
        else:
            start = data.find(b"RIFF", start + 4)


def _area(data: bytes) -> int:
    try:
        with Image.open(BytesIO(data), formats=["WEBP"]) as image:
            return image.width * image.height
    except (OSError, ValueError):
        return 0
