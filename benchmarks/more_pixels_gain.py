"""What more pixels would buy: scores of made pictures and photographs, from less and from more.

Networks over photographs are enrolled from pictures of 512x512, and other pictures of theirs, of
1024x1024, are scored from a sixteenth, from the first stage and from the whole; and so are
photographs cut to that size, the networks' own content among them. The maps are fitted on the
corpus as the bundle's are (`latentprint train corpus`), but without the networks' families and
without these photographs; other photographs of their sources are known.
A PNG whose pixels tell of an earlier JPEG is judged in another space, so that it is left out.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fingerprint_db.background import Cohort
from fingerprint_db.conditions import CONDITIONS, Codec, readings_of
from fingerprint_db.matching.rows.scoring import normalised_directions
from training.data.manifest import Entry, Manifest, load_manifest
from training.generators.catalogue import generators
from training.generators.generator import Generator
from training.generators.squares import square
from training.open_set.cohorts import cohorts
from training.open_set.corpus import Drawings, number_of
from training.open_set.plan import folder as corpus_folder
from training.open_set.run import read as read_corpus
from training.open_set.spaces import Learning, SpaceRecipe, basis_of, learn
from worker.decoder.decode import DecodedImage, DecodeLimits, decode
from worker.decoder.regions import RegionReading
from worker.enrol.recompress import Picture, from_pil, under_condition
from worker.extractor.arrival import arrival
from worker.extractor.blocks.planes import to_planes
from worker.extractor.fingerprint_map import CodecMap, Floats, block_statistics

NETWORKS = ("span_x2_ch48", "waifu2x_cunet", "srmdnf_x4")
"""Of three architectures, and quick: 2 to 5 s a picture of 1024x1024."""
ARRIVALS: tuple[Codec, ...] = ("lossless", "jpeg90", "jpeg75")
ENROLLED, SCORED = 30, 30
"""Pictures of a network; enrolled ones of photographs too small to be among the scored."""
ENROLLED_SIDE, SIDE = 512, 1024
FIRST, ALL = "0.25", "1"
READ: dict[str, int] = {"0.06": 1 << 16, FIRST: 1 << 18, ALL: (1 << 20) - 1}
"""Pixels of a picture of 1024x1024, by megapixels; all of them but one are asked for, so that they
are read in tiles, as a stage is."""
ABOVE = 0.02
"""Of the photographs: their highest scores, which a network's pictures have to exceed."""
_LARGEST = 2048  # pixels; of larger photographs the middle is seen, as in the corpus
_SEED = 20
_DRAWS = 2000  # of the bootstrap
Scores = NDArray[np.floating]


def limits_of(pixels: int) -> DecodeLimits:
    """How to decode so that the first stage holds about so many pixels."""
    return DecodeLimits(RegionReading(first_pixels=pixels), max_image_bytes=1 << 26)


def statistics_of(image: DecodedImage, blocks: Sequence[str]) -> Floats:
    """(F,) of what was read."""
    return block_statistics([to_planes(region) for region in image.regions], blocks)


@dataclass(frozen=True, slots=True, eq=False)
class Unknowing:
    """A codec's map and photographs to norm scores on, that know nothing of what is scored."""

    to_fingerprint: CodecMap
    cohort: Cohort


def fitted_without(codec: Codec, families: Collection[str], unseen: NDArray[np.int64]) -> Unknowing:
    """On the learning role's corpus without some families, and photographs by their numbers."""
    recipe = SpaceRecipe()
    drawings = [
        without(one, unseen)
        for one in read_corpus(codec, "learn", corpus_folder())
        if one.family not in families
    ]
    learning = {own: Learning.of(own, drawings, recipe) for own in readings_of(codec)}
    basis = basis_of(learning.values(), recipe)
    maps = {own: learn(one, basis, recipe).to_fingerprint for own, one in learning.items()}
    return Unknowing(maps[codec], cohorts(learning, maps)[codec])


