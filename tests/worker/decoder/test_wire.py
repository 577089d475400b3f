"""The parent believes nothing that a decoder child could not truly say."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.worker.decoder.image_samples import encoded, picture
from worker.decoder import wire
from worker.decoder.crops import CropReading
from worker.decoder.decode import DecodedImage, DecodeLimits, decode
from worker.decoder.wire import WireError
from worker.errors import RejectError

LIMITS = DecodeLimits(CropReading(max_crops=4))
DATA = encoded(picture(70, 90), "JPEG", quality=88)
IMAGE = decode(DATA, LIMITS)


def reply_parts(parts: Sequence[bytes | memoryview]) -> tuple[dict[str, Any], bytes]:
    reply = b"".join(parts)
    size = wire.header_size(reply[:4])
    return wire.parse_header(reply[4 : 4 + size]), reply[4 + size :]


def changed(**fields: Any) -> DecodedImage:
    header, body = reply_parts(wire.image_reply(IMAGE))
    return wire.parse_image({**header, **fields}, body, DATA, LIMITS)


def test_an_image_comes_through_unchanged() -> None:
    again = changed()
    assert again.facts == IMAGE.facts
    assert again.problem == IMAGE.problem
    np.testing.assert_array_equal(again.crops, IMAGE.crops)
    np.testing.assert_array_equal(again.origins, IMAGE.origins)
    assert (again.crops.dtype.name, again.origins.dtype.name) == ("uint8", "int32")


def test_a_refusal_comes_through_with_its_code() -> None:
    refusal = RejectError("decode.corrupt", "bad\x1b[2J\nline", stage="decode")
    header, _ = reply_parts(wire.reject_reply(refusal))
    with pytest.raises(RejectError) as caught:
        wire.raise_if_rejected(header)
    assert caught.value.code == "decode.corrupt"
    assert str(caught.value) == "bad?[2J?line"  # a log line cannot be forged


@pytest.mark.parametrize(
    "fields",
    [
        {"crops": 3},
        {"crops": -1},
        {"crops": 5},
        {"crops": 4.0},
        {"crops": True},
        {"format": "gif"},
        {"format": None},
        {"format": "png"},
        {"width": 0},
        {"width": 10**9},
        {"width": "90"},
        {"height": 20},
        {"jpeg_quality": 0},
        {"jpeg_quality": None},
        {"lossy": 1},
        {"greyscale": None},
        {"pixels_sha256": None},
        {"pixels_sha256": "0" * 63},
        {"pixels_sha256": "G" * 64},
        {"problem": "fine"},
        {"problem": "too_small"},
        {"problem": "transparent"},
    ],
)
def test_a_field_that_cannot_be_true_is_an_error(fields: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        changed(**fields)


def test_an_origin_off_the_grid_or_outside_is_an_error() -> None:
    header, body = reply_parts(wire.image_reply(IMAGE))
    for value in (-8, 4, 64, 2**31 - 8):
        forged = bytearray(body)
        forged[-8:-4] = value.to_bytes(4, "little", signed=True)
        with pytest.raises(WireError):
            wire.parse_image(header, forged, DATA, LIMITS)


@pytest.mark.parametrize(
    "header",
    [
        {"reject": "schema", "message": ""},
        {"reject": ["decode.corrupt"], "message": ""},
        {"reject": "decode.corrupt"},
        {"reject": "sandbox_kill", "message": "x"},
    ],
)
def test_a_refusal_the_child_may_not_give_is_an_error(header: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        wire.raise_if_rejected(header)


@pytest.mark.parametrize("size", [0, 1, 4097, 2**32 - 1])
def test_a_header_of_a_wild_size_is_an_error(size: int) -> None:
    with pytest.raises(WireError):
        wire.header_size(size.to_bytes(4, "big"))


@given(st.binary(max_size=200) | st.builds(lambda depth: b"[" * depth, st.integers(0, 4096)))
def test_random_header_bytes_never_raise_anything_else(text: bytes) -> None:
    try:
        header = wire.parse_header(text)
        wire.raise_if_rejected(header)
        wire.body_size(header, LIMITS)
    except (WireError, RejectError):
        return
    assert isinstance(header, dict)


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        name: st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.none())
        for name in (*reply_parts(wire.image_reply(IMAGE))[0], "reject", "message")
    },
)


@given(FIELDS)
def test_random_fields_never_raise_anything_else(fields: dict[str, Any]) -> None:
    header, body = reply_parts(wire.image_reply(IMAGE))
    forged = json.loads(json.dumps({**header, **fields}))
    try:
        wire.raise_if_rejected(forged)
        image = wire.parse_image(forged, body, DATA, LIMITS)
    except (WireError, RejectError):
        return
    assert image.facts.sha256 == IMAGE.facts.sha256
    assert image.crops.shape == (4, 3, 32, 32)
