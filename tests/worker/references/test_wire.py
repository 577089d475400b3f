"""A fetch process is believed no further than the form of what it says."""

from typing import Any

import pytest

from worker.decoder.wire import WireError
from worker.errors import RejectError
from worker.references import wire
from worker.references.outages import UnavailableError


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"size": -1},
        {"size": 11},
        {"size": True},
        {"size": "10"},
        {"code": "fetch.unavailable", "message": "x"},
        {"code": "schema", "message": "x"},
        {"code": "fetch.refused"},
        {"code": ["fetch.refused"], "message": "x"},
        {"unavailable": 7},
    ],
)
def test_nonsense_is_no_reply(header: dict[str, Any]) -> None:
    with pytest.raises(WireError):
        wire.body_size(header, 10, "s3://uploads")


def test_a_reply_says_how_many_bytes_follow_or_why_there_are_none() -> None:
    assert wire.body_size({"size": 10}, 10, "s3://uploads") == 10
    with pytest.raises(RejectError, match="so it is"):
        wire.body_size({"code": "fetch.refused", "message": "so it is"}, 10, "s3://uploads")
    with pytest.raises(UnavailableError, match="later") as caught:
        wire.body_size({"unavailable": "later"}, 10, "s3://uploads")
    assert caught.value.store == "s3://uploads"


def test_a_first_message_is_a_posture_or_nonsense() -> None:
    assert wire.posture_of({"ready": {"files": True}}) == {"files": True}
    nonsense: dict[str, Any]
    for nonsense in ({}, {"ready": []}, {"ready": {"files": 1}}):
        with pytest.raises(WireError):
            wire.posture_of(nonsense)
