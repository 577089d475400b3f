"""The image files that the demo sends: real photographs, GAN images, broken files.

Every intact image is written by the same `encode`, so that codec and quality say nothing about
where it came from: about 35 % PNG, the rest JPEG, of which about 15 % keep the colours at full
size (4:4:4). Only the whole JPEG and PNG photographs are sent byte for byte as they lie on disk.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.histories.noise import sensor_noise
from training.histories.resampling import enlarged
from worker.enrol.recompress import from_pil, to_pil
from worker.errors import StopError

PHOTO_FOLDER = Path(__file__).parent / "photos"
"""Held-out photographs that come with the project; their licences are in ATTRIBUTION.md there."""

VIEWS_PER_PHOTO = 8
PROCESSED_PER_PHOTO = 2
"""Files of one photograph that were enlarged, and as many that are noisy."""

_PNG_SHARE = 0.35
_USUAL_QUALITIES = (75, 96)
_LOW_QUALITIES = (60, 75)
_LOW_SHARE = 0.05
_FULL_CHROMA_SHARE = 0.15
_FULL_CHROMA, _HALVED_CHROMA = 0, 2  # Pillow's numbers for 4:4:4 and 4:2:0; most files are 4:2:0

_KERNELS = (Image.Resampling.BOX, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)
_CONTENT_TYPES = {"jpg": "image/jpeg", "png": "image/png"}


@dataclass(frozen=True, slots=True)
class DemoFile:
    """One file's bytes and its name's ending, jpg or png; a broken one may be neither."""

    data: bytes
    suffix: str

    @property
    def content_type(self) -> str:
        """What its sender says it is, by the ending."""
        return _CONTENT_TYPES[self.suffix]


def encode(image: Image.Image, rng: np.random.Generator) -> DemoFile:
    """PNG, or JPEG of a random quality, mostly 75 to 95, and seldom with full chroma."""
    out = io.BytesIO()
    if rng.random() < _PNG_SHARE:
        image.save(out, "PNG")
        return DemoFile(out.getvalue(), "png")
    qualities = _LOW_QUALITIES if rng.random() < _LOW_SHARE else _USUAL_QUALITIES
    quality = int(rng.integers(*qualities))
    chroma = _FULL_CHROMA if rng.random() < _FULL_CHROMA_SHARE else _HALVED_CHROMA
    image.save(out, "JPEG", quality=quality, subsampling=chroma)
    return DemoFile(out.getvalue(), "jpg")


def photo_paths(folder: Path = PHOTO_FOLDER) -> list[Path]:
    """The committed photographs, sorted; StopError when there are none."""
    found = sorted(p for p in folder.glob("*") if p.suffix in (".jpg", ".png", ".webp"))
    if not found:
        raise StopError(
            f"there are no photographs in {folder}, so that the demo has no real images to send;"
            " restore that folder from the repository or install the package again"
        )
    return found


def photo_views(path: Path, rng: np.random.Generator) -> Iterator[DemoFile]:
    """VIEWS_PER_PHOTO files of one photograph, from the whole to what fits a 64x64 generator."""
    photo = _photo(path)
    suffix = path.suffix.removeprefix(".")
    yield DemoFile(path.read_bytes(), suffix) if suffix in _CONTENT_TYPES else encode(photo, rng)
    yield encode(_reduced(photo, max(photo.size) / 2, rng), rng)
    yield encode(_reduced(photo, rng.uniform(400, 800), rng), rng)
    yield encode(_reduced(photo, rng.uniform(150, 300), rng), rng)
    yield encode(_reduced(photo, rng.uniform(100, 130), rng), rng)
    yield encode(_crop(photo, int(rng.integers(200, 500)), rng), rng)
    part = _reduced(photo, max(photo.size) * rng.uniform(0.3, 0.8), rng)
    yield encode(_crop(part, int(rng.integers(128, 300)), rng), rng)
    square = _crop(photo, min(photo.size), rng)
    yield encode(_reduced(square, float(rng.choice([64, 96, 128])), rng), rng)


def enlarged_views(path: Path, rng: np.random.Generator) -> Iterator[DemoFile]:
    """PROCESSED_PER_PHOTO files: a part and a thumbnail of a photograph at twice their size."""
    photo, twice = _photo(path), enlarged(Image.Resampling.BICUBIC, 2.0)
    for image in (
        _crop(photo, int(rng.integers(128, 400)), rng),
        _reduced(photo, rng.uniform(150, 400), rng),
    ):
        yield encode(to_pil(twice(from_pil(image), rng)), rng)


def noisy_views(path: Path, rng: np.random.Generator) -> Iterator[DemoFile]:
    """PROCESSED_PER_PHOTO files: a part and a reduction of a photograph as a noisy sensor sees it.

    The noise lies on the samples of the sensor, 2 to 20 grey levels, and is demosaiced with them.
    """
    photo, noisy = _photo(path), sensor_noise()
    for image in (
        _crop(photo, int(rng.integers(128, 500)), rng),
        _reduced(photo, rng.uniform(300, 800), rng),
    ):
        yield encode(to_pil(noisy(from_pil(image), rng)), rng)


def made_files(images: NDArray[np.uint8], rng: np.random.Generator) -> list[DemoFile]:
    """Generated images, uint8 (N,3,R,R), as files, in order."""
    return [encode(to_pil(image), rng) for image in images]


def sample_pngs(images: NDArray[np.uint8]) -> list[bytes]:
    """Generated images, uint8 (N,3,R,R), as PNG files: what an operator enrols a generator from."""
    samples = []
    for image in images:
        out = io.BytesIO()
        to_pil(image).save(out, "PNG")
        samples.append(out.getvalue())
    return samples


def broken_files(whole: Image.Image) -> list[DemoFile]:
    """Eight files that name themselves images and are none; `whole` gives the cut ones a start."""
    jpeg, png = io.BytesIO(), io.BytesIO()
    whole.save(jpeg, "JPEG", quality=90)
    whole.save(png, "PNG")
    gif = io.BytesIO()
    whole.resize((64, 64)).save(gif, "GIF")
    return [
        DemoFile(jpeg.getvalue()[: len(jpeg.getvalue()) // 2], "jpg"),
        DemoFile(png.getvalue()[: len(png.getvalue()) // 3], "png"),
        DemoFile(b"This was meant to be a photograph.\n" * 40, "jpg"),
        DemoFile(_png_header(60_000, 60_000), "png"),
        DemoFile(b"", "jpg"),
        DemoFile(gif.getvalue(), "png"),
        DemoFile(b"\xff\xd8\xff\xd9", "jpg"),
        DemoFile(np.random.default_rng(0).bytes(20_000), "jpg"),
    ]


def _photo(path: Path) -> Image.Image:
    with Image.open(path) as opened:
        return opened.convert("RGB")


def _reduced(image: Image.Image, longest_side: float, rng: np.random.Generator) -> Image.Image:
    """The image with its longest side at most this long, and its shortest at least 48."""
    scale = max(longest_side / max(image.size), 48 / min(image.size))
    if scale >= 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, _KERNELS[int(rng.integers(len(_KERNELS)))])


def _crop(image: Image.Image, side: int, rng: np.random.Generator) -> Image.Image:
    """A square of this side anywhere in the image, smaller where the image is."""
    side = min(side, *image.size)
    left = int(rng.integers(image.width - side + 1))
    top = int(rng.integers(image.height - side + 1))
    return image.crop((left, top, left + side, top + side))


def _png_header(width: int, height: int) -> bytes:
    """A correct PNG header that announces billions of pixels, and no more."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(body) - 4) + body + checksum
