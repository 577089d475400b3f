"""The arrays of a bundle: maps and backgrounds as the files hold them, and back.

What is large is kept in 8 bits, each column with a scale of its own; photographs' rows may be kept
in eleven levels, two numbers to a byte, which adds a noise of about a tenth of their variance and
changes nothing that can be measured (training/LOG.md). Letters: F block statistics,
B directions of the basis, D fingerprint size, M views of photographs.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from fingerprint_db.background import Background, CodecSpace, Cohort, Floats, Labels
from fingerprint_db.conditions import CODECS, Codec
from worker.extractor.document import GROUPS, BundleDocument, Group, codecs_of, group_of
from worker.extractor.fingerprint_map import CodecMap

_Number = TypeVar("_Number", bound=np.generic)
Arrays = dict[str, NDArray[np.generic]]
EightBits = tuple[NDArray[np.int8], Floats]
"""(N, D), and what 1 stands for in each column, (D,)."""

COARSE = 25
"""Of the 127 steps of 8 bits to either side: -5 to 5 of these are the eleven levels."""


@dataclass(frozen=True, slots=True, eq=False)
class RowsKept:
    """How photographs' rows are kept: what 1 of the 8 bits stands for in each column, (D,) of each
    codec, and how many of the first rows are kept in 8 bits, the others in eleven levels.
    """

    scales: Mapping[Codec, Floats]
    fine: Mapping[Codec, int]


@dataclass(frozen=True, slots=True, eq=False)
class KeptMaps:
    """The matrices of all maps in 8 bits, as `to_int8` gives them, and by what they are named."""

    bases: Mapping[Group, EightBits]
    projections: Mapping[Codec, EightBits]


def to_int8(array: NDArray[np.floating], scale: Floats | None = None) -> EightBits:
    """Numbers (N, D) as int8 (N, D), and what 1 stands for in each column, (D,) float32.

    The largest magnitude of a column becomes 127, unless the `scale` is given. ValueError where a
    number is not finite.
    """
    if not np.isfinite(array).all():
        raise ValueError("an array with NaN or infinity cannot be kept in 8 bits")
    if scale is None:
        largest = np.abs(array).max(axis=0, initial=0.0)
        scale = np.where(largest > 0, largest / 127, 1.0).astype(np.float32)
    return np.clip(np.rint(array / scale), -127, 127).astype(np.int8), scale


def from_int8(array: NDArray[np.int8], scale: Floats) -> Floats:
    """What `to_int8` kept, float32 (N, D)."""
    if array.dtype != np.int8 or array.shape[1:] != scale.shape:
        raise ValueError(
            f"{array.dtype} numbers of shape {array.shape} come with scales of shape"
            f" {scale.shape}; expected int8 and a scale for each column"
        )
    return array.astype(np.float32) * scale.astype(np.float32)


def to_levels(eight: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Numbers in 8 bits (N, D), D even, to eleven levels, two in a byte: (N, D / 2)."""
    levels = (np.rint(eight / COARSE) + 5).astype(np.uint8)
    packed: NDArray[np.uint8] = levels[:, 0::2] * np.uint8(11) + levels[:, 1::2]
    return packed


