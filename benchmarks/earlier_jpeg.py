"""How often the JPEG that a picture was before is found, and how often one is claimed for nothing.

Never compressed is what was reduced by 2.2 and cut: of a photograph's own JPEG nothing is left.
Right is the grid to the pixel and the quality to 5. In a JPEG file the own table is known. All
pictures are at most 512x512, cut at random places.

    OMP_NUM_THREADS=1 python -m benchmarks.earlier_jpeg [FOLDER ...] [--most 200]
"""

import argparse
import io
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from worker.decoder.image_header import read_header
from worker.decoder.jpeg_quality import UNFAMILIAR, nearest_quality, standard_table
from worker.extractor.earlier_jpeg import EarlierJpeg, find_earlier

Picture = NDArray[np.uint8]
PHOTOGRAPHS = Path(__file__).parents[1] / "training/demo/photos"
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
SIDE = 512
QUALITIES = (50, 60, 70, 75, 80, 85, 90, 95)
TWICE = ((60, 75), (75, 75), (75, 85), (75, 90), (85, 75), (85, 85), (85, 90), (95, 90))


def pixels(image: Image.Image) -> Picture:
    """uint8 (3, H, W)."""
    return np.ascontiguousarray(np.asarray(image.convert("RGB")).transpose(2, 0, 1))


def jpeg(picture: Picture, quality: int, chroma: int = 2) -> Picture:
    """Through a JPEG with the standard tables; `chroma` is Pillow's subsampling."""
    file = io.BytesIO()
    image = Image.fromarray(picture.transpose(1, 2, 0))
    image.save(file, "JPEG", quality=quality, subsampling=chroma)
    return pixels(Image.open(file))


def reduced(image: Image.Image, by: float, kernel: Image.Resampling) -> Image.Image:
    """Smaller by a factor."""
    return image.resize((round(image.width / by), round(image.height / by)), kernel)


