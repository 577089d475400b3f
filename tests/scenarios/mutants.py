"""Files that no encoder wrote: mutants of those that one did, drawn from a seed."""

import io
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import PIL

from tests.worker.decoder.image_samples import encoded, picture

MOST_BYTES = 60_000
"""Of a file that is mutated; larger ones add time and nothing to find."""

_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
_SUFFIXES = (".jpg", ".jpeg", ".png", ".apng", ".webp")

Rng = np.random.Generator


def pillow_test_images(folder: Path) -> list[Path]:
    """Pillow's own test images, from the source archive of the installed version.

    More than a thousand, of every format; many were made to crash it. pip fetches the archive.
    """
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--no-binary", "pillow", "--dest", str(folder), f"pillow=={PIL.__version__}"),
        ],
        check=True,
    )
    (archive,) = folder.glob("pillow-*.tar.gz")
    with tarfile.open(archive) as files:
        members = [one for one in files if "/Tests/images/" in one.name and one.isfile()]
        files.extractall(folder, members, filter="data")
    return sorted(path for path in folder.rglob("Tests/images/**/*") if path.is_file())


def own_images() -> list[bytes]:
    """A few small files of each format and kind, made here."""
    noise = picture(64, 64)
    small = noise.convert("P")
    animated = io.BytesIO()
    noise.save(animated, "PNG", save_all=True, append_images=[noise.rotate(90)])
    return [
        encoded(noise, "JPEG"),
        encoded(noise, "JPEG", progressive=True),
        encoded(noise.convert("CMYK"), "JPEG"),
        encoded(noise, "PNG"),
        encoded(small, "PNG"),
        encoded(noise.convert("RGBA"), "PNG"),
        animated.getvalue(),
        encoded(noise, "WEBP"),
        encoded(noise, "WEBP", lossless=True),
    ]


def is_mutable(path: Path) -> bool:
    """Whether the file is of a format that is decoded, and small."""
    return path.suffix.lower() in _SUFFIXES and 0 < path.stat().st_size <= MOST_BYTES


def mutants(files: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """`count` mutants, each of one file by one to three changes; the same for the same seed."""
    rng = np.random.default_rng(seed)
    for _ in range(count):
        data = bytearray(files[int(rng.integers(len(files)))])
        for _ in range(rng.integers(1, 4)):
            _CHANGES[rng.integers(len(_CHANGES))](data, rng, files)
        yield bytes(data[: 4 * MOST_BYTES])


def _flip(data: bytearray, rng: Rng, files: Sequence[bytes]) -> None:
    """A few bytes become others."""
    for at in rng.integers(0, max(1, len(data)), rng.integers(1, 9)):
        if at < len(data):
            data[at] ^= 1 << int(rng.integers(8))


def _extreme(data: bytearray, rng: Rng, files: Sequence[bytes]) -> None:
    """A number of 1, 2 or 4 bytes becomes an extreme one; most often near the file's head."""
    size = (1, 2, 4)[rng.integers(3)]
    reach = min(len(data), 200) if rng.random() < 0.7 else len(data)
    at = int(rng.integers(0, max(1, reach - size)))
    value = _EXTREMES[rng.integers(len(_EXTREMES))] & ((1 << 8 * size) - 1)
    data[at : at + size] = value.to_bytes(size, "big" if rng.random() < 0.5 else "little")


def _cut(data: bytearray, rng: Rng, files: Sequence[bytes]) -> None:
    """The file ends early."""
    del data[int(rng.integers(1, max(2, len(data)))) :]


def _drop(data: bytearray, rng: Rng, files: Sequence[bytes]) -> None:
    """A part within it is missing."""
    at = int(rng.integers(0, max(1, len(data))))
    del data[at : at + int(rng.integers(1, 64))]


def _repeat(data: bytearray, rng: Rng, files: Sequence[bytes]) -> None:
    """A part comes again, up to sixteen times."""
    at = int(rng.integers(0, max(1, len(data))))
    part = data[at : at + int(rng.integers(1, 512))]
    data[at:at] = part * int(rng.integers(1, 17))


def _splice(data: bytearray, rng: Rng, files: Sequence[bytes]) -> None:
    """It goes on as another file does."""
    other = files[int(rng.integers(len(files)))]
    at = int(rng.integers(0, max(1, len(data))))
    data[at:] = other[int(rng.integers(0, max(1, len(other)))) :]


_CHANGES: tuple[Callable[[bytearray, Rng, Sequence[bytes]], None], ...] = (
    _flip,
    _extreme,
    _extreme,
    _cut,
    _drop,
    _repeat,
    _splice,
)
