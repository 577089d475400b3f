"""The paper's network serves the worker as a bundle: from a weights file to verdicts."""

import hashlib
import io
import json
import os
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from fingerprint_db.conditions import CONDITIONS
from fingerprint_db.enrolment import Samples, enrol
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.transfer import import_
from tests.worker.decoder.image_samples import picture
from tests.worker.extractor.tiny_bundle import registration
from training.data.manifest import Manifest
from training.extractor import export
from training.extractor.calibrate import CalibrationSizes
from training.extractor.cohort import Source
from training.extractor.sources import Photograph
from training.histories.pictures import tile
from training.paper.networks.attribution_bundle import (
    Material,
    bundle_from,
    write_attribution_bundle,
    zoo_generators,
)
from training.paper.networks.attribution_file import (
    export_attribution,
    load_attribution,
)
from worker.commands.scan import scan
from worker.decoder.crops import CropReading
from worker.decoder.decode import decode
from worker.enrol.recompress import Picture, from_pil
from worker.enrol.samples import fingerprint_samples
from worker.errors import StopError
from worker.extractor import bundle as layout
from worker.extractor.architectures import build_network
from worker.extractor.attribution_network import AttributionNetwork
from worker.extractor.bundle import Bundle, check_golden, default_bundle_path, load_bundle
from worker.extractor.document import BundleDocument, reachable_bins
from worker.extractor.extract import ImageFingerprint, TorchExtractor
from worker.judge.pipeline import Pipeline
from worker.judge.policy import load_policy
from worker.registry.view import RegistryView

SIDE = 64
SOURCES = ("real", "checks", "rows")
SIZES = CalibrationSizes(per_made_source=3, per_photograph=2, real_vectors=3)
FACTS: dict[str, object] = {"setup": "a test", "steps": 0, "betas": [0.0, 0.99]}
DEFAULT_DIGEST = "c9bb7220fef42009b0f39b28335c42bccc7ef5fe856b3222e3579d71348a0300"


def real_picture(number: int, side: int = 112) -> Picture:
    """A picture like a photo, (3, side, side)."""
    return from_pil(picture(side, side, seed=number))


def made_picture(generator: str, number: int, side: int = SIDE) -> Picture:
    """The same with a lattice over it, faint for "rows" and strong for "checks"."""
    plain = real_picture(number, side).astype(np.int64)
    y, x = np.indices((side, side))
    lattice = 40 * (-1) ** (x + y) if generator == "checks" else 12 * (-1) ** y
    pixels: Picture = np.clip(plain + lattice, 0, 255).astype(np.uint8)
    return pixels


def png(pixels: Picture) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels.transpose(1, 2, 0)).save(file, "PNG")
    return file.getvalue()


def source(name: str, first: int) -> Source:
    """Pictures of a name of SOURCES, numbered from `first` on."""
    if name == "real":
        return Source("real.photo", True, lambda number, _: real_picture(first + number))
    return Source(f"zoo.{name}", False, lambda number, _: made_picture(name, first + number))


def photographs(first: int, count: int) -> list[Photograph]:
    """Real photographs, two views of each: cuts at random places."""

    def of(number: int) -> Photograph:
        whole = real_picture(number, 128)
        return Photograph(number, 2, lambda rng: tile(whole, 112, 112, rng))

    return [of(first + number) for number in range(count)]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network in a file: untrained features, and a last layer that names the nearest mean."""
    torch.manual_seed(9)
    network = AttributionNetwork(SIDE, len(SOURCES)).requires_grad_(False)
    rng = np.random.default_rng(0)
    drawn = [
        [source(name, 400).draw(n, rng)[:, :SIDE, :SIDE] for n in range(4)] for name in SOURCES
    ]
    crops = torch.from_numpy(np.stack([picture for group in drawn for picture in group]))
    means = network.crop_features(crops)[0].reshape(len(SOURCES), 4, -1).mean(1)
    means -= means.mean(0)  # no difference to the order of the distances, and smaller logits
    network.last.weight.copy_(2 * means[:, :, None, None] / network.last.scale)
    path = tmp_path_factory.mktemp("weights") / "network.safetensors"
    export_attribution(path, network, SOURCES, FACTS)
    return path


@dataclass(frozen=True)
class Written:
    """A bundle as it was written: where, its digest, and what was said meanwhile."""

    folder: Path
    digest: str
    said: tuple[str, ...]


@pytest.fixture(scope="module")
def written(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The bundle; "rows" stands for a generator of the zoo."""
    folder = tmp_path_factory.mktemp("bundle")
    network, facts = load_attribution(weights)
    made = [source(name, 100) for name in SOURCES[1:]]
    golden = [made_picture(name, 90, 96) for name in SOURCES[1:]]
    zoo = [export.ZooGenerator("rows", "a family", folder / "not read")]
    material = Material(made, photographs(200, 4), photographs(300, 3), golden, zoo)
    drawn = [made_picture("rows", 700 + number) for number in range(11)]
    said: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "load_generator", lambda weights: weights)
        patch.setattr(export, "generate", lambda generator, count, seed: drawn)
        digest = bundle_from(network, facts, material, SIZES, folder, said.append)
    return Written(folder, digest, tuple(said))