def without(one: Drawings, unseen: NDArray[np.int64]) -> Drawings:
    """A class without some photographs, whatever was made of them; generators as they are."""
    if not one.real:
        return one
    kept, came = ~np.isin(one.photographs, unseen), ~np.isin(one.came.photographs, unseen)
    columns = ("photographs", "sides", "histories", "earlier")
    of_came = {f.name: getattr(one.came, f.name)[came] for f in fields(one.came)}
    return replace(
        one,
        features={name: rows[kept] for name, rows in one.features.items()},
        kinds={name: rows[kept] for name, rows in one.kinds.items()},
        came=replace(one.came, **of_came),
        **{name: getattr(one, name)[kept] for name in columns},
    )


def photographs(
    manifest: Manifest, least: int, below: int | None = None
) -> Iterator[tuple[Entry, Picture]]:
    """Photographs of the learning role in colour, their lesser side from `least` to `below`.

    One of each source, then a second one of each, and so on: the first are of many.
    """
    entries = []
    rank: Counter[str] = Counter()
    for entry in manifest.pictures("photo", "learn"):
        with Image.open(manifest.path(entry)) as opened:
            side = min(opened.size)
        if side >= least and (below is None or side < below):
            entries.append((rank[entry.source], entry.source, entry))
            rank[entry.source] += 1
    for _, _, entry in sorted(entries, key=lambda one: one[:2]):
        with Image.open(manifest.path(entry)) as opened:
            width, height = opened.size
            left, top = max(0, width - _LARGEST) // 2, max(0, height - _LARGEST) // 2
            box = (left, top, min(width, left + _LARGEST), min(height, top + _LARGEST))
            seen = from_pil(opened.convert("RGB").crop(box))
        if not ((seen[0] == seen[1]) & (seen[1] == seen[2])).all():
            yield entry, seen


def of_a_megapixel(manifest: Manifest) -> dict[str, int]:
    """How many learning photographs have a megapixel or more, and of how many sources."""
    sources = []
    for entry in manifest.pictures("photo", "learn"):
        with Image.open(manifest.path(entry)) as opened:
            if opened.width * opened.height >= 1 << 20:
                sources.append(entry.source)
    return {"photographs": len(sources), "sources": len(set(sources))}


def first(found: Iterable[tuple[Entry, Picture]], count: int) -> list[Picture]:
    """So many of them; ValueError where there are fewer."""
    seen = [own for (_, own), _ in zip(found, range(count), strict=False)]
    if len(seen) < count:
        raise ValueError(f"{len(seen)} photographs are large enough, expected {count}")
    return seen


def drawn(
    network: Generator, count: int, side: int, given: Sequence[Picture], folder: Path
) -> NDArray[np.uint8]:
    """(count, 3, side, side) of a network, out of the folder where they were drawn before."""
    digest = hashlib.sha256(b"".join(one.tobytes() for one in given)).hexdigest()[:12]
    path = folder / f"{network.name}-{side}-{count}-{_SEED}-{digest}.npy"
    if not path.exists():
        made = np.stack(network.make(count, side, _SEED, given))
        partial = path.with_suffix(f".{os.getpid()}.npy")
        np.save(partial, made)
        partial.replace(path)
    kept: NDArray[np.uint8] = np.load(path)
    return kept


def vectors(
    pictures: Iterable[Picture], codec: Codec, reads: Sequence[str], own: CodecMap
) -> dict[str, Floats]:
    """(N, D) for each number of pixels, rising: of those that are judged, and in this space."""
    condition = next(one for one in CONDITIONS if one.name == codec)
    found: dict[str, list[Floats]] = {read: [] for read in reads}
    for shown in pictures:
        file = under_condition(None, shown, condition)
        images = {read: decode(file, limits_of(READ[read])) for read in reads}
        if any(image.problem is not None for image in images.values()):
            continue
        if arrival(images[reads[-1]]).codec != codec:
            continue
        for read, image in images.items():
            found[read].append(statistics_of(image, own.blocks))
    return {read: own.fingerprint(own.standard(np.stack(rows))) for read, rows in found.items()}


def share_above(made: Scores, real: Scores) -> Scores:
    """The share of made scores (..., N) above all but the highest 2 % of the real ones (..., M)."""
    count = max(1, round(ABOVE * real.shape[-1]))
    level = np.sort(real, axis=-1)[..., [-count - 1]]
    share: Scores = (made > level).mean(axis=-1)
    return share


