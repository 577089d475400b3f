"""A bundle loads as it was written, and every way of tampering stops the worker with a reason."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from fingerprint_db.background import SIZE_CLASSES
from fingerprint_db.conditions import CODECS, CONDITIONS
from tests.worker.decoder.image_samples import picture
from tests.worker.extractor.tiny_bundle import (
    BLOCKS_OF,
    CLIP,
    DIMENSION,
    TinyBundle,
    tiny_parts,
    write_tiny_bundle,
)
from worker.decoder.regions import RegionReading
from worker.errors import StopError
from worker.extractor import bundle as layout
from worker.extractor.bundle import check_golden, golden_arrays, load_bundle, save_bundle, sha256_of
from worker.extractor.extract import BlockExtractor


@pytest.fixture
def folder(tiny_bundle: TinyBundle, tmp_path: Path) -> Path:
    """A copy of the tiny bundle that a test may damage."""
    return Path(shutil.copytree(tiny_bundle.path, tmp_path / "bundle"))


def refusal(path: Path) -> str:
    with pytest.raises(StopError) as caught:
        load_bundle(path)
    assert caught.value.exit_code == 2
    return str(caught.value)


def rewrite(folder: Path, **changes: object) -> None:
    """Change fields of bundle.json."""
    document = json.loads((folder / layout.DOCUMENT).read_text()) | changes
    (folder / layout.DOCUMENT).write_text(json.dumps(document))


def sign_anew(folder: Path) -> None:
    """State the digests of the files as they are now, as a careless exporter would."""
    rewrite(folder, files={name: sha256_of(folder / name) for name in layout.DIGESTED})


def flip_a_byte(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def test_a_bundle_loads_as_it_was_written(tiny_bundle: TinyBundle) -> None:
    bundle = load_bundle(tiny_bundle.path)
    document = bundle.document
    assert bundle.digest == tiny_bundle.digest == bundle.background.space
    assert (document.format, document.architecture) == (
        "latentprint-bundle-4",
        "block-statistics-1",
    )
    assert (document.region_rule, document.clip) == ("tiles-1", CLIP)
    assert bundle.reading == RegionReading()
    assert document.blocks == BLOCKS_OF
    assert document.conditions == tuple(condition.name for condition in CONDITIONS)
    assert document.size_classes == tuple(name for name, _ in SIZE_CLASSES)
    assert document.provenance == {"made_by": "the tests"}
    assert set(bundle.maps) == set(bundle.background.codecs) == set(CODECS)
    assert document.dimension == bundle.background.dimension == DIMENSION
    assert {one.dimension for one in bundle.maps.values()} == {DIMENSION}


def test_the_same_content_has_the_same_digest(tiny_bundle: TinyBundle, tmp_path: Path) -> None:
    assert write_tiny_bundle(tmp_path / "again").digest == tiny_bundle.digest


def test_what_is_read_of_a_picture_stands_in_the_document(tmp_path: Path) -> None:
    maps, background = tiny_parts()
    pixels = np.asarray(picture(32, 32)).transpose(2, 0, 1)
    reading = RegionReading(1 << 16, 1 << 18)
    save_bundle(tmp_path, maps, background, [pixels], reading, {})
    assert load_bundle(tmp_path).reading == reading


def test_arrays_are_written_as_they_read_whatever_their_order_in_memory(
    tiny_bundle: TinyBundle,
) -> None:
    """safetensors writes memory as it lies, and bases are often transposed."""
    maps, _ = tiny_parts()
    bundle = load_bundle(tiny_bundle.path)
    pictures, golden = golden_arrays(bundle)
    assert pictures.dtype == np.uint8
    assert pictures.shape[1] == 3
    picture_of_seed = np.asarray(picture(64, 64, seed=1)).transpose(2, 0, 1)
    assert np.array_equal(pictures[0], picture_of_seed)
    for codec in CODECS:
        np.testing.assert_allclose(bundle.maps[codec].basis, maps[codec].basis, rtol=1e-6)
        assert golden[codec].shape == (len(pictures), DIMENSION)


def test_this_machine_passes_the_self_test(tiny_bundle: TinyBundle) -> None:
    extractor = BlockExtractor(load_bundle(tiny_bundle.path))
    extractor.self_test()
    assert extractor.space == tiny_bundle.digest


@pytest.mark.parametrize("name", layout.DIGESTED)
def test_a_changed_byte_is_refused_by_the_name_of_the_file(name: str, folder: Path) -> None:
    expected = sha256_of(folder / name)
    flip_a_byte(folder / name)
    assert refusal(folder) == (
        f"{folder / name} has SHA-256 {sha256_of(folder / name)}, bundle.json names {expected};"
        " the bundle is damaged or was changed: restore it"
    )


@pytest.mark.parametrize("name", layout.DIGESTED)
def test_a_missing_file_is_refused_by_its_name(name: str, folder: Path) -> None:
    (folder / name).unlink()
    assert refusal(folder) == f"the bundle lacks {name} ({folder / name}); export it again"


def test_a_folder_without_a_bundle_is_refused_with_what_to_do(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none") == (
        f"no extractor bundle at {tmp_path / 'none'}: No such file or directory; expected a folder"
        " with bundle.json. Give one by LATENTPRINT_EXTRACT__BUNDLE or `latentprint train bundle`"
    )


def test_another_format_is_refused(folder: Path) -> None:
    rewrite(folder, format="latentprint-bundle-9")
    assert refusal(folder) == (
        f"{folder} has format 'latentprint-bundle-9', this version reads 'latentprint-bundle-4';"
        " export the bundle again or install the version that wrote it"
    )


def test_a_bundle_of_an_earlier_format_is_told_by_its_format_and_not_by_what_it_lacks(
    folder: Path,
) -> None:
    document = json.loads((folder / layout.DOCUMENT).read_text())
    for name in ("region_rule", "clip", "decision"):
        del document[name]
    (folder / layout.DOCUMENT).write_text(json.dumps(document | {"format": "latentprint-bundle-2"}))
    assert refusal(folder) == (
        f"{folder} has format 'latentprint-bundle-2', this version reads 'latentprint-bundle-4';"
        " export the bundle again or install the version that wrote it"
    )


@pytest.mark.parametrize(
    ("field", "stated", "what"),
    [
        ("region_rule", "tiles-0", "rule of regions 'tiles-0', this version has 'tiles-1'"),
        ("architecture", "network-1", "architecture 'network-1', this version has"),
        ("conditions", ["lossless"], "list of conditions ('lossless',), this version has"),
        ("size_classes", [], "list of size classes (), this version has ('under_96',"),
        ("blocks", {"lossless": []}, "list of groups ['lossless'], this version has ['lossless', "),
    ],
)
def test_a_bundle_that_was_measured_otherwise_is_refused(
    field: str, stated: object, what: str, folder: Path
) -> None:
    rewrite(folder, **{field: stated})
    said = refusal(folder)
    assert said.startswith(f"{folder / 'bundle.json'} was measured with the {what}")
    assert said.endswith(
        "so that its calibration would not hold; export the bundle again or install the version"
        " that wrote it"
    )


def test_the_constants_of_the_decision_are_covered_by_the_digest(folder: Path) -> None:
    before = load_bundle(folder)
    assert before.document.decision == before.background.constants
    stated = json.loads((folder / layout.DOCUMENT).read_text())["decision"]
    rewrite(folder, decision=stated | {"margin": 2.5})
    after = load_bundle(folder)
    assert after.digest != before.digest
    assert after.background.constants.margin == 2.5
    rewrite(folder, decision=stated | {"impostors": 0})
    assert "an impostor or more" in refusal(folder)


@pytest.mark.parametrize("text", [b"{", b"[]", b"{}", b'{"format": "\xff"}', b"\xff\xfe\x00"])
def test_a_document_that_cannot_be_read_is_refused(text: bytes, folder: Path) -> None:
    (folder / layout.DOCUMENT).write_bytes(text)
    assert refusal(folder).startswith(f"{folder / 'bundle.json'} is no bundle document: ")


def test_an_empty_document_is_refused_in_plain_sentences(folder: Path) -> None:
    (folder / "bundle.json").write_text("{}")
    assert "format is missing; architecture is missing;" in (said := refusal(folder))
    assert "http" not in said


@pytest.mark.parametrize("name", layout.DIGESTED)
def test_a_file_without_a_digest_is_refused_since_it_could_be_changed_unseen(
    name: str, folder: Path
) -> None:
    files = {other: sha256_of(folder / other) for other in layout.DIGESTED if other != name}
    rewrite(folder, files=files)
    assert "could be changed unseen" in refusal(folder)


def test_a_digest_of_a_file_outside_is_refused(folder: Path) -> None:
    files = {name: sha256_of(folder / name) for name in layout.DIGESTED}
    rewrite(folder, files=files | {"../outside": "0" * 64})
    assert "../outside" in refusal(folder)


def truncated(folder: Path) -> None:
    data = (folder / layout.MAP).read_bytes()
    (folder / layout.MAP).write_bytes(data[: len(data) // 2])


def without_an_array(folder: Path) -> None:
    arrays = load_file(folder / layout.MAP)
    del arrays["lossy.basis"]
    save_file(arrays, folder / layout.MAP)


def without_a_codec(folder: Path) -> None:
    arrays = load_file(folder / layout.BACKGROUND)
    del arrays["webp80.vectors"]
    save_file(arrays, folder / layout.BACKGROUND)


def without_whose_views_they_are(folder: Path) -> None:
    arrays = load_file(folder / layout.BACKGROUND)
    arrays["webp80.photographs"] = np.zeros(3, np.int64)
    save_file(arrays, folder / layout.BACKGROUND)


def with_other_numbers(folder: Path) -> None:
    arrays = load_file(folder / layout.BACKGROUND)
    arrays["lossless.sources"] = arrays["lossless.sources"].astype(np.float32)
    save_file(arrays, folder / layout.BACKGROUND)


def with_a_number_that_is_none(folder: Path) -> None:
    arrays = load_file(folder / layout.BACKGROUND)
    arrays["jpeg75.synthesis"] = np.full_like(arrays["jpeg75.synthesis"], np.nan)
    save_file(arrays, folder / layout.BACKGROUND)


def with_an_impossible_variance(folder: Path) -> None:
    arrays = load_file(folder / layout.BACKGROUND)
    arrays["jpeg75.real_variance"] = np.full_like(arrays["jpeg75.real_variance"], 2.0)
    save_file(arrays, folder / layout.BACKGROUND)


def other_blocks(folder: Path) -> None:
    rewrite(folder, blocks={"lossless": ["block_dct"], "lossy": ["block_dct"]})


def unknown_blocks(folder: Path) -> None:
    rewrite(folder, blocks={"lossless": ["hue"], "lossy": ["hue"]})


def another_dimension(folder: Path) -> None:
    rewrite(folder, dimension=DIMENSION + 1)


def hardly_any_pixels(folder: Path) -> None:
    rewrite(folder, first_pixels=10)


@pytest.mark.parametrize(
    "damage",
    [
        truncated,
        without_an_array,
        without_a_codec,
        without_whose_views_they_are,
        with_other_numbers,
        with_a_number_that_is_none,
        with_an_impossible_variance,
        other_blocks,
        unknown_blocks,
        another_dimension,
        hardly_any_pixels,
    ],
)
def test_content_that_does_not_fit_is_refused_even_with_right_digests(
    damage: Callable[[Path], None], folder: Path
) -> None:
    damage(folder)
    sign_anew(folder)
    assert refusal(folder).startswith(
        f"bundle {folder} does not fit architecture 'block-statistics-1': "
    )


@pytest.mark.parametrize("codec", ["lossless", "jpeg60"])
@pytest.mark.parametrize("shift", [0.2, np.nan])
def test_a_machine_that_computes_other_fingerprints_fails_the_self_test(
    codec: str, shift: float, folder: Path
) -> None:
    golden = load_file(folder / layout.GOLDEN)
    golden[f"{codec}.vectors"][0] += np.float32(shift)
    save_file(golden, folder / layout.GOLDEN)
    sign_anew(folder)
    extractor = BlockExtractor(load_bundle(folder))
    with pytest.raises(StopError, match=r"golden\.safetensors.*golden outputs differ by"):
        extractor.self_test()


def test_golden_fingerprints_may_differ_by_what_machines_differ_by(
    tiny_bundle: TinyBundle,
) -> None:
    bundle = load_bundle(tiny_bundle.path)
    _, golden = golden_arrays(bundle)
    check_golden(bundle, {codec: rows + np.float32(0.1) for codec, rows in golden.items()})
    with pytest.raises(StopError, match=r"differ by 0\.2, at most 0\.15 is allowed"):
        check_golden(bundle, {codec: rows + np.float32(0.2) for codec, rows in golden.items()})
