"""The sources that the extractor learns from and is measured on, per split.

Real pictures: photos and faces at native and reduced sizes. Made pictures: simulated generators
over real ones, and the zoo's models. The generator that plays the unknown never enters here: the
extractor and its calibration see those of `training_models` (training/extractor/train.py) alone.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from training.data.faces import face_64, face_128
from training.data.manifest import Manifest, Split
from training.extractor.cohort import Source
from training.extractor.simulate import SimulatedGenerator
from training.extractor.views import real_view
from training.histories.pictures import resize, tile
from training.zoo.generate import generate, load_generator
from worker.enrol.recompress import Picture, from_pil

# Seeds of zoo images: disjoint ranges for training, enrolment, choosing the decision's constants
# (training/extractor/choose_constants.py) and evaluation.
TRAINING_SEED, ENROLMENT_SEED, CHOOSING_SEED, EVALUATION_SEED = 100_000, 200_000, 300_000, 400_000
# Numbers of simulated generators for training; measuring uses numbers from 1,000 on.
MEASURED_SIMULATIONS = 1_000
VIEWS_OF_A_PHOTO, VIEWS_OF_A_FACE = 3, 1
_LARGEST_SIDE = 2_600  # photos are cut to this: memory, not science


@dataclass(frozen=True, slots=True, eq=False)
class RealPictures:
    """Decoded real pictures of one split: photos (3, H, W), and faces by their files."""

    photos: tuple[Picture, ...]
    faces: tuple[Path, ...]


def load_real(manifest: Manifest, split: Split) -> RealPictures:
    """Decode the photos of a split once; faces are read when needed (they are small)."""
    photos = tuple(_photo(path) for path in manifest.photos(split))
    return RealPictures(photos, tuple(manifest.faces(split)))


def _photo(path: Path) -> Picture:
    picture = from_pil(Image.open(path))
    _, height, width = picture.shape
    top, left = max(0, height - _LARGEST_SIDE) // 2, max(0, width - _LARGEST_SIDE) // 2
    return picture[:, top : top + _LARGEST_SIDE, left : left + _LARGEST_SIDE].copy()


@dataclass(frozen=True, slots=True)
class Photograph:
    """One real picture: `identity` names its file, `draw` gives a view of it (3, H, W).

    `views` is how many of its views stand in a calibration bin: more of a scene, whose tiles and
    reductions differ, than of a face.
    """

    identity: int
    views: int
    draw: Callable[[np.random.Generator], Picture]


def load_photographs(manifest: Manifest, *splits: Split) -> list[Photograph]:
    """Every photograph and face of the splits, photos decoded once."""
    found = []
    for split in splits:
        for path in manifest.photos(split):
            found.append(_of_photo(_identity(manifest, path), _photo(path)))
        for path in manifest.faces(split):
            found.append(_of_face(_identity(manifest, path), path))
    return found


def _identity(manifest: Manifest, path: Path) -> int:
    """63 bits of the SHA-256 of the file's name below the cache folder."""
    name = path.relative_to(manifest.root).as_posix().encode()
    return int.from_bytes(hashlib.sha256(name).digest()[:8], "big") >> 1


def _of_photo(identity: int, picture: Picture) -> Photograph:
    return Photograph(identity, VIEWS_OF_A_PHOTO, lambda rng: real_view(picture, rng))


def _of_face(identity: int, path: Path) -> Photograph:
    def draw(rng: np.random.Generator) -> Picture:
        kind = int(rng.integers(4))
        if kind == 0:
            return real_view(_read(path), rng)
        if kind == 1:
            return _read(path)
        return face_128(path) if kind == 2 else face_64(path)

    return Photograph(identity, VIEWS_OF_A_FACE, draw)


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
