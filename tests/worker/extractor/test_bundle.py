"""A bundle loads as it was written, and every way of tampering stops the worker with a reason."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.worker.extractor.tiny_bundle import SIZES, TinyBundle, write_tiny_bundle
from worker.decoder.crops import CROP_RULE
from worker.errors import StopError
from worker.extractor import bundle as layout
from worker.extractor.bundle import load_bundle, sha256_of
from worker.extractor.calibration import BINS
from worker.extractor.extract import TorchExtractor
from worker.extractor.networks import FingerprintNetwork


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
    assert bundle.digest == tiny_bundle.digest == bundle.background.space
    assert bundle.document.format == "latentprint-bundle-2"
    assert bundle.document.provenance == {"made_by": "the tests"}
    assert isinstance(bundle.network, FingerprintNetwork)
    assert bundle.network.sizes == SIZES
    assert not bundle.network.training
    assert set(bundle.calibration.reference) == set(BINS)
    assert bundle.background.dimension == SIZES.dimension
    weights = load_file(tiny_bundle.path / layout.WEIGHTS)
    for name, value in bundle.network.state_dict().items():
        assert torch.equal(value, weights[name]), name


def test_the_same_content_has_the_same_digest(tiny_bundle: TinyBundle, tmp_path: Path) -> None:
    assert write_tiny_bundle(tmp_path / "again").digest == tiny_bundle.digest


def test_this_machine_passes_the_self_test(tiny_bundle: TinyBundle) -> None:
    extractor = TorchExtractor(load_bundle(tiny_bundle.path), "cpu")
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
        " with bundle.json. Give one by LATENTPRINT_EXTRACT__BUNDLE or `latentprint train export`"
    )


def test_another_format_is_refused(folder: Path) -> None:
    rewrite(folder, format="latentprint-bundle-9")
    assert refusal(folder) == (
        f"{folder} has format 'latentprint-bundle-9', this version reads 'latentprint-bundle-2';"
        " export the bundle again or install the version that wrote it"
    )


def test_a_bundle_of_an_earlier_format_is_told_by_its_format_and_not_by_what_it_lacks(
    folder: Path,
) -> None:
    document = json.loads((folder / layout.DOCUMENT).read_text())
    for name in ("crop_rule", "decision"):
        del document[name]
    (folder / layout.DOCUMENT).write_text(json.dumps(document | {"format": "latentprint-bundle-1"}))
    assert "has format 'latentprint-bundle-1'" in refusal(folder)


def test_a_bundle_measured_on_crops_by_another_rule_is_refused(folder: Path) -> None:
    rewrite(folder, crop_rule="file-1")
    assert refusal(folder) == (
        f"{folder / 'bundle.json'} was measured on crops chosen by rule 'file-1', this version"
        f" chooses them by {CROP_RULE!r}, so that its calibration would not hold; export the bundle"
        " again or install the version that wrote it"
    )


def test_the_constants_of_the_decision_are_covered_by_the_digest(folder: Path) -> None:
    before = load_bundle(folder)
    assert before.document.decision == before.background.constants
    stated = json.loads((folder / layout.DOCUMENT).read_text())["decision"]
    rewrite(folder, decision=stated | {"halved_penalty_per_number": 0.25})
    after = load_bundle(folder)
    assert after.digest != before.digest
    assert after.background.halved_penalty == 0.25 * SIZES.dimension
    rewrite(folder, decision=stated | {"prior_samples": 0})
    assert "expected a prior above 0 samples" in refusal(folder)


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
    data = (folder / layout.WEIGHTS).read_bytes()
    (folder / layout.WEIGHTS).write_bytes(data[: len(data) // 2])


def without_a_tensor(folder: Path) -> None:
    tensors = load_file(folder / layout.WEIGHTS)
    del tensors["projection"]
    save_file(tensors, folder / layout.WEIGHTS)


def without_a_bin(folder: Path) -> None:
    arrays = load_file(folder / layout.CALIBRATION)
    del arrays["reference.webp_large"]
    save_file(arrays, folder / layout.CALIBRATION)


def without_whose_views_they_are(folder: Path) -> None:
    arrays = load_file(folder / layout.CALIBRATION)
    arrays["reference_photographs.webp_large"] = torch.zeros(3, dtype=torch.int64)
    save_file(arrays, folder / layout.CALIBRATION)


def with_another_dimension(folder: Path) -> None:
    arrays = load_file(folder / layout.BACKGROUND)
    save_file(arrays | {"total_mean": torch.zeros(14, 5)}, folder / layout.BACKGROUND)


def smaller_crops(folder: Path) -> None:
    rewrite(folder, crop_size=16)


def impossible_width(folder: Path) -> None:
    rewrite(folder, residual_width=3)


@pytest.mark.parametrize(
    "damage",
    [
        truncated,
        without_a_tensor,
        without_a_bin,
        without_whose_views_they_are,
        with_another_dimension,
        smaller_crops,
        impossible_width,
    ],
)
def test_content_that_does_not_fit_is_refused_even_with_right_digests(
    damage: Callable[[Path], None], folder: Path
) -> None:
    damage(folder)
    sign_anew(folder)
    assert refusal(folder).startswith(
        f"bundle {folder} does not fit architecture 'spectrum-cooccurrence-residual': "
    )


@pytest.mark.parametrize(
    ("tensor", "shift"),
    [("vectors", 0.2), ("scores", -0.2), ("vectors", np.nan), ("scores", np.nan)],
)
def test_a_machine_that_computes_other_fingerprints_fails_the_self_test(
    tensor: str, shift: float, folder: Path
) -> None:
    golden = load_file(folder / layout.GOLDEN)
    golden[tensor] = golden[tensor].clone()
    golden[tensor][0] += shift
    save_file(golden, folder / layout.GOLDEN)
    sign_anew(folder)
    extractor = TorchExtractor(load_bundle(folder), "cpu")
    with pytest.raises(StopError, match=r"golden\.safetensors.*golden outputs differ by"):
        extractor.self_test()
