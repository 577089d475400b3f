"""A folder of pictures by generator, source and kind, to measure the program's own commands on.

    FOLDER/gen_NAME/enrol/000.png ...   samples of a generator that nothing learned from
    FOLDER/gen_NAME/test/000.png ...    other pictures of it, of other photographs
    FOLDER/real_SOURCE/test/000.png ... cuts of photographs of one source
    FOLDER/kind_NAME/test/000.png ...   the same cuts after each history, sources in turn

Every file is a PNG: whoever measures re-encodes them. Files that lack data are written as viewers
show them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest
from pathlib import Path

import numpy as np
from PIL import Image

from training.generators.generator import Generator
from training.histories.encodings import PNG, read, write
from training.histories.history import DAMAGED_FILES, HISTORIES
from training.histories.pictures import tile
from worker.enrol.recompress import Picture, from_pil
from worker.errors import StopError


@dataclass(frozen=True, slots=True)
class FieldSetSizes:
    """How many pictures a folder holds, and their sides in pixels.

    Real pictures are cut to `height` x `width`; a generator makes the largest square of its own
    that is no larger than `height`. `cuts` of one photograph at most: more would be alike.
    """

    shots: int = 50
    tested: int = 100
    of_a_kind: int = 48
    cuts: int = 3
    height: int = 360
    width: int = 480


def write_field_set(
    folder: Path,
    photographs: Mapping[str, Sequence[Path]],
    generators: Sequence[Generator],
    sizes: FieldSetSizes,
    seed: int = 1,
) -> dict[str, int]:
    """Write the pictures and count them by folder name; the same seed writes the same ones.

    `photographs` are files by source; the generators that need content get every second one for
    enrolment and the others for the test. StopError (wrong use) where `folder` holds something.
    """
    if folder.exists() and any(folder.iterdir()):
        raise StopError(
            f"{folder} holds files; expected a new or an empty folder, since pictures of an earlier"
            " set would be counted with these: nothing was written",
            exit_code=2,
        )
    written: dict[str, int] = {}
    for number, (source, paths) in enumerate(sorted(photographs.items())):
        cuts = _cuts(paths, sizes, [seed, 0, number])
        written[f"real_{source}"] = _save(folder / f"real_{source}" / "test", cuts, sizes.tested)
    spread = _in_turn(photographs)
    same = list(islice(_cuts(spread, sizes, [seed, 1]), sizes.of_a_kind))
    for number, name in enumerate((*HISTORIES, *DAMAGED_FILES)):
        if name != "native":
            made = _of_kind(name, same, [seed, 2, number])
            written[f"kind_{name}"] = _save(folder / f"kind_{name}" / "test", made, sizes.of_a_kind)
    for number, generator in enumerate(generators):
        name = f"gen_{generator.name}"
        side = max((s for s in generator.sides if s <= sizes.height), default=generator.sides[0])
        for part, count in (("enrol", sizes.shots), ("test", sizes.tested)):
            first = 0 if part == "enrol" else 1
            content = [] if generator.draws_from_noise else _content(spread[first::2], side)
            pictures = generator.make(count, side, seed * 1000 + 2 * number + first, content)
            _save(folder / name / part, pictures, count)
        written[name] = sizes.shots + sizes.tested
    return written


def _in_turn(photographs: Mapping[str, Sequence[Path]]) -> list[Path]:
    """All photographs, one of each source after another."""
    columns = zip_longest(*(photographs[source] for source in sorted(photographs)))
    return [path for row in columns for path in row if path is not None]


def _cuts(paths: Sequence[Path], sizes: FieldSetSizes, seed: list[int]) -> Iterator[Picture]:
    """First one cut of each photograph, then a second one of each, and so on."""
    for turn in range(sizes.cuts):
        for number, path in enumerate(paths):
            rng = np.random.default_rng([*seed, turn, number])
            yield tile(_opened(path), sizes.height, sizes.width, rng).copy()


def _of_kind(name: str, cuts: Iterable[Picture], seed: list[int]) -> Iterator[Picture]:
    rng = np.random.default_rng(seed)
    for cut in cuts:
        if name in DAMAGED_FILES:
            yield read(DAMAGED_FILES[name](cut, rng))
        else:
            yield HISTORIES[name].apply(cut, rng)


_MOST_CONTENT = 40  # photographs kept in memory at once
_CONTENT_SIDE = 1024


def _content(paths: Sequence[Path], side: int) -> list[Picture]:
    """Middles of photographs that are large enough for a generator's squares of `side`."""
    found: list[Picture] = []
    for path in paths[:_MOST_CONTENT]:
        picture = _opened(path)
        _, height, width = picture.shape
        if min(height, width) >= side:
            top, left = max(0, height - _CONTENT_SIDE) // 2, max(0, width - _CONTENT_SIDE) // 2
            found.append(picture[:, top : top + _CONTENT_SIDE, left : left + _CONTENT_SIDE].copy())
    return found


def _opened(path: Path) -> Picture:
    with Image.open(path) as image:
        return from_pil(image)


def _save(folder: Path, pictures: Iterable[Picture], most: int) -> int:
    folder.mkdir(parents=True)
    count = 0
    for picture in pictures:
        if count == most:
            break
        (folder / f"{count:03d}.png").write_bytes(write(picture, PNG))
        count += 1
    return count
