"""The sources that the extractor learns from and is measured on, per split.

Real pictures: photos and faces at native and reduced sizes. Made pictures: simulated generators
over real ones, and the zoo's models. The generator that plays the unknown never enters here:
`ZOO_FOR_TRAINING` is all that the extractor and its calibration see.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from training.data.faces import face_64, face_128
from training.data.manifest import Manifest
from training.extractor.cohort import Source
from training.extractor.simulate import SimulatedGenerator
from training.extractor.views import real_view, resize, tile
from training.zoo.generate import generate, load_generator
from worker.enrol.recompress import Picture, from_pil

# Seeds of zoo images: disjoint ranges for training, enrolment and evaluation. Those from 300,000 on
# chose the covariance prior and the thresholds, so the evaluation does not use them.
TRAINING_SEED, ENROLMENT_SEED, EVALUATION_SEED = 100_000, 200_000, 400_000
# Numbers of simulated generators for training; measuring uses numbers from 1,000 on.
MEASURED_SIMULATIONS = 1_000
_LARGEST_SIDE = 2_600  # photos are cut to this: memory, not science


@dataclass(frozen=True, slots=True, eq=False)
class RealPictures:
    """Decoded real pictures of one split: photos (3, H, W), and faces by their files."""

    photos: tuple[Picture, ...]
    faces: tuple[Path, ...]


def load_real(manifest: Manifest, split: str) -> RealPictures:
    """Decode the photos of a split once; faces are read when needed (they are small)."""
    photos = tuple(_photo(path) for path in manifest.photos(split))  # type: ignore[arg-type]
    return RealPictures(photos, tuple(manifest.faces(split)))  # type: ignore[arg-type]


def _photo(path: Path) -> Picture:
    picture = from_pil(Image.open(path))
    _, height, width = picture.shape
    top, left = max(0, height - _LARGEST_SIDE) // 2, max(0, width - _LARGEST_SIDE) // 2
    return picture[:, top : top + _LARGEST_SIDE, left : left + _LARGEST_SIDE].copy()


def real_sources(pictures: RealPictures) -> list[Source]:
    """Photos and faces, each at native and at reduced sizes."""
    photos, faces = pictures.photos, pictures.faces

    def photo(number: int, rng: np.random.Generator) -> Picture:
        return real_view(photos[int(rng.integers(len(photos)))], rng)

    def face(number: int, rng: np.random.Generator) -> Picture:
        return real_view(_read(faces[int(rng.integers(len(faces)))]), rng)

    def native_face(number: int, rng: np.random.Generator) -> Picture:
        return _read(faces[number % len(faces)])

    def face_of_128(number: int, rng: np.random.Generator) -> Picture:
        return face_128(faces[number % len(faces)])

    def face_of_64(number: int, rng: np.random.Generator) -> Picture:
        return face_64(faces[number % len(faces)])

    return [
        Source("real.photo", True, photo),
        Source("real.face", True, face),
        Source("real.face_native", True, native_face),
        Source("real.face_128", True, face_of_128),
        Source("real.face_64", True, face_of_64),
    ]


def _read(path: Path) -> Picture:
    return from_pil(Image.open(path))


def simulated_source(number: int, pictures: RealPictures) -> Source:
    """Simulated generator `number` over small pictures like a small generator's output."""
    generator = SimulatedGenerator.from_number(number)
    photos, faces = pictures.photos, pictures.faces

    def draw(_: int, rng: np.random.Generator) -> Picture:
        picture = _small_picture(photos, faces, rng)
        height, width = (side // 8 * 8 for side in picture.shape[1:])
        made = generator.render(picture[None, :, :height, :width], int(rng.integers(1 << 31)))
        return made[0]  # type: ignore[no-any-return]

    return Source(f"simulated.{number}", False, draw)


def _small_picture(
    photos: Sequence[Picture], faces: Sequence[Path], rng: np.random.Generator
) -> Picture:
    if rng.random() < 0.4:
        return face_64(faces[int(rng.integers(len(faces)))])
    photo = photos[int(rng.integers(len(photos)))]
    if rng.random() < 0.8:
        kernel = Image.Resampling.BOX if rng.random() < 0.3 else Image.Resampling.LANCZOS
        photo = resize(photo, min(1.0, rng.uniform(64, 256) / min(photo.shape[1:])), kernel)
    side = 64 if rng.random() < 0.7 else 128
    return tile(photo, side, side, rng)


def zoo_source(name: str, weights: str | Path, count: int, seed: int) -> Source:
    """`count` images of a generator, drawn once; views of them follow in turn."""
    images = generate(load_generator(weights), count, seed)
    return Source(f"zoo.{name}", False, lambda number, rng: images[number % len(images)])
