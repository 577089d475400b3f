"""The parent believes nothing of regions and JPEG tables that could not be true."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tests.worker.decoder.children import same
from tests.worker.decoder.image_samples import encoded, picture
from tests.worker.decoder.test_wire import reply_parts
from worker.decoder import wire
from worker.decoder.crops import CropReading
from worker.decoder.decode import DecodedImage, DecodeLimits, decode
from worker.decoder.regions import RegionReading
from worker.decoder.wire import WireError
from worker.errors import RejectError

LIMITS = DecodeLimits(RegionReading(1 << 15, 1 << 17))
DATA = encoded(picture(170, 300), "JPEG", quality=88)
IMAGE = decode(DATA, LIMITS)
HEADER, BODY = reply_parts(wire.image_reply(IMAGE))
PIXELS = HEADER["region_pixels"]


def changed(body: bytes = BODY, **fields: Any) -> DecodedImage:
    return wire.parse_image({**HEADER, **fields}, bytearray(body), DATA, LIMITS)


def moved(index: int, *place: int) -> bytes:
    """The body with another (y, x, height, width) for one region."""
    forged = bytearray(BODY)
    at = 3 * PIXELS + 16 * index
    forged[at : at + 16] = np.asarray(place, dtype="<i4").tobytes()
    return bytes(forged)


def test_regions_of_unequal_size_come_through_unchanged() -> None:
    assert len({region.shape for region in IMAGE.regions}) > 1
    again = changed()
    assert same(again, IMAGE)
    assert all(region.flags.c_contiguous and region.flags.writeable for region in again.regions)
    assert again.crops.shape == (0, 3, 32, 32)


@pytest.mark.parametrize("data", [encoded(picture(9, 90), "PNG"), encoded(picture(64, 64), "PNG")])
def test_an_image_with_no_region_or_one_comes_through(data: bytes) -> None:
    image = decode(data, LIMITS)
    header, body = reply_parts(wire.image_reply(image))
    assert same(wire.parse_image(header, bytearray(body), data, LIMITS), image)


@pytest.mark.parametrize(
    "fields",
    [
        {"regions": 0},
        {"regions": HEADER["regions"] - 1},
        {"regions": HEADER["regions"] + 1},
        {"regions": 10**9},
        {"regions": True},
        {"regions": None},
        {"region_pixels": PIXELS + 1},
        {"region_pixels": -1},
        {"region_pixels": 10**12},
        {"region_pixels": float(PIXELS)},
        {"plain_tiles": -1},
        {"plain_tiles": 10**6},
        {"plain_tiles": None},
        {"problem": "too_small"},
        {"width": 100},
        {"jpeg": None},
        {"jpeg": []},
        {"jpeg": {**HEADER["jpeg"], "sampling": "9:9:9"}},
        {"jpeg": {**HEADER["jpeg"], "luma": [1] * 63}},
        {"jpeg": {**HEADER["jpeg"], "luma": [65_536] * 64}},
        {"jpeg": {**HEADER["jpeg"], "luma": [1.5] * 64}},
        {"jpeg": {**HEADER["jpeg"], "luma": None}},
        {"jpeg": {**HEADER["jpeg"], "chroma": "7" * 64}},
        {"format": "png", "jpeg_quality": None},
    ],
)
def test_a_field_that_cannot_be_true_is_an_error(fields: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        changed(**fields)


@pytest.mark.parametrize(
    "place",
    [
        (-16, 0, 128, 128),
        (8, 0, 128, 128),
        (160, 0, 128, 128),
        (0, 288, 128, 128),
        (0, 0, 128, 127),
        (0, 0, 512, 32),
        (0, 0, 31, 128),
        (0, 0, -128, -128),
        (0, 0, 2**31 - 1, 2**31 - 1),
    ],
)
def test_a_region_off_the_grid_outside_or_of_another_size_is_an_error(
    place: tuple[int, int, int, int],
) -> None:
    with pytest.raises(WireError):
        changed(moved(0, *place))


def test_what_may_come_is_bounded_before_anything_is_allocated() -> None:
    reading = RegionReading()
    limits = DecodeLimits(reading)
    most = {"regions": reading.most_regions, "region_pixels": reading.most_first_pixels}
    assert wire.body_size(most, limits) < 850_000
    for field in most:
        with pytest.raises(WireError):
            wire.body_size({**most, field: most[field] + 1}, limits)
    with pytest.raises(WireError):
        wire.body_size({"crops": 16}, limits)
    with pytest.raises(WireError):
        wire.body_size(most, DecodeLimits())


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 420),
    width=st.integers(1, 420),
    hidden=st.lists(st.tuples(st.integers(0, 420), st.integers(0, 420)), max_size=4),
    plain=st.integers(0, 420),
)
def test_whatever_an_honest_child_says_is_believed(
    height: int, width: int, hidden: list[tuple[int, int]], plain: int
) -> None:
    rgba = np.asarray(picture(height, width).convert("RGBA")).copy()
    rgba[:plain] = 255
    for y, x in hidden:
        rgba[y : y + 40, x : x + 90, 3] = 0
    data = encoded(Image.fromarray(rgba), "PNG", compress_level=1)
    image = decode(data, LIMITS)
    header, body = reply_parts(wire.image_reply(image))
    assert same(wire.parse_image(header, bytearray(body), data, LIMITS), image)
    assert (image.problem in ("too_small", "flat_or_saturated", "transparent")) == (
        not image.regions
    )


@pytest.mark.parametrize("reading", [CropReading(64, 3), RegionReading(1 << 17, 1 << 20)])
def test_limits_reach_the_child_as_they_are(reading: CropReading | RegionReading) -> None:
    limits = DecodeLimits(reading, max_pixels=12_345, cpu_s=1.5)
    assert wire.limits_from(json.loads(json.dumps(wire.limits_to(limits)))) == limits


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        name: st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.none())
        for name in (*HEADER, "crops")
    },
)


@given(FIELDS, st.lists(st.integers(-(2**31), 2**31 - 1), min_size=4, max_size=4))
def test_random_fields_and_places_never_raise_anything_else(
    fields: dict[str, Any], place: list[int]
) -> None:
    try:
        image = changed(moved(1, *place), **fields)
    except (WireError, RejectError):
        return
    assert sum(region[0].size for region in image.regions) == PIXELS
