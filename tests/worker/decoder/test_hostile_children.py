"""What a child that was taken over can do: spoil the answer to its image, and little more."""

import sys

import numpy as np
import pytest

from tests.worker.decoder.children import answering, patched, same
from tests.worker.decoder.image_samples import encoded, picture, white_png
from worker.decoder import process as decoder_process
from worker.decoder.decode import DecodeLimits, decode
from worker.decoder.pool import DecoderPool
from worker.errors import RejectError

LIMITS = DecodeLimits()
JPEG = encoded(picture(218, 178), "JPEG", quality=90)


def test_a_child_that_was_taken_over_answers_for_no_other_sender(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It answers everything with the crops of the first image that it saw."""
    patched(monkeypatch, answering("seen.append(honest(data, limits)); return seen[0]"))
    other = encoded(picture(64, 64, seed=7), "PNG")
    first = encoded(picture(64, 64, seed=8), "PNG")
    with DecoderPool(LIMITS, 1, images_per_child=2) as pool:
        assert same(pool.decode(first, "/mallory"), decode(first, LIMITS))
        lie = pool.decode(other, "/mallory")
        assert np.array_equal(lie.crops, decode(first, LIMITS).crops), "the attack works at all"
        assert same(pool.decode(other, "/mallory"), decode(other, LIMITS)), "but for its share only"
        assert same(pool.decode(first, "/alice"), decode(first, LIMITS))
        assert same(pool.decode(other, "/bob"), decode(other, LIMITS))


def test_an_answer_that_was_prepared_for_the_next_image_is_never_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    prepared = "os.writev(1, child.image_reply(honest(data, limits)))"
    patched(monkeypatch, answering(f"{prepared}; return honest(data, limits)"))
    first, other = (encoded(picture(64, 64, seed=seed), "PNG") for seed in (7, 8))
    with DecoderPool(LIMITS, 1, images_per_child=1) as pool:
        assert same(pool.decode(first), decode(first, LIMITS))
        assert same(pool.decode(other), decode(other, LIMITS))


@pytest.mark.skipif(sys.platform != "linux", reason="the filter is Linux's")
def test_a_call_that_only_an_intruder_makes_ends_its_child_and_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    patched(monkeypatch, answering("ctypes.CDLL(None).fork()"))
    refused = pytest.raises(RejectError, match="system call that no decoder makes")
    with DecoderPool(LIMITS, 1) as pool, refused:
        pool.decode(JPEG)
    assert "system call that no decoder makes" in caplog.text


@pytest.mark.parametrize(
    "answer",
    [
        "b'\\xff' * 100",
        "(2).to_bytes(4, 'big') + b'[]'",
        "(2).to_bytes(4, 'big') + b'{}'",
    ],
)
def test_a_child_that_answers_nonsense_is_replaced(
    monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    honest = decoder_process._BOOTSTRAP
    patched(
        monkeypatch,
        f"import os\nchild.serve = lambda limits: os.read(0, 8) and os.write(1, {answer}) * 0",
    )
    with DecoderPool(LIMITS, 1) as pool:
        monkeypatch.setattr(decoder_process, "_BOOTSTRAP", honest)
        with pytest.raises(RejectError) as caught:
            pool.decode(JPEG)
        assert caught.value.code == "sandbox_kill"
        assert same(pool.decode(JPEG), decode(JPEG, LIMITS))


def test_an_image_that_outgrows_the_memory_limit_is_contained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The header's own estimate is switched off, so that only the kernel's limit is left."""
    patched(
        monkeypatch,
        "from worker.decoder import decode; from dataclasses import replace\n"
        "check = decode.check_header\n"
        "decode.check_header = lambda data, limits: check(data, "
        "replace(limits, memory_bytes=1 << 40))",
    )
    limits = DecodeLimits(memory_bytes=32 * 1024 * 1024)
    with DecoderPool(limits, 1) as pool:
        with pytest.raises(RejectError) as caught:
            pool.decode(white_png(9000, 9000))  # 324 MB of pixels
        assert caught.value.code == "sandbox_kill"
        assert str(caught.value) == "the decoder child needed more than 33554432 bytes"
        assert same(pool.decode(JPEG), decode(JPEG, limits))