def from_levels(packed: NDArray[np.uint8]) -> NDArray[np.int8]:
    """What `to_levels` kept, in 8 bits (N, D); ValueError where a byte holds no two levels."""
    if packed.max(initial=0) > 120:
        raise ValueError(f"a byte of {packed.max()} holds no two of eleven levels")
    levels = np.stack([packed // 11, packed % 11], axis=2).reshape(len(packed), 2 * packed.shape[1])
    return (levels.astype(np.int8) - np.int8(5)) * np.int8(COARSE)


def kept(array: NDArray[np.floating]) -> Floats:
    """An array (N, D) as it comes back from a bundle, so that statistics can be taken of that."""
    return from_int8(*to_int8(array))


def map_arrays(maps: Mapping[Codec, CodecMap]) -> Arrays:
    """map.safetensors; ValueError where codecs are missing or a group's do not share a basis."""
    if set(maps) != set(CODECS):
        raise ValueError(f"maps of {sorted(maps)}; expected one for each of {', '.join(CODECS)}")
    arrays: Arrays = {}
    for group in GROUPS:
        own = [maps[codec] for codec in codecs_of(group)]
        first = own[0]
        if any(
            one.blocks != first.blocks or not np.array_equal(one.basis, first.basis) for one in own
        ):
            raise ValueError(f"the maps of {group} files have different blocks or bases")
        arrays[f"{group}.basis"], arrays[f"{group}.basis_scale"] = to_int8(first.basis)
    for codec, one in maps.items():
        arrays[f"{codec}.map"], arrays[f"{codec}.map_scale"] = to_int8(one.projection)
        for name in ("mean", "scale", "offset"):
            arrays[f"{codec}.{name}"] = getattr(one, name).astype(np.float32)
    return arrays


def kept_maps(arrays: Mapping[str, NDArray[np.generic]]) -> KeptMaps:
    """Matrices as map.safetensors holds them; KeyError or ValueError as `read_maps` has."""
    return KeptMaps(
        {group: _eight_bits(arrays, f"{group}.basis") for group in GROUPS},
        {codec: _eight_bits(arrays, f"{codec}.map") for codec in CODECS},
    )


def read_maps(
    arrays: Mapping[str, NDArray[np.generic]], document: BundleDocument
) -> dict[Codec, CodecMap]:
    """Every codec's map; KeyError or ValueError where the arrays do not fit the document."""
    bases = {group: from_int8(*_eight_bits(arrays, f"{group}.basis")) for group in GROUPS}
    maps = {}
    for codec in CODECS:
        group = group_of(codec)
        maps[codec] = CodecMap(
            tuple(document.blocks[group]),
            _floats(arrays, f"{codec}.mean"),
            _floats(arrays, f"{codec}.scale"),
            document.clip,
            bases[group],
            from_int8(*_eight_bits(arrays, f"{codec}.map")),
            _floats(arrays, f"{codec}.offset"),
        )
        if maps[codec].dimension != document.dimension:
            raise ValueError(
                f"the map of {codec} gives {maps[codec].dimension} numbers, bundle.json says"
                f" {document.dimension}"
            )
    return maps


def background_arrays(codecs: Mapping[Codec, CodecSpace], rows: RowsKept | None = None) -> Arrays:
    """background.safetensors, without generators where there are none.

    Photographs' rows are all kept in 8 bits unless `rows` says otherwise. ValueError where codecs
    are missing.
    """
    if set(codecs) != set(CODECS):
        raise ValueError(
            f"spaces of {sorted(codecs)}; expected one for each of {', '.join(CODECS)}"
        )
    arrays: Arrays = {}
    for codec, space in codecs.items():
        cohort = space.cohort
        vectors, scale = to_int8(cohort.vectors, None if rows is None else rows.scales[codec])
        fine = len(vectors) if rows is None else rows.fine[codec]
        kinds, kinds_scale = to_int8(cohort.kinds)
        arrays |= {
            f"{codec}.real_variance": space.real_variance.astype(np.float32),
            f"{codec}.synthesis": space.synthesis.astype(np.float32),
            f"{codec}.vectors": vectors[:fine],
            f"{codec}.coarse": to_levels(vectors[fine:]),
            f"{codec}.vectors_scale": scale,
            f"{codec}.photographs": cohort.photographs.astype(np.int32),
            f"{codec}.sources": cohort.sources.astype(np.uint8),
            f"{codec}.size_classes": cohort.size_classes.astype(np.uint8),
            f"{codec}.kinds": kinds,
            f"{codec}.kinds_scale": kinds_scale,
            f"{codec}.normalises": cohort.normalises.astype(np.uint8),
            f"{codec}.weights": cohort.weights.astype(np.float16),
        }
        if len(space.generators):
            arrays[f"{codec}.generators"] = space.generators.astype(np.float16)
    return arrays


def read_background(
    arrays: Mapping[str, NDArray[np.generic]], document: BundleDocument, digest: str
) -> Background:
    """The background; KeyError or ValueError where the arrays do not fit the document."""
    codecs = {}
    for codec in CODECS:
        cohort = Cohort(
            from_int8(
                np.concatenate(
                    [
                        _of(arrays, f"{codec}.vectors", np.int8),
                        from_levels(_of(arrays, f"{codec}.coarse", np.uint8)),
                    ]
                ),
                _floats(arrays, f"{codec}.vectors_scale"),
            ),
            _labels(arrays, f"{codec}.photographs"),
            _labels(arrays, f"{codec}.sources"),
            _labels(arrays, f"{codec}.size_classes"),
            from_int8(*_eight_bits(arrays, f"{codec}.kinds")),
            _of(arrays, f"{codec}.normalises", np.uint8).astype(np.bool_),
            _floats(arrays, f"{codec}.weights"),
        )
        codecs[codec] = CodecSpace(
            _floats(arrays, f"{codec}.real_variance"),
            _generators(arrays, codec, document.dimension),
            _floats(arrays, f"{codec}.synthesis"),
            cohort,
        )
    background = Background(digest, codecs, document.decision)
    if background.dimension != document.dimension:
        raise ValueError(
            f"the background is of {background.dimension} numbers, bundle.json says"
            f" {document.dimension}"
        )
    return background


def _generators(arrays: Mapping[str, NDArray[np.generic]], codec: Codec, dimension: int) -> Floats:
    """(G, D); G is 0 in a bundle that leaves them out, since they weigh nothing there."""
    name = f"{codec}.generators"
    return _floats(arrays, name) if name in arrays else np.empty((0, dimension), np.float32)


def _eight_bits(arrays: Mapping[str, NDArray[np.generic]], name: str) -> EightBits:
    return _of(arrays, name, np.int8), _floats(arrays, f"{name}_scale")


def _floats(arrays: Mapping[str, NDArray[np.generic]], name: str) -> Floats:
    found = arrays[name].astype(np.float32)
    if not np.isfinite(found).all():
        raise ValueError(f"{name} holds NaN or infinity")
    return found


def _labels(arrays: Mapping[str, NDArray[np.generic]], name: str) -> Labels:
    found = arrays[name]
    if found.dtype.kind not in "iu":
        raise ValueError(f"{name} is of {found.dtype}, expected whole numbers")
    return found.astype(np.int64)


def _of(
    arrays: Mapping[str, NDArray[np.generic]], name: str, dtype: type[_Number]
) -> NDArray[_Number]:
    found = arrays[name]
    if found.dtype != dtype:
        raise ValueError(f"{name} is of {found.dtype}, expected {np.dtype(dtype)}")
    return found.astype(dtype, copy=False)
