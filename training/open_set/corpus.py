"""The corpus: pictures of both sides, through histories and conditions, to block statistics.

What was a JPEG before is kept as the worker reads it when it comes once more without loss, beside
what it becomes under the conditions; and so are whole files as they came.

One file for each class of pictures (a source of photographs under one kind of history, or a
generator), written once and read again while neither the blocks nor the class have changed:
drawing costs minutes, and every trial reads the same numbers.

Letters: N pictures of a class, F block statistics.
"""

import dataclasses
import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.roles import Role
from training.histories.conditions import Arrival
from worker.decoder.decode import DecodeLimits, decode
from worker.decoder.regions import RegionReading
from worker.enrol.recompress import Picture
from worker.errors import RejectError, StopError
from worker.extractor.arrival import Arrival as Shown
from worker.extractor.arrival import arrival
from worker.extractor.blocks.picture_features import BLOCKS, BLOCKS_VERSION
from worker.extractor.fingerprint_map import block_statistics
from worker.extractor.nuisance import Nuisance, nuisance


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """One picture before it is re-encoded, or a whole file, which is not re-encoded.

    `photograph` tells pictures of one origin.
    """

    picture: Picture | bytes
    photograph: int
    history: str


@dataclass(frozen=True, slots=True)
class PictureClass:
    """Pictures of one label and side: a source of photographs, or a generator.

    `draw` gives all of them, the same at every call; `version` changes where they do.
    """

    name: str
    family: str
    real: bool
    role: str
    side: int
    draw: Callable[[], Iterable[Drawn]]
    version: str


@dataclass(frozen=True, slots=True, eq=False)
class AsTheyCame:
    """Pictures that nothing was done to, in the codec that the worker reads them in, a row each.

    Those that their pixels tell were a JPEG, and whole files. `codecs` (N,) names, `features`
    (N, F) float16, `kinds` (N, 15) float32 nuisance vectors, `photographs`, `sides` (0 of a whole
    file) and `pixels`, which are read, (N,) int64, `histories` (N,); `qualities` (N,) of a JPEG
    that the pixels tell of, or 0.
    """

    codecs: NDArray[np.str_]
    features: NDArray[np.float16]
    kinds: NDArray[np.float32]
    photographs: NDArray[np.int64]
    sides: NDArray[np.int64]
    pixels: NDArray[np.int64]
    histories: NDArray[np.str_]
    qualities: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.codecs)


@dataclass(frozen=True, slots=True, eq=False)
class Drawings:
    """A class on disk: `features[condition]` (N, F) float16, and of each picture what it is.

    `kinds[condition]` (N, 15) float32 are nuisance vectors: what kind of picture each is there.
    `earlier` (N,) is the quality of the JPEG that the picture was before, as its pixels tell, or 0:
    the worker takes such a lossless file for that JPEG, and it is among those of `came`.
    """

    name: str
    family: str
    real: bool
    role: str
    features: Mapping[str, NDArray[np.float16]]
    kinds: Mapping[str, NDArray[np.float32]]
    photographs: NDArray[np.int64]
    sides: NDArray[np.int64]
    histories: NDArray[np.str_]
    earlier: NDArray[np.int64]
    came: AsTheyCame


LIMITS = DecodeLimits(RegionReading())
"""How the corpus is decoded: as the worker decodes."""


def extract(
    classes: Iterable[PictureClass], conditions: Mapping[str, Arrival], folder: Path
) -> Iterator[str]:
    """Write what is missing of the classes' files, each whole or not at all; names as they go.

    One of the conditions is `clean`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for one in classes:
        path = folder / f"{_file_name(one, conditions)}.npz"
        if not path.exists():
            _write(one, conditions, path)
        yield one.name


def read_all(folder: Path, role: Role, arrivals: Collection[str]) -> list[Drawings]:
    """Every class of a role that holds pictures, its sides together; StopError without any.

    Of its features those under `arrivals` alone: all of them would fill the memory.
    """
    files = sorted(path for path in folder.glob("*.npz") if path.suffixes == [".npz"])
    by_name: dict[str, list[Drawings]] = defaultdict(list)
    for one in (read(path, arrivals) for path in files):
        if one.role == role and len(one.photographs) + len(one.came):
            by_name[one.name].append(one)
    if not by_name:
        raise StopError(
            f"no block statistics of the role {role!r} are in {folder}; run `latentprint train"
            f" corpus{' --held-out' if role == 'held_out' else ''}` first"
        )
    return [together(sides) for sides in by_name.values()]


def of_blocks(drawings: Iterable[Drawings], blocks: Collection[str]) -> Iterator[Drawings]:
    """The same pictures with the statistics of some blocks alone, in the order of BLOCKS.

    ValueError for a block that there is not.
    """
    if unknown := set(blocks) - set(BLOCKS):
        raise ValueError(f"{sorted(unknown)} are no blocks; there are {', '.join(BLOCKS)}")
    kept = np.concatenate([np.full(size, name in blocks) for name, size in BLOCKS.items()])
    for one in drawings:
        features = {name: rows[:, kept] for name, rows in one.features.items()}
        came = dataclasses.replace(one.came, features=one.came.features[:, kept])
        yield dataclasses.replace(one, features=features, came=came)


def together(parts: Sequence[Drawings]) -> Drawings:
    """Several classes as one, under the first one's name."""
    first = parts[0]
    return dataclasses.replace(
        first,
        features={
            name: np.concatenate([part.features[name] for part in parts]) for name in first.features
        },
        kinds={name: np.concatenate([part.kinds[name] for part in parts]) for name in first.kinds},
        photographs=np.concatenate([part.photographs for part in parts]),
        sides=np.concatenate([part.sides for part in parts]),
        histories=np.concatenate([part.histories for part in parts]),
        earlier=np.concatenate([part.earlier for part in parts]),
        came=AsTheyCame(
            *(
                np.concatenate([getattr(part.came, column.name) for part in parts])
                for column in dataclasses.fields(AsTheyCame)
            )
        ),
    )