@pytest.fixture(scope="module")
def bundle(written: Written) -> Bundle:
    return load_bundle(written.folder)


@pytest.fixture(scope="module")
def extractor(bundle: Bundle) -> TorchExtractor:
    return TorchExtractor(bundle, "cpu")


# The bundle -------------------------------------------------------------------------------------


def test_the_bundle_says_what_it_is(bundle: Bundle, written: Written) -> None:
    document = bundle.document
    assert bundle.digest == written.digest == bundle.background.space
    assert (document.architecture, document.crop_size) == ("attribution-network", SIDE)
    assert (document.dimension, document.sources) == (512, SOURCES)
    assert document.provenance == FACTS | {"betas": "[0.0, 0.99]"}
    assert bundle.background.within.shape == (len(CONDITIONS), 512, 512)
    assert set(bundle.calibration.reference) == set(reachable_bins(SIDE))
    text = (bundle.path / layout.DOCUMENT).read_text()
    assert "residual" not in text, "sizes of the other architecture are left out"


def test_the_network_comes_back_as_it_was_in_the_file(bundle: Bundle, weights: Path) -> None:
    network, _ = load_attribution(weights)
    assert isinstance(bundle.network, AttributionNetwork)
    assert not bundle.network.training
    for name, value in bundle.network.state_dict().items():
        assert torch.equal(value, network.state_dict()[name]), name


def test_every_covariance_has_an_inverse_though_there_were_fewer_pictures_than_numbers(
    bundle: Bundle,
) -> None:
    for covariances in (bundle.background.within, bundle.background.total):
        smallest = np.linalg.eigvalsh(covariances[0].astype(np.float64))[0]
        assert smallest > 0.05 * np.trace(covariances[0]) / 512


