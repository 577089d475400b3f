"""The extractor bundle: the one thing that training hands to the worker.

A folder of
- bundle.json              blocks, rule of the regions, constants of the decision, training
                           provenance, digests of the other files
- map.safetensors          from block statistics to fingerprints, for every codec
- background.safetensors   what each codec's space is like: variances, background generators, real
                           photographs to hold scores against
- golden.safetensors       a few pictures and their fingerprints, for a self-test before readiness
- registry.export          the zoo's entries, for `latentprint registry import`

The SHA-256 of bundle.json, which names the digests of all others but the export, is the bundle
digest: the fingerprint space. Nothing here is unpickled.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from fingerprint_db.background import SIZE_CLASSES, Background
from fingerprint_db.conditions import CODECS, CONDITIONS, Codec
from worker.decoder.regions import REGION_RULE, RegionReading
from worker.errors import StopError
from worker.extractor.bundle_arrays import (
    KeptMaps,
    RowsKept,
    background_arrays,
    kept_maps,
    map_arrays,
    read_background,
    read_maps,
)
from worker.extractor.document import (
    ARCHITECTURE,
    GROUPS,
    BundleDocument,
    codecs_of,
    default_bundle_path,
)
from worker.extractor.fingerprint_map import CodecMap, Floats, block_statistics
from worker.plain_errors import sentences

DOCUMENT = "bundle.json"
MAP = "map.safetensors"
BACKGROUND = "background.safetensors"
GOLDEN = "golden.safetensors"
DIGESTED = (MAP, BACKGROUND, GOLDEN)
ZOO_EXPORT = "registry.export"
FORMAT = "latentprint-bundle-4"
PICTURES = "pictures"
# Golden fingerprints may differ by so much between machines and number types: the mean covariance
# of a space is the identity, so that this is a share of a deviation, far below any decision.
GOLDEN_TOLERANCE = 0.15


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """A verified bundle. `digest` is the fingerprint space; `kept` are the matrices of `maps`."""

    path: Path
    digest: str
    document: BundleDocument
    maps: Mapping[Codec, CodecMap]
    kept: KeptMaps
    background: Background

    @property
    def reading(self) -> RegionReading:
        """What of a picture is to be read for this bundle."""
        return RegionReading(self.document.first_pixels, self.document.most_pixels)


def zoo_export_path() -> Path:
    """The registry entries of the committed zoo in the default bundle's space."""
    return default_bundle_path() / ZOO_EXPORT


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load_bundle(path: Path | None = None) -> Bundle:
    """Read and verify a bundle; StopError says which file is missing, damaged or too new."""
    path = path or default_bundle_path()
    raw = _read_document(path)
    document = _checked(raw, path)
    for name, expected in document.files.items():
        _verify(path / name, expected)
    digest = hashlib.sha256(raw).hexdigest()
    try:
        arrays = load_file(path / MAP)
        maps = read_maps(arrays, document)
        background = read_background(load_file(path / BACKGROUND), document, digest)
        bundle = Bundle(path, digest, document, maps, kept_maps(arrays), background)
        _ = bundle.reading  # refuses impossible numbers of pixels
    except (SafetensorError, ValueError, KeyError) as error:
        raise StopError(
            f"bundle {path} does not fit architecture {document.architecture!r}: {error}",
            exit_code=2,
        ) from error
    return bundle


def save_bundle(
    folder: Path,
    maps: Mapping[Codec, CodecMap],
    background: Background,
    pictures: Sequence[NDArray[np.uint8]],
    reading: RegionReading,
    provenance: dict[str, str | int | float],
    rows: RowsKept | None = None,
) -> str:
    """Write all files of a bundle but the zoo's entries; returns the digest: the space.

    `pictures` are golden ones, uint8 (3, H, W) of one size, sides of 32 and more. Bases, maps and
    photographs are kept in 8 bits (`bundle_arrays.kept`), and golden fingerprints are those of the
    kept maps; the background's space is not read. `rows` says how the photographs' are
    kept where not all in 8 bits. ValueError for what `load_bundle` would
    refuse.
    """
    folder.mkdir(parents=True, exist_ok=True)
    arrays = map_arrays(maps)
    _save(arrays, folder / MAP)
    _save(background_arrays(background.codecs, rows), folder / BACKGROUND)
    (clip,) = {one.clip for one in maps.values()}
    document = BundleDocument(
        format=FORMAT,
        architecture=ARCHITECTURE,
        region_rule=REGION_RULE,
        first_pixels=reading.first_pixels,
        most_pixels=reading.most_pixels,
        clip=clip,
        dimension=background.dimension,
        blocks={group: maps[codecs_of(group)[0]].blocks for group in GROUPS},
        decision=background.constants,
        conditions=tuple(condition.name for condition in CONDITIONS),
        size_classes=tuple(name for name, _ in SIZE_CLASSES),
        provenance=provenance,
        files={},
    )
    golden = np.stack(pictures)
    _save({PICTURES: golden, **_golden(read_maps(arrays, document), golden)}, folder / GOLDEN)
    stated = document.model_copy(
        update={"files": {name: sha256_of(folder / name) for name in DIGESTED}}
    )
    raw = json.dumps(stated.model_dump(mode="json"), indent=1, sort_keys=True).encode() + b"\n"
    (folder / DOCUMENT).write_bytes(raw)
    return hashlib.sha256(raw).hexdigest()