def read(path: Path, arrivals: Collection[str]) -> Drawings:
    """A class's file, of its features those under `arrivals`."""
    with np.load(path, allow_pickle=False) as arrays:
        about = [str(word) for word in arrays["about"]]
        features, kinds = (
            {name: arrays[f"{part}{name}"] for name in arrivals} for part in ("of.", "kind.")
        )
        return Drawings(
            about[0],
            about[1],
            about[2] == "real",
            about[3],
            features,
            kinds,
            arrays["photographs"],
            arrays["sides"],
            arrays["histories"],
            arrays["earlier"],
            AsTheyCame(*(arrays[f"came.{f.name}"] for f in dataclasses.fields(AsTheyCame))),
        )


def _write(one: PictureClass, conditions: Mapping[str, Arrival], path: Path) -> None:
    rows: dict[str, list[NDArray[np.float16]]] = {name: [] for name in conditions}
    kinds: dict[str, list[NDArray[np.float32]]] = {name: [] for name in conditions}
    about: list[Drawn] = []
    earlier: list[int] = []
    came: list[_Came] = []
    for number, drawn in enumerate(one.draw()):
        if isinstance(drawn.picture, bytes):
            with suppress(RejectError):  # of another format than the worker takes
                image = decode(drawn.picture, LIMITS)
                if image.problem is None:
                    came.append(_Came(drawn, 0, arrival(image)))
            continue
        seen = {}
        for name, encode in conditions.items():
            rng = np.random.default_rng([number_of(f"{one.name} {one.side} {name}"), number])
            seen[name] = decode(encode(drawn.picture, rng), LIMITS)
        if any(image.problem is not None for image in seen.values()):
            continue  # the worker would not judge it, so nothing is to be learned from it
        about.append(drawn)
        shown = arrival(seen["clean"])
        earlier.append(shown.earlier_quality or 0)
        if one.real and shown.earlier_quality is not None:
            came.append(_Came(drawn, one.side, shown))
        for name, image in seen.items():
            rows[name].append(block_statistics(image.regions).astype(np.float16))
            kinds[name].append(nuisance(image.regions, image.facts).vector)
    kind, size = "real" if one.real else "made", sum(BLOCKS.values())
    partial = path.with_suffix(f".{os.getpid()}.npz")
    np.savez(
        partial,
        allow_pickle=False,
        about=np.array([one.name, one.family, kind, one.role]),
        photographs=np.array([drawn.photograph for drawn in about], np.int64),
        sides=np.full(len(about), one.side, np.int64),
        histories=np.array([drawn.history for drawn in about], np.str_),
        earlier=np.array(earlier, np.int64),
        **{f"came.{name}": array for name, array in _columns(came, size).items()},
        **{
            f"of.{name}": np.array(found, np.float16).reshape(-1, size)
            for name, found in rows.items()
        },
        **{
            f"kind.{name}": np.array(found, np.float32).reshape(-1, len(Nuisance.NAMES))
            for name, found in kinds.items()
        },
    )
    partial.replace(path)


class _Came:
    """A row of AsTheyCame; without the pixels, which would fill the memory."""

    def __init__(self, drawn: Drawn, side: int, shown: Shown) -> None:
        self.codec, self.side, self.drawn = shown.codec, side, (drawn.photograph, drawn.history)
        self.quality = shown.earlier_quality or 0
        self.pixels = side**2 or sum(region[0].size for region in shown.regions)
        self.features = block_statistics(shown.regions).astype(np.float16)
        self.kind = nuisance(shown.regions, shown.facts).vector


def _columns(came: Sequence[_Came], size: int) -> dict[str, NDArray[np.generic]]:
    return {
        "codecs": np.array([one.codec for one in came], np.str_),
        "features": np.array([one.features for one in came], np.float16).reshape(-1, size),
        "kinds": np.array([one.kind for one in came], np.float32).reshape(-1, len(Nuisance.NAMES)),
        "photographs": np.array([one.drawn[0] for one in came], np.int64),
        "sides": np.array([one.side for one in came], np.int64),
        "pixels": np.array([one.pixels for one in came], np.int64),
        "histories": np.array([one.drawn[1] for one in came], np.str_),
        "qualities": np.array([one.quality for one in came], np.int64),
    }


def _file_name(one: PictureClass, conditions: Mapping[str, Arrival]) -> str:
    said = f"{one.name} {one.version} {' '.join(conditions)} {BLOCKS_VERSION}"
    plain = "".join(letter if letter.isalnum() else "-" for letter in one.name)
    return f"{plain}-{one.side}-{hashlib.sha256(said.encode()).hexdigest()[:12]}"


def number_of(text: str) -> int:
    """48 bits of a text's SHA-256, for seeds and identities."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")