def test_a_condition_under_which_made_pictures_are_too_small_borrows_from_full_size(
    bundle: Bundle,
) -> None:
    background = bundle.background
    for condition in CONDITIONS[len(CONDITIONS) // 2 :]:
        at, full = background.index(condition.name), background.index(condition.codec)
        np.testing.assert_array_equal(background.within[at], background.within[full])
    assert not np.array_equal(background.within[0], background.within[1])


def test_this_machine_passes_the_self_test(extractor: TorchExtractor) -> None:
    extractor.self_test()
    assert (extractor.dimension, extractor.limits.reading) == (512, CropReading(SIDE, 4))


@pytest.mark.parametrize("tensor", ["vectors", "scores"])
def test_the_self_test_counts_in_deviations_of_this_bundle(tensor: str, bundle: Bundle) -> None:
    golden = {name: value.numpy() for name, value in load_file(bundle.path / layout.GOLDEN).items()}
    document = bundle.document
    spread = document.vector_spread if tensor == "vectors" else document.score_spread
    assert spread != 1.0
    for share, refused in ((0.1, False), (0.2, True)):
        seen = golden | {tensor: golden[tensor] + np.float32(share * spread)}
        if not refused:
            check_golden(bundle, seen["vectors"], seen["scores"])
            continue
        with pytest.raises(StopError, match=r"golden outputs differ by 0\.2"):
            check_golden(bundle, seen["vectors"], seen["scores"])


def test_an_images_fingerprint_is_the_mean_over_its_crops(extractor: TorchExtractor) -> None:
    images = [
        decode(png(real_picture(n, side)), extractor.limits) for n, side in ((1, 64), (2, 96))
    ]
    assert [len(image.crops) for image in images] == [1, 4]
    network = extractor._network
    for image, found in zip(images, extractor.extract(images), strict=True):
        assert isinstance(found, ImageFingerprint)
        (alone,) = network.crop_features(torch.from_numpy(image.crops))
        assert found.vector.shape == (512,)
        assert found.vector.dtype == np.float32
        assert found.crop_count == len(image.crops)
        expected = sum(alone) / len(alone)
        assert isinstance(expected, torch.Tensor)
        np.testing.assert_allclose(found.vector, expected, atol=0.03)
        score = float(network.score(expected[None])[0])
        assert found.synthesis_score == pytest.approx(score, abs=0.3)


# Refusals ---------------------------------------------------------------------------------------


def with_document(bundle: Bundle, folder: Path, **changes: object) -> Path:
    """The same files with another bundle.json; none of them may be written to."""
    for name in layout.DIGESTED:
        os.link(bundle.path / name, folder / name)
    document = json.loads((bundle.path / layout.DOCUMENT).read_text()) | changes
    (folder / layout.DOCUMENT).write_text(json.dumps(document))
    return folder


def test_an_unknown_architecture_is_refused_with_those_that_are_known(
    bundle: Bundle, tmp_path: Path
) -> None:
    with pytest.raises(StopError) as caught:
        load_bundle(with_document(bundle, tmp_path, architecture="resnet-50"))
    assert caught.value.exit_code == 2
    assert str(caught.value) == (
        "bundle.json names the architecture 'resnet-50', this version knows"
        " spectrum-cooccurrence-residual, attribution-network; export the bundle again or install"
        " the version that wrote it"
    )


def test_weights_that_do_not_fit_are_refused(bundle: Bundle, tmp_path: Path) -> None:
    changed = with_document(bundle, tmp_path, sources=[*SOURCES, "another"])
    with pytest.raises(StopError, match=r"size mismatch for last\.weight") as caught:
        load_bundle(changed)
    assert caught.value.exit_code == 2
    assert str(caught.value).startswith(
        f"bundle {tmp_path} does not fit architecture 'attribution-network': "
    )


def test_weights_without_a_tensor_or_of_another_side_are_refused(bundle: Bundle) -> None:
    tensors = load_file(bundle.path / layout.WEIGHTS)
    larger = bundle.document.model_copy(update={"crop_size": 128})
    with pytest.raises(RuntimeError, match=r"size mismatch|Missing key"):
        build_network(larger, tensors)
    del tensors["last.weight"]
    with pytest.raises(RuntimeError, match="Missing key"):
        build_network(bundle.document, tensors)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"sources": ()}, "sources are [], expected real and a generator"),
        ({"crop_size": 96}, "side 96 is none of 4, 8, 16, 32, 64, 128 pixels"),
        ({"dimension": 96}, "dimension is 96, expected 512"),
        ({"architecture": "spectrum-cooccurrence-residual"}, "residual_width is 0 and"),
    ],
)
def test_sizes_that_the_network_cannot_have_are_refused(
    changes: dict[str, object], reason: str, bundle: Bundle
) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        build_network(bundle.document.model_copy(update=changes))


def test_a_bundle_without_a_bin_that_images_fall_into_is_refused(
    bundle: Bundle, tmp_path: Path
) -> None:
    bins = [name for name in reachable_bins(SIDE) if name != "webp_small"]
    with pytest.raises(StopError, match=r"lacks the calibration bins \['webp_small'\]"):
        load_bundle(with_document(bundle, tmp_path, calibration_bins=bins))


@pytest.mark.parametrize(
    ("crop_size", "sizes"),
    [
        (32, ["tiny", "small", "large"]),
        (62, ["tiny", "small", "large"]),
        (64, ["small", "large"]),
        (128, ["large"]),
    ],
)
def test_bins_of_images_too_small_for_the_crops_are_not_needed(
    crop_size: int, sizes: list[str]
) -> None:
    found = [name.removeprefix("webp_") for name in reachable_bins(crop_size) if "webp" in name]
    assert found == sizes