def gain_interval(
    made: Sequence[Mapping[str, Scores]], real: Sequence[Mapping[str, Scores]]
) -> tuple[float, float]:
    """95 % of the gain in the share, networks together: bootstrap over pictures and photographs.

    `made` and `real` hold a network's scores by what was read, the photographs in one order.
    """
    photos = len(real[0][FIRST])
    chosen = np.random.default_rng(_SEED).integers(photos, size=(_DRAWS, photos))
    gains = np.zeros(_DRAWS)
    for own, others in zip(made, real, strict=True):
        count = len(own[FIRST])
        # The same of every network: they were given the same content.
        picked = np.random.default_rng([_SEED, 1]).integers(count, size=(_DRAWS, count))
        shares = {read: share_above(own[read][picked], others[read][chosen]) for read in READ}
        gains += (shares[ALL] - shares[FIRST]) / len(made)
    low, high = np.quantile(gains, (0.025, 0.975))
    return float(low), float(high)


def gain(folder: Path) -> dict[str, Any]:
    """Scores of the networks' pictures and of photographs, under each arrival and reading.

    `folder` keeps what was drawn.
    """
    manifest = load_manifest()
    small = first(photographs(manifest, ENROLLED_SIDE, SIDE), ENROLLED)
    large = first(photographs(manifest, SIDE), SCORED)
    networks = [one for one in generators("learn") if one.name in NETWORKS]
    made = {
        one.name: (
            drawn(one, ENROLLED, ENROLLED_SIDE, small, folder),
            drawn(one, SCORED, SIDE, large, folder),
        )
        for one in networks
    }
    entries, squares = [], []
    for number, (entry, seen) in enumerate(photographs(manifest, SIDE)):
        entries.append(entry)
        # The squares that the networks were given, and those of the other photographs.
        squares.append(square(seen, SIDE, np.random.default_rng([_SEED, SIDE, number])))
    unseen = np.array([number_of(entry.file) for entry in entries])
    families = {one.family for one in networks}
    found: dict[str, Any] = {
        "photographs": len(squares),
        "sources": len({entry.source for entry in entries}),
        "of_a_megapixel": of_a_megapixel(manifest),
        "arrivals": {},
    }
    for codec in ARRIVALS:
        space = fitted_without(codec, families, unseen)
        real = vectors(squares, codec, tuple(READ), space.to_fingerprint)
        rows, of_made, of_real = {}, [], []
        for name, (enrolled, asked) in made.items():
            known = vectors(enrolled, codec, (FIRST,), space.to_fingerprint)[FIRST]
            directions = normalised_directions(known.mean(0, keepdims=True), space.cohort)
            own = vectors(asked, codec, tuple(READ), space.to_fingerprint)
            of_made.append({read: directions.scores(own[read])[:, 0] for read in READ})
            of_real.append({read: directions.scores(real[read])[:, 0] for read in READ})
            rows[name] = told(of_made[-1], of_real[-1])
        low, high = gain_interval(of_made, of_real)
        found["arrivals"][codec] = {
            "photographs": len(real[FIRST]),
            "networks": rows,
            "gain_from": round(100 * low, 1),
            "gain_to": round(100 * high, 1),
        }
    return found


def told(made: Mapping[str, Scores], real: Mapping[str, Scores]) -> dict[str, Any]:
    """Of a network: means, deviations and share by what was read, and how far scores moved.

    The latter is the deviation of a score's change, picture by picture, beyond the first stage.
    """
    return {
        "pictures": len(made[FIRST]),
        "made_moved": round(float((made[ALL] - made[FIRST]).std(ddof=1)), 2),
        "real_moved": round(float((real[ALL] - real[FIRST]).std(ddof=1)), 2),
        "read": {
            read: {
                "made_mean": round(float(made[read].mean()), 2),
                "made_deviation": round(float(made[read].std(ddof=1)), 2),
                "real_mean": round(float(real[read].mean()), 2),
                "real_deviation": round(float(real[read].std(ddof=1)), 2),
                "above": round(100 * float(share_above(made[read], real[read])), 1),
            }
            for read in READ
        },
    }
