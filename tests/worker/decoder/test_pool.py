"""DecoderPool: a child that dies fails its own image only, and can do nothing but decode."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tests.waiting import wait_for
from tests.worker.decoder.image_samples import encoded, picture, white_png
from worker.decoder import pool as decoder_pool
from worker.decoder.decode import DecodedImage, DecodeLimits, decode
from worker.decoder.pool import DecoderPool
from worker.errors import RejectError, RetryError, StopError

LIMITS = DecodeLimits()
JPEG = encoded(picture(218, 178), "JPEG", quality=90)


@pytest.fixture
def pair() -> Iterator[DecoderPool]:
    with DecoderPool(LIMITS, 2) as pool:
        yield pool


@pytest.fixture
def single() -> Iterator[DecoderPool]:
    with DecoderPool(LIMITS, 1) as pool:
        yield pool


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as executor:
        yield executor


def same(left: DecodedImage, right: DecodedImage) -> bool:
    return (
        left.facts == right.facts
        and left.problem == right.problem
        and np.array_equal(left.crops, right.crops)
        and np.array_equal(left.origins, right.origins)
    )


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").exists()


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: is_stopped(pid), f"process {pid} to stop")


def at_work(pool: DecoderPool, *pids: int) -> bool:
    """True once each of these children has been given an image; its death is that image's fault."""
    return {child.process.pid for child in pool._all if child.images} >= set(pids)


def test_the_pool_gives_what_decode_gives(pair: DecoderPool) -> None:
    files = [
        JPEG,
        encoded(picture(64, 64), "PNG"),
        encoded(picture(64, 64, mode="CMYK"), "JPEG"),
        encoded(picture(28, 90, mode="P"), "PNG"),
        encoded(picture(600, 600, mode="RGBA"), "WEBP"),
        encoded(picture(10, 10), "PNG"),
        encoded(picture(64, 64, mode="L"), "PNG"),
    ]
    for data in files:
        assert same(pair.decode(data), decode(data, LIMITS))


def test_refusals_come_through_and_spoil_no_child(pair: DecoderPool) -> None:
    before = pair.pids()
    for data, code in (
        (b"GIF89a", "decode.unsupported"),
        (JPEG[:3000], "decode.truncated"),
        (white_png(13_000, 13_000), "decode.dimensions"),
        (bytes(LIMITS.max_image_bytes + 1), "too_large"),
        (b"", "decode.unsupported"),
    ):
        with pytest.raises(RejectError) as caught:
            pair.decode(data)
        assert caught.value.code == code
    assert pair.pids() == before


def test_many_threads_share_the_children(pair: DecoderPool, threads: ThreadPoolExecutor) -> None:
    files = [encoded(picture(64, 64, seed=seed), "PNG") for seed in range(8)] * 5
    for data, image in zip(files, threads.map(pair.decode, files), strict=True):
        assert same(image, decode(data, LIMITS))


def test_a_child_killed_at_work_fails_its_image_and_no_neighbour(
    pair: DecoderPool, threads: ThreadPoolExecutor
) -> None:
    victim, neighbour = pair.pids()
    stop(victim)
    stop(neighbour)
    files = [encoded(picture(64, 64, seed=seed), "PNG") for seed in range(10)]
    futures = [threads.submit(pair.decode, data) for data in files]
    wait_for(lambda: at_work(pair, victim, neighbour), "both children to be taken")
    os.kill(neighbour, signal.SIGCONT)
    wait_for(lambda: sum(f.done() for f in futures) == 9, "the neighbour to do the other nine")
    os.kill(victim, signal.SIGKILL)
    errors = [f.exception(timeout=30) for f in futures]
    (failed,) = [error for error in errors if error is not None]
    assert isinstance(failed, RejectError)
    assert failed.code == "sandbox_kill"
    assert str(failed) == "the decoder child was ended by SIGKILL"
    assert neighbour in pair.pids()
    wait_for(lambda: len(pair.pids()) == 2, "the victim to be replaced")
    assert victim not in pair.pids()
    assert same(pair.decode(JPEG), decode(JPEG, LIMITS))


def test_a_crash_of_the_decoder_itself_is_contained(
    single: DecoderPool, threads: ThreadPoolExecutor
) -> None:
    (pid,) = single.pids()
    stop(pid)
    future = threads.submit(single.decode, JPEG)
    wait_for(lambda: at_work(single, pid), "the child to be taken")
    os.kill(pid, signal.SIGSEGV)
    os.kill(pid, signal.SIGCONT)
    with pytest.raises(RejectError, match="SIGSEGV"):
        future.result(timeout=30)
    assert same(single.decode(JPEG), decode(JPEG, LIMITS))


def test_a_child_that_died_idle_fails_no_image(single: DecoderPool) -> None:
    (pid,) = single.pids()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not single.pids(), "the child to end")
    assert same(single.decode(JPEG), decode(JPEG, LIMITS))


def test_a_child_that_does_not_answer_is_killed_by_the_clock() -> None:
    with DecoderPool(LIMITS, 1, timeout_s=0.3) as pool:
        (pid,) = pool.pids()
        stop(pid)
        with pytest.raises(RejectError, match=r"no answer within 0\.3 s") as caught:
            pool.decode(JPEG)
        assert caught.value.code == "sandbox_kill"
        assert not is_alive(pid)


def test_processor_time_is_bounded_for_each_image() -> None:
    limits = DecodeLimits(cpu_s=0.05)
    with DecoderPool(limits, 1, timeout_s=60) as pool:
        with pytest.raises(RejectError, match=r"more than 0\.05 s of processor time"):
            pool.decode(white_png(9000, 9000))
        for _ in range(3):
            assert pool.decode(white_png(64, 64)).problem == "flat_or_saturated"