def photographs(folders: list[Path], most: int) -> Iterator[Image.Image]:
    """At most `most` readable pictures, evenly of all, with sides of 220 pixels and more."""
    files = sorted(f for folder in folders for f in folder.rglob("*") if f.suffix in SUFFIXES)
    for file in files[:: max(1, len(files) // most)]:
        image = Image.open(file).convert("RGB")
        if min(image.size) >= 220:
            yield image


def cut(picture: Picture, rng: np.random.Generator, side: int = SIDE) -> Picture:
    """A piece of at most side x side at a random place."""
    top, left = (int(rng.integers(0, max(1, length - side + 1))) for length in picture.shape[1:])
    return np.ascontiguousarray(picture[:, top : top + side, left : left + side])


def right(found: EarlierJpeg | None, quality: int, top: int, left: int) -> str:
    """`right`, `none`, or what is wrong about it, when `top` and `left` were cut off."""
    if found is None:
        return "none"
    if found.offset != (-top % 8, -left % 8):
        return "wrong grid"
    return "right" if abs(found.quality - quality) <= 5 else "wrong quality"


REDUCTIONS = (
    (2.0, Image.Resampling.BOX),
    (1.5, Image.Resampling.BICUBIC),
    (3.1, Image.Resampling.NEAREST),
)
OUTCOMES = ("right", "none", "wrong grid", "wrong quality")


def row(name: str, outcomes: list[str]) -> str:
    """Of a Markdown table, in percent."""
    shares = (f"{100 * outcomes.count(outcome) / len(outcomes):.0f}" for outcome in OUTCOMES)
    return f"| {name} | {len(outcomes)} | {' | '.join(shares)} |"


def claims(name: str, found: list[EarlierJpeg | None]) -> str:
    """How many of pictures without an earlier JPEG were given one."""
    return f"| {name} | {len(found)} | {sum(one is not None for one in found)} |"


def lattice(side: int, rng: np.random.Generator) -> Picture:
    """Noise of several scales under a pattern that repeats every 8 pixels, as some generators'."""
    levels = np.full((side, side), 128.0)
    for cells in (4, 16, 64, side):
        coarse = Image.fromarray(rng.integers(0, 256, (cells, cells), dtype=np.uint8))
        levels += (np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC)) - 128.0) / 4
    levels += np.tile(rng.normal(0, 3, (8, 8)), (side // 8, side // 8))
    return np.repeat(levels.clip(0, 255).astype(np.uint8)[None], 3, axis=0)


def found_in_png(base: list[Picture], rng: np.random.Generator) -> None:
    """Print how often a JPEG saved as PNG is found, uncut and cut."""
    print("| JPEG in a PNG | pictures | right, % | none | wrong grid | wrong quality |")
    print("|---|---|---|---|---|---|")
    for side in (SIDE, 128):
        for quality in QUALITIES:
            outcomes = []
            for picture in base:
                top, left = (int(n) for n in rng.integers(0, 8, 2))
                once = jpeg(cut(picture, rng, side), quality, int(rng.choice([0, 2])))
                png = np.ascontiguousarray(once[:, top:, left:])
                outcomes.append(right(find_earlier([png]), quality, top, left))
            print(row(f"{quality}, sides of at most {side}", outcomes))


def found_in_jpeg(base: list[Picture], rng: np.random.Generator) -> None:
    """Print how often the first of two JPEGs is found, on the second's grid and off it."""
    print("\n| JPEG in a JPEG | pictures | right, % | none | wrong grid | wrong quality |")
    print("|---|---|---|---|---|---|")
    for aligned in (True, False):
        for first, second in TWICE:
            outcomes = []
            for picture in base:
                top, left = (0, 0) if aligned else (int(n) for n in rng.integers(1, 8, 2))
                once = jpeg(cut(picture, rng), first)
                twice = jpeg(np.ascontiguousarray(once[:, top:, left:]), second)
                found = find_earlier([twice], standard_table(second).tolist())
                outcomes.append(right(found, first, top, left))
            where = "on its grid" if aligned else "off its grid"
            print(row(f"{first} then {second}, {where}", outcomes))


def found_in_files(folders: list[Path], most: int, rng: np.random.Generator) -> None:
    """Print what is found in JPEG files as they are: their own JPEG from pixels, one before it."""
    outcomes: list[str] = []
    unfamiliar: list[str] = []
    before = 0
    files = sorted(f for folder in folders for f in folder.rglob("*.jp*g"))
    for file in files[:: max(1, len(files) // most)]:
        data = file.read_bytes()
        coding = read_header(data).jpeg
        image = Image.open(io.BytesIO(data))
        if coding is None or min(image.size) < 64:
            continue
        quality, distance = nearest_quality(coding.luma)
        top, left = (8 * int(rng.integers(0, max(1, n // 8 - 64))) for n in image.size[::-1])
        part = pixels(image.crop((left, top, *(np.add((left, top), SIDE).clip(max=image.size)))))
        outcome = right(find_earlier([part]), quality, 0, 0)
        (outcomes if distance <= UNFAMILIAR else unfamiliar).append(outcome)
        before += find_earlier([part], coding.luma) is not None
    print("\n| files, their own JPEG | pictures | right, % | none | wrong grid | wrong quality |")
    print("|---|---|---|---|---|---|")
    for name, kind in (("familiar table", outcomes), ("unfamiliar table", unfamiliar)):
        if kind:
            print(row(name, kind))
    print(f"One before it: in {before} of {len(outcomes) + len(unfamiliar)}.")


def claimed_for_nothing(
    base: list[Picture], images: list[Image.Image], rng: np.random.Generator
) -> None:
    """Print how often a JPEG is claimed where there was none, or none before the file's own."""
    print("\n| never compressed, or once | pictures | claims |\n|---|---|---|")
    for by, kernel in REDUCTIONS:
        small = [pixels(reduced(image, by, kernel)) for image in images]
        found = [find_earlier([cut(picture, rng)]) for picture in small]
        print(claims(f"reduced by {by}, {kernel.name.lower()}, PNG", found))
    print(claims("reduced by 2.2, PNG", [find_earlier([cut(one, rng)]) for one in base]))
    for quality in (60, 75, 85, 90, 95, 98):
        table = standard_table(quality).tolist()
        once = [find_earlier([jpeg(cut(one, rng), quality)], table) for one in base]
        print(claims(f"reduced by 2.2, JPEG {quality}", once))
    made: dict[str, Callable[[], Picture]] = {
        "noise": lambda: rng.integers(0, 256, (3, 256, 256), dtype=np.uint8),
        "flat": lambda: np.full((3, 256, 256), rng.integers(0, 256), dtype=np.uint8),
        "lattice of 8": lambda: lattice(256, rng),
    }
    for name, make in made.items():
        print(claims(f"{name}, PNG", [find_earlier([make()]) for _ in range(50)]))
        for quality in (75, 90):
            table = standard_table(quality).tolist()
            once = [find_earlier([jpeg(make(), quality)], table) for _ in range(50)]
            print(claims(f"{name}, JPEG {quality}", once))


def timed(picture: Picture) -> None:
    """Print processor time, the least of 20."""
    compressed, table = jpeg(picture, 85), standard_table(85).tolist()
    calls: dict[str, Callable[[], object]] = {
        "PNG without": lambda: find_earlier([picture]),
        "PNG with": lambda: find_earlier([compressed]),
        "JPEG": lambda: find_earlier([compressed], table),
    }
    print(f"\nProcessor time at {picture.shape[2]}x{picture.shape[1]}, ms:")
    for name, call in calls.items():
        least = float("inf")
        for _ in range(20):
            began = time.process_time()
            call()
            least = min(least, time.process_time() - began)
        print(f"{name} {1000 * least:.1f}")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("folders", nargs="*", type=Path, default=[PHOTOGRAPHS])
    parser.add_argument("--most", type=int, default=200)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    images = list(photographs(options.folders, options.most))
    if not images:
        sys.exit(f"no photographs in {options.folders}: name a folder that has some")
    base = [pixels(reduced(image, 2.2, Image.Resampling.LANCZOS)) for image in images]
    found_in_png(base, rng)
    found_in_jpeg(base, rng)
    found_in_files(options.folders, options.most, rng)
    claimed_for_nothing(base, images, rng)
    timed(cut(max(base, key=lambda picture: min(picture.shape)), rng))


if __name__ == "__main__":
    main()