# The default bundle -----------------------------------------------------------------------------


def test_the_default_bundle_is_what_it_was() -> None:
    raw = (default_bundle_path() / layout.DOCUMENT).read_bytes()
    assert hashlib.sha256(raw).hexdigest() == DEFAULT_DIGEST
    document = BundleDocument.model_validate(json.loads(raw))
    again = document.model_dump(mode="json", exclude_defaults=True)
    assert json.dumps(again, indent=1, sort_keys=True).encode() + b"\n" == raw


def test_an_attribution_network_does_not_replace_the_default_bundle(weights: Path) -> None:
    manifest = Manifest.__new__(Manifest)  # must not be looked at
    with pytest.raises(StopError, match="is the bundle that comes with the package") as caught:
        write_attribution_bundle(weights, default_bundle_path(), manifest, lambda text: None)
    assert caught.value.exit_code == 2


# To verdicts ------------------------------------------------------------------------------------


def test_a_generator_is_enrolled_and_its_images_are_given_to_its_family(
    bundle: Bundle, extractor: TorchExtractor, tmp_path: Path
) -> None:
    """Through decode, extract, attribute and decide, as `latentprint scan` goes.

    Three photos a bin allow no lower level than a quarter, so the policy here has a higher one.
    """
    samples = fingerprint_samples(
        [png(made_picture("checks", 500 + number)) for number in range(12)],
        lambda data: decode(data, extractor.limits),
        extractor,
        bundle.calibration,
    )
    assert set(samples.vectors) == {c.name for c in CONDITIONS if c.scale == "full"}
    # Of so few pictures in 512 numbers, the spread within a generator is far underestimated.
    background = replace(bundle.background, within=10 * bundle.background.within)
    wide = replace(bundle, background=background)
    policy = load_policy().model_copy(update={"alpha": 0.3})
    received = Samples(
        {"as_received": samples.vectors["as_received"]},
        {"as_received": samples.p_values["as_received"]},
    )
    enrolment = enrol(received, registration("checks"), background, (), alpha=policy.alpha)
    assert enrolment.model is not None, enrolment.report.refusals
    registry = MemoryRegistry()
    registry.register(enrolment.model, by="ada", reason="a test")
    (tmp_path / "a.png").write_bytes(png(made_picture("checks", 600)))
    (tmp_path / "c.png").write_bytes(png(real_picture(602, 40)))
    pipeline = Pipeline(extractor, wide, policy, lambda: datetime.now(UTC))
    view = RegistryView(registry.snapshot(bundle.digest), 0.0)
    found = list(scan([tmp_path], lambda d: decode(d, extractor.limits), pipeline, view, 4))
    assert [(d["record"], d["subject"], d["outcome"]) for d in found] == [
        ("verdict", "a.png", "unknown_generator"),  # provisional: of 12 samples
        ("verdict", "c.png", "undetermined"),  # smaller than 48 pixels
    ]
    assert (found[0]["family"], found[0]["reasons"]) == ("family of checks", ["provisional_model"])


def test_a_generator_that_the_gate_refuses_is_left_out_of_the_export_and_said(
    bundle: Bundle, written: Written
) -> None:
    """At the level of the true policy, three photos a bin let nothing be found synthetic."""
    assert written.said[-1].startswith("rows: left out, the gate refused it: ")
    assert "inseparable from real photos" in written.said[-1]
    registry = MemoryRegistry()
    import_(registry, (bundle.path / layout.ZOO_EXPORT).read_bytes(), by="ada", reason="a test")
    assert registry.snapshot(bundle.digest).models == ()


def test_generators_of_the_zoo_are_found_by_the_names_of_the_sources() -> None:
    found = zoo_generators(
        ("real", "sngan", "nobody", "progan_scenes", "sngan_seed3", "mmdgan_128")
    )
    assert [(one.name, one.family) for one in found] == [
        ("sngan", "SNGAN"),
        ("progan_scenes", "ProGAN"),
        ("sngan_seed3", "SNGAN"),
        ("mmdgan_128", "MMDGAN"),
    ]
    assert all(one.weights.suffix == ".safetensors" for one in found)