def test_an_image_that_outgrows_the_memory_limit_is_contained(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The header's own estimate is switched off, so that only the kernel's limit is left."""
    monkeypatch.setattr(
        decoder_pool,
        "_BOOTSTRAP",
        decoder_pool._BOOTSTRAP.replace(
            "from worker.decoder.child import main;",
            "from worker.decoder import decode; check = decode.check_header; from dataclasses "
            "import replace; decode.check_header = lambda data, limits: check(data, "
            "replace(limits, memory_bytes=1 << 40)); from worker.decoder.child import main;",
        ),
    )
    limits = DecodeLimits(memory_bytes=32 * 1024 * 1024)
    with DecoderPool(limits, 1) as pool:
        with pytest.raises(RejectError) as caught:
            pool.decode(white_png(9000, 9000))  # 324 MB of pixels
        assert caught.value.code == "sandbox_kill"
        assert str(caught.value) == "the decoder child needed more than 33554432 bytes"
        assert same(pool.decode(JPEG), decode(JPEG, limits))


@pytest.mark.parametrize(
    "answer",
    [
        "b'\\xff' * 100",
        "(2).to_bytes(4, 'big') + b'[]'",
        "(2).to_bytes(4, 'big') + b'{}'",
        "(5).to_bytes(4, 'big') + b'{',",
    ],
)
def test_a_child_that_answers_nonsense_is_replaced(
    monkeypatch: pytest.MonkeyPatch, answer: str
) -> None:
    honest = decoder_pool._BOOTSTRAP
    hostile = (
        "import os, sys; ready = b'{\"ready\": {}}'; "
        "os.write(1, len(ready).to_bytes(4, 'big') + ready); "
        f"os.read(0, 8); os.write(1, {answer.rstrip(',')}); sys.exit(0)"
    )
    monkeypatch.setattr(decoder_pool, "_BOOTSTRAP", hostile)
    with DecoderPool(LIMITS, 1) as pool:
        monkeypatch.setattr(decoder_pool, "_BOOTSTRAP", honest)
        with pytest.raises(RejectError) as caught:
            pool.decode(JPEG)
        assert caught.value.code == "sandbox_kill"
        assert same(pool.decode(JPEG), decode(JPEG, LIMITS))


def test_a_child_that_cannot_start_stops_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoder_pool, "_BOOTSTRAP", "import sys; sys.exit(3)")
    pool = DecoderPool(LIMITS, 2)
    with pytest.raises(StopError, match="exit code 3"):
        pool.start()
    assert pool.pids() == ()
    with pytest.raises(RetryError):
        pool.decode(JPEG)


def test_children_are_replaced_after_their_share_of_images() -> None:
    with DecoderPool(LIMITS, 1, recycle_after=2) as pool:
        seen: list[int] = []
        for _ in range(6):
            wait_for(pool.pids, "a child")
            seen.extend(pool.pids())
            assert pool.decode(JPEG).problem is None
        assert len(set(seen)) == 3


def test_closing_ends_every_child_and_blames_no_image(threads: ThreadPoolExecutor) -> None:
    pool = DecoderPool(LIMITS, 1)
    pool.start()
    (pid,) = pool.pids()
    stop(pid)
    futures = [threads.submit(pool.decode, JPEG) for _ in range(3)]
    wait_for(lambda: at_work(pool, pid), "the child to be taken")
    pool.close()
    pool.close()
    for future in futures:
        assert isinstance(future.exception(timeout=30), RetryError)
    assert not is_alive(pid)
    assert pool.pids() == ()
    assert not [t for t in threading.enumerate() if t.name == "decoder-starter"]


def test_a_pool_that_was_not_started_says_so() -> None:
    pool = DecoderPool(LIMITS, 1)
    with pytest.raises(StopError, match="start"):
        pool.decode(JPEG)
    pool.close()
    assert pool.pids() == ()


def test_children_hold_no_environment_and_no_descriptor_but_their_pipes(
    single: DecoderPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATENTPRINT_REDIS__PASSWORD", "secret")
    with DecoderPool(LIMITS, 1) as pool:
        (pid,) = pool.pids()
        try:
            environment = Path(f"/proc/{pid}/environ").read_bytes()
            descriptors = sorted(os.listdir(f"/proc/{pid}/fd"))
        except PermissionError:
            assert pool.posture()["not_dumpable"]  # /proc is closed to us: only root may look
        else:
            assert environment == b"OPENBLAS_NUM_THREADS=1\0"
            assert descriptors == ["0", "1", "2"]


@pytest.mark.skipif(sys.platform != "linux", reason="these measures are Linux's")
def test_every_measure_holds_on_linux(single: DecoderPool) -> None:
    assert single.posture() == {
        "dies_with_parent": True,
        "no_new_privs": True,
        "not_dumpable": True,
        "memory": True,
        "files": True,
        "processes": True,
        "seccomp": True,
    }
    (pid,) = single.pids()
    status = Path(f"/proc/{pid}/status").read_text()
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    assert "Threads:\t1" in status


def test_a_sound_child_survives_a_flood_of_mutants(single: DecoderPool) -> None:
    rng = np.random.default_rng(5)
    (pid,) = single.pids()
    codes: list[str] = []
    for data in (JPEG, encoded(picture(64, 64), "PNG"), encoded(picture(64, 64), "WEBP")):
        for _ in range(100):
            mutant = bytearray(data)
            for at in rng.integers(0, len(mutant), 4):
                mutant[at] = rng.integers(0, 256)
            try:
                single.decode(bytes(mutant))
            except RejectError as error:
                codes.append(error.code)
    assert len(codes) > 50
    assert all(code.startswith("decode.") for code in codes)
    assert single.pids() == (pid,)
