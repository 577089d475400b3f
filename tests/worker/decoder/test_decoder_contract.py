"""One contract for the real decoder pool and for the fake that the tests of the threads use."""

import errno
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.waiting import wait_for
from tests.worker.decoder.fake_decoder import BROKEN, FakeDecoder
from tests.worker.decoder.image_samples import encoded, picture
from worker.decoder import pool as decoder_pool
from worker.decoder.decode import DecodeLimits
from worker.decoder.pool import DecoderPool
from worker.errors import RejectError, RetryError

PNG = encoded(picture(64, 64), "PNG")


@dataclass
class Candidate:
    """A decoder, and how to take the machine's processes from it and give them back."""

    decoder: DecoderPool | FakeDecoder
    starve: Callable[[], None]
    feed: Callable[[], None]


@pytest.fixture(params=["pool", "fake"])
def candidate(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Candidate]:
    if request.param == "fake":
        fake = FakeDecoder()
        yield Candidate(
            fake, lambda: setattr(fake, "starved", True), lambda: setattr(fake, "starved", False)
        )
        return
    monkeypatch.setattr(decoder_pool, "_START_PAUSES_S", (0.01,))

    def refuse(*_: Any, **__: Any) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    def starve() -> None:
        monkeypatch.setattr(subprocess, "Popen", refuse)
        for decoder in pool._all:
            decoder.kill()
        wait_for(lambda: not pool.pids(), "the children to end with their templates")

    with DecoderPool(DecodeLimits(), 2) as pool:
        popen = subprocess.Popen
        yield Candidate(pool, starve, lambda: monkeypatch.setattr(subprocess, "Popen", popen))


def test_an_image_is_decoded_and_a_file_that_is_none_is_refused(candidate: Candidate) -> None:
    assert candidate.decoder.decode(PNG, "/a sender").facts.format == "png"
    with pytest.raises(RejectError) as caught:
        candidate.decoder.decode(BROKEN)
    assert caught.value.code == "decode.unsupported"
    assert candidate.decoder.decode(PNG).facts.byte_size == len(PNG)


def test_a_machine_that_starts_no_process_is_to_be_retried_and_recovers(
    candidate: Candidate,
) -> None:
    """Never a stall, never a reject, never the end of the worker: those who call decide."""
    candidate.starve()
    for _ in range(3):
        with pytest.raises(RetryError, match="no decoder child can be started"):
            candidate.decoder.decode(PNG)
    candidate.feed()

    def decoded() -> bool:
        try:
            return candidate.decoder.decode(PNG).facts.format == "png"
        except RetryError:
            return False

    wait_for(decoded, "the decoder to recover")
    assert candidate.decoder.decode(PNG).problem is None


def test_a_closed_decoder_blames_no_image(candidate: Candidate) -> None:
    candidate.decoder.close()
    with pytest.raises(RetryError, match="closed"):
        candidate.decoder.decode(PNG)
