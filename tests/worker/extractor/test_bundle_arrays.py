"""The arrays of a bundle: in 8 bits what is large, and back as it was kept."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fingerprint_db.background import Background
from fingerprint_db.conditions import CODECS
from tests.worker.extractor.tiny_bundle import CONSTANTS, DIMENSION, TinyBundle, tiny_parts
from worker.decoder.regions import RegionReading
from worker.extractor.bundle import golden_arrays, load_bundle, save_bundle
from worker.extractor.bundle_arrays import (
    COARSE,
    RowsKept,
    background_arrays,
    from_int8,
    from_levels,
    kept,
    map_arrays,
    read_background,
    read_maps,
    to_int8,
    to_levels,
)

SPACE = "d" * 64


def some_numbers() -> NDArray[np.float32]:
    """(50, 4), columns of very different sizes, one of them 0."""
    rng = np.random.default_rng(1)
    numbers: NDArray[np.float64] = rng.normal(size=(50, 4)) * np.array([1e-3, 1.0, 0.0, 400.0])
    return numbers.astype(np.float32)


def test_a_column_in_8_bits_is_off_by_half_a_step_of_its_own_at_most() -> None:
    numbers = some_numbers()
    small, scale = to_int8(numbers)
    assert scale.shape == (4,)
    assert small.dtype == np.int8
    assert scale.dtype == np.float32
    assert np.abs(small.astype(int)).max(0).tolist() == [127, 127, 0, 127]
    back = from_int8(small, scale)
    for column in range(4):
        step = np.abs(numbers[:, column]).max() / 127
        off = np.abs(back[:, column] - numbers[:, column]).max()
        assert off <= 0.5001 * step


def test_what_was_kept_is_kept_again_as_it_is() -> None:
    once = kept(some_numbers())
    assert np.array_equal(to_int8(once)[0], to_int8(some_numbers())[0])
    np.testing.assert_allclose(kept(once), once, rtol=1e-6)
    assert kept(np.empty((0, 3), np.float32)).shape == (0, 3)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_not_kept(value: float) -> None:
    numbers = some_numbers()
    numbers[3, 1] = value
    with pytest.raises(ValueError, match="NaN or infinity cannot be kept in 8 bits"):
        to_int8(numbers)


def test_numbers_without_their_own_scales_are_refused() -> None:
    small, scale = to_int8(some_numbers())
    with pytest.raises(ValueError, match="expected int8 and a scale for each column"):
        from_int8(small, scale[:3])


def test_maps_and_background_come_back(tiny_bundle: TinyBundle) -> None:
    maps, background = tiny_parts()
    document = load_bundle(tiny_bundle.path).document
    again = read_maps(map_arrays(maps), document)
    for codec in CODECS:
        for name in ("mean", "scale", "basis", "projection", "offset"):
            given, found = getattr(maps[codec], name), getattr(again[codec], name)
            np.testing.assert_allclose(found, given, rtol=1e-6, err_msg=f"{codec} {name}")
        assert (again[codec].blocks, again[codec].clip) == (maps[codec].blocks, maps[codec].clip)
    assert again["jpeg95"].basis is again["webp80"].basis, "one for all of a group"
    known = read_background(background_arrays(background.codecs), document, "d" * 64)
    assert (known.space, known.constants) == ("d" * 64, CONSTANTS)
    for codec in CODECS:
        given_space, space = background.codecs[codec], known.codecs[codec]
        for name in ("real_variance", "generators", "synthesis"):
            assert np.array_equal(getattr(space, name), getattr(given_space, name)), name
        np.testing.assert_allclose(space.cohort.vectors, given_space.cohort.vectors, rtol=1e-6)
        np.testing.assert_allclose(space.cohort.kinds, given_space.cohort.kinds, rtol=1e-5)
        for name in ("photographs", "sources", "size_classes", "normalises", "weights"):
            found = getattr(space.cohort, name)
            assert found.dtype == getattr(given_space.cohort, name).dtype
            assert np.array_equal(found, getattr(given_space.cohort, name)), name


def test_eleven_levels_are_two_to_a_byte_and_come_back() -> None:
    numbers = np.random.default_rng(7).integers(-127, 128, (20, 6)).astype(np.int8)
    again = from_levels(to_levels(numbers))
    assert to_levels(numbers).shape == (20, 3)
    assert again.dtype == np.int8
    assert np.abs(again.astype(int) - numbers).max() <= COARSE // 2
    assert np.array_equal(from_levels(to_levels(again)), again)
    assert from_levels(to_levels(numbers[:0])).shape == (0, 6)
    with pytest.raises(ValueError, match="a byte of 121 holds no two of eleven levels"):
        from_levels(np.array([[121]], np.uint8))


def test_rows_may_be_kept_in_eleven_levels_by_scales_that_are_given(
    tiny_bundle: TinyBundle,
) -> None:
    """The first as 8 bits keep them, the others near them."""
    _, background = tiny_parts()
    document = load_bundle(tiny_bundle.path).document
    scales = {c: to_int8(one.cohort.vectors)[1] * 2 for c, one in background.codecs.items()}
    arrays = background_arrays(background.codecs, RowsKept(scales, dict.fromkeys(CODECS, 30)))
    assert arrays["jpeg75.vectors"].shape == (30, DIMENSION)
    known = read_background(arrays, document, "d" * 64)
    for codec, space in background.codecs.items():
        given, found = space.cohort.vectors, known.codecs[codec].cohort.vectors
        off = np.abs(found - given) / scales[codec]
        assert off[:30].max() <= 0.501
        assert 0.501 < off[30:].max() <= COARSE / 2 + 0.01


def test_generators_that_weigh_nothing_may_be_left_out(
    tiny_bundle: TinyBundle, tmp_path: Path
) -> None:
    """Whether the file lacks them or holds none."""
    maps, given = tiny_parts()
    weightless = replace(CONSTANTS, impostor_weight=0.0)
    none = {
        codec: replace(space, generators=space.generators[:0])
        for codec, space in given.codecs.items()
    }
    (pictures, _) = golden_arrays(load_bundle(tiny_bundle.path))
    background = Background(SPACE, none, weightless)
    save_bundle(tmp_path, maps, background, list(pictures), RegionReading(), {})
    bundle = load_bundle(tmp_path)
    arrays = background_arrays(none)
    assert not [name for name in arrays if name.endswith(".generators")]
    empty = {f"{codec}.generators": np.empty((0, DIMENSION), np.float16) for codec in CODECS}
    for known in (
        bundle.background,
        read_background({**arrays, **empty}, bundle.document, SPACE),
    ):
        shapes = {space.generators.shape for space in known.codecs.values()}
        assert shapes == {(0, DIMENSION)}
    document = load_bundle(tiny_bundle.path).document
    with pytest.raises(ValueError, match=r"impostor_weight of 0\.25 comes with no generators"):
        read_background(arrays, document, SPACE)


def test_a_codec_that_is_missing_is_missed() -> None:
    maps, background = tiny_parts()
    fewer = dict(maps)
    del fewer["webp80"]
    with pytest.raises(ValueError, match=r"expected one for each of lossless, .*jpeg95, .*webp80"):
        map_arrays(fewer)
    spaces = dict(background.codecs)
    del spaces["jpeg60"]
    with pytest.raises(ValueError, match="expected one for each of lossless"):
        background_arrays(spaces)


def test_codecs_of_a_group_share_blocks_and_basis() -> None:
    maps, _ = tiny_parts()
    other = replace(maps["jpeg75"], basis=maps["jpeg75"].basis * 1.5)
    with pytest.raises(ValueError, match="the maps of lossy files have different blocks or bases"):
        map_arrays(maps | {"jpeg75": other})
