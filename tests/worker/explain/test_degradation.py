"""How a picture arrived."""

import io

import numpy as np
from PIL import Image

from tests.worker.decoder.image_samples import encoded, picture
from tests.worker.extractor.tiny_bundle import LIMITS, real_jpeg, real_png
from worker.decoder.decode import decode
from worker.explain.degradation import degradation, in_words, size_in_words


def test_a_jpeg_tells_its_quality_and_chroma() -> None:
    found = degradation(decode(real_jpeg(1, 75, 128), LIMITS))
    assert (found.codec, found.table_quality, found.sampling) == ("jpeg75", 75, "4:2:0")
    assert found.table_distance == 0.0
    words = dict(in_words(found))
    assert words["JPEG quality"] == "about 75"
    assert words["pixels read"] == "16,384 in 1 region, 100% of the picture"
    assert words["size class"] == "96 to 191 pixels a side"


def test_a_jpeg_in_a_png_tells_its_quality_and_its_grid() -> None:
    rng = np.random.default_rng(5)
    rough = picture(264, 264, seed=5)
    grainy = np.asarray(rough, float) + rng.normal(0, 12, (264, 264, 3))
    source = Image.fromarray(grainy.clip(0, 255).astype(np.uint8))
    jpeg = Image.open(io.BytesIO(encoded(source, "JPEG", quality=70)))
    cut = jpeg.crop((3, 5, 259, 261))
    found = degradation(decode(encoded(cut, "PNG"), LIMITS))
    assert found.earlier is not None
    assert abs(found.earlier.quality - 70) <= 3
    assert found.codec == "jpeg75"
    assert dict(in_words(found))["earlier JPEG"].endswith("its grid 3 down, 5 across")


def test_what_is_not_known_is_not_said() -> None:
    words = dict(in_words(degradation(decode(real_png(2), LIMITS))))
    assert "JPEG quality" not in words
    assert words["earlier JPEG"] == "none is sure"
    flat = dict(in_words(degradation(decode(encoded(Image.new("RGB", (64, 64)), "PNG"), LIMITS))))
    assert flat["pixels read"].startswith("0 in 0 regions")
    assert "size class" not in flat


def test_sizes_are_told_in_words() -> None:
    assert size_in_words("under_96") == "under 96 pixels a side"
    assert size_in_words("384_up") == "384 pixels a side and more"