def golden_arrays(bundle: Bundle) -> tuple[NDArray[np.uint8], dict[Codec, Floats]]:
    """The golden pictures (N, 3, H, W), and their fingerprints (N, D) under every codec.

    StopError where the file does not hold them.
    """
    try:
        arrays = load_file(bundle.path / GOLDEN)
        pictures, vectors = (
            arrays[PICTURES],
            {codec: arrays[f"{codec}.vectors"] for codec in CODECS},
        )
        if pictures.dtype != np.uint8 or pictures.ndim != 4 or pictures.shape[1] != 3:
            raise ValueError(f"{PICTURES} are {pictures.dtype} of shape {pictures.shape}")
        expected = (len(pictures), bundle.document.dimension)
        for codec, array in vectors.items():
            if array.dtype != np.float32 or array.shape != expected:
                raise ValueError(
                    f"{codec}.vectors are {array.dtype} of shape {array.shape}, expected float32 of"
                    f" {expected}"
                )
    except (SafetensorError, ValueError, KeyError) as error:
        raise StopError(
            f"{bundle.path / GOLDEN} holds no golden pictures and fingerprints: {error}; export the"
            " bundle again",
            exit_code=2,
        ) from error
    return pictures, vectors


def check_golden(bundle: Bundle, vectors: Mapping[Codec, Floats]) -> None:
    """Compare freshly computed golden fingerprints with the stored ones; StopError if they differ.

    `vectors` (N, D) for each codec are what this machine computes for the golden pictures.
    """
    _, stored = golden_arrays(bundle)
    # NaN if any is, which the built-in max loses.
    worst = float(np.max([np.abs(vectors[codec] - stored[codec]).max() for codec in CODECS]))
    if not worst <= GOLDEN_TOLERANCE:
        raise StopError(
            f"self-test of bundle {bundle.digest[:12]} ({GOLDEN}): golden outputs differ by"
            f" {worst:.3g}, at most {GOLDEN_TOLERANCE:g} is allowed; this machine computes other"
            " fingerprints than were calibrated, so no verdict would hold: try"
            " LATENTPRINT_EXTRACT__DEVICE=cpu"
        )


def _save(arrays: Mapping[str, NDArray[np.generic]], path: Path) -> None:
    # safetensors writes the memory as it lies: of a transposed array that would be another one.
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, path)


def _golden(maps: Mapping[Codec, CodecMap], pictures: NDArray[np.uint8]) -> dict[str, Floats]:
    """Every picture through every codec's map, as if its file were of that codec."""
    found = {}
    for group in GROUPS:
        blocks = maps[codecs_of(group)[0]].blocks
        statistics = np.stack([block_statistics([picture], blocks) for picture in pictures])
        for codec in codecs_of(group):
            own = maps[codec]
            found[f"{codec}.vectors"] = own.fingerprint(own.standard(statistics))
    return found


def _read_document(path: Path) -> bytes:
    try:
        return (path / DOCUMENT).read_bytes()
    except OSError as error:
        raise StopError(
            f"no extractor bundle at {path}: {error.strerror}; expected a folder with {DOCUMENT}."
            " Give one by LATENTPRINT_EXTRACT__BUNDLE or `latentprint train bundle`",
            exit_code=2,
        ) from error


def _checked(raw: bytes, path: Path) -> BundleDocument:
    """The document, of this format, rule and conditions, with a digest of every file."""
    try:
        stated = json.loads(raw)
        # The format first: a document of another format may lack what this one must have.
        seen = stated.get("format", FORMAT) if isinstance(stated, dict) else FORMAT
        if seen != FORMAT:
            raise StopError(
                f"{path} has format {seen!r}, this version reads {FORMAT!r}; export the"
                " bundle again or install the version that wrote it",
                exit_code=2,
            )
        document = BundleDocument.model_validate(stated)
    except ValidationError as error:
        raise StopError(
            f"{path / DOCUMENT} is no bundle document:"
            f" {sentences(error, BundleDocument.model_fields)}; export the bundle again or restore"
            " it",
            exit_code=2,
        ) from error
    except ValueError as error:  # no UTF-8, or no JSON
        raise StopError(f"{path / DOCUMENT} is no bundle document: {error}", exit_code=2) from error
    for what, there, own in (
        ("architecture", document.architecture, ARCHITECTURE),
        ("rule of regions", document.region_rule, REGION_RULE),
        ("list of conditions", document.conditions, tuple(c.name for c in CONDITIONS)),
        ("list of size classes", document.size_classes, tuple(name for name, _ in SIZE_CLASSES)),
        ("list of groups", sorted(document.blocks), sorted(GROUPS)),
    ):
        if there != own:
            raise StopError(
                f"{path / DOCUMENT} was measured with the {what} {there!r}, this version has"
                f" {own!r}, so that its calibration would not hold; export the bundle again or"
                " install the version that wrote it",
                exit_code=2,
            )
    if set(document.files) != set(DIGESTED):
        raise StopError(
            f"{path / DOCUMENT} names digests of {sorted(document.files)}, expected exactly"
            f" {sorted(DIGESTED)}: a file without one could be changed unseen; export it again",
            exit_code=2,
        )
    return document


def _verify(path: Path, expected: str) -> None:
    if not path.is_file():
        raise StopError(f"the bundle lacks {path.name} ({path}); export it again", exit_code=2)
    seen = sha256_of(path)
    if seen != expected:
        raise StopError(
            f"{path} has SHA-256 {seen}, bundle.json names {expected}; the bundle is damaged or was"
            " changed: restore it",
            exit_code=2,
        )
