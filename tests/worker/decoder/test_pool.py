"""DecoderPool: a child that dies fails no neighbour, and can do nothing but decode."""

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.waiting import wait_for
from tests.worker.decoder.children import CRASH, HANG, at_work, is_alive, patched, same, stop
from tests.worker.decoder.image_samples import encoded, picture, white_png
from worker.decoder import pool as decoder_pool
from worker.decoder import process as decoder_process
from worker.decoder.confinement import OPTIONAL
from worker.decoder.decode import DecodeLimits, decode
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


def children_of(pool: DecoderPool) -> list[str]:
    """The children of the pool's templates, the dead ones that nobody reaped too."""
    templates = {str(decoder.template.pid) for decoder in pool._all}
    stats = [path.read_text() for path in Path("/proc").glob("[0-9]*/stat") if path.exists()]
    return [stat for stat in stats if stat.rsplit(")", 1)[1].split()[1] in templates]


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


def test_refusals_come_through(pair: DecoderPool) -> None:
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


def test_many_threads_share_the_children(pair: DecoderPool, threads: ThreadPoolExecutor) -> None:
    files = [encoded(picture(64, 64, seed=seed), "PNG") for seed in range(8)] * 5
    for data, image in zip(files, threads.map(pair.decode, files), strict=True):
        assert same(image, decode(data, LIMITS))


def test_a_child_killed_at_work_fails_neither_its_image_nor_a_neighbour(
    pair: DecoderPool, threads: ThreadPoolExecutor
) -> None:
    """As the kernel does where memory runs out: the machine is to blame, and the image is tried."""
    victim, neighbour = pair.pids()
    stop(victim)
    stop(neighbour)
    files = [encoded(picture(64, 64, seed=seed), "PNG") for seed in range(10)]
    futures = [threads.submit(pair.decode, data) for data in files]
    wait_for(lambda: at_work(pair, victim, neighbour), "both children to be taken")
    os.kill(neighbour, signal.SIGCONT)
    wait_for(lambda: sum(f.done() for f in futures) == 9, "the neighbour to do the other nine")
    os.kill(victim, signal.SIGKILL)
    for data, future in zip(files, futures, strict=True):
        assert same(future.result(timeout=30), decode(data, LIMITS))
    wait_for(lambda: len(pair.pids()) == 2, "the victim to be replaced")
    assert victim not in pair.pids()


def test_a_crash_of_the_decoder_is_contained_and_the_image_tried_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    honest = decoder_process._BOOTSTRAP
    patched(monkeypatch, CRASH)
    with DecoderPool(LIMITS, 1) as pool:
        monkeypatch.setattr(decoder_process, "_BOOTSTRAP", honest)
        assert same(pool.decode(JPEG), decode(JPEG, LIMITS))


def test_an_image_that_crashes_two_children_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = decoder_process._BOOTSTRAP
    patched(monkeypatch, CRASH)
    with DecoderPool(LIMITS, 1) as pool:
        with pytest.raises(RejectError, match="SIGSEGV") as caught:
            pool.decode(JPEG)
        assert caught.value.code == "sandbox_kill"
        monkeypatch.setattr(decoder_process, "_BOOTSTRAP", honest)
        pool._replace(pool._take(""))
        assert same(pool.decode(JPEG), decode(JPEG, LIMITS))


def test_a_child_that_refused_an_image_is_asked_for_no_other(single: DecoderPool) -> None:
    (before,) = single.pids()
    assert single.decode(JPEG).problem is None
    assert single.pids() == (before,)
    with pytest.raises(RejectError):
        single.decode(JPEG[:3000])
    (after,) = single.pids()
    assert after != before


def test_a_child_that_died_idle_fails_no_image(single: DecoderPool) -> None:
    (pid,) = single.pids()
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not single.pids(), "the child to end")
    assert same(single.decode(JPEG), decode(JPEG, LIMITS))


def test_a_child_that_does_not_answer_is_ended_by_the_clock_and_the_image_tried_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    honest = decoder_process._BOOTSTRAP
    patched(monkeypatch, HANG)
    with DecoderPool(LIMITS, 1, timeout_s=0.5) as pool:
        (pid,) = pool.pids()
        with pytest.raises(RejectError, match=r"no answer within 0\.5 s") as caught:
            pool.decode(JPEG)
        assert caught.value.code == "sandbox_kill"
        assert not is_alive(pid)
    with DecoderPool(LIMITS, 1, timeout_s=0.5) as pool:
        monkeypatch.setattr(decoder_process, "_BOOTSTRAP", honest)
        assert same(pool.decode(JPEG), decode(JPEG, LIMITS))


def test_processor_time_is_bounded_for_each_image() -> None:
    limits = DecodeLimits(cpu_s=0.05)
    with DecoderPool(limits, 1, timeout_s=60) as pool:
        with pytest.raises(RejectError, match=r"more than 0\.05 s of processor time"):
            pool.decode(white_png(9000, 9000))
        for _ in range(3):
            assert pool.decode(white_png(64, 64)).problem == "flat_or_saturated"


def test_decoders_that_cannot_start_stop_the_worker_with_a_code_that_restarts_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decoder_process, "_BOOTSTRAP", "import sys; sys.exit(3)")
    monkeypatch.setattr(decoder_pool, "_START_PAUSES_S", (0.01,))
    pool = DecoderPool(LIMITS, 2)
    with pytest.raises(StopError, match="exit code 3") as caught:
        pool.start()
    assert caught.value.exit_code == 75
    assert pool.pids() == ()
    with pytest.raises(RetryError):
        pool.decode(JPEG)


def test_a_machine_that_starts_no_process_at_first_delays_the_start_and_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(decoder_pool, "_START_PAUSES_S", (0.01,))
    popen, refusals = subprocess.Popen, [errno.EAGAIN, errno.ENOMEM, errno.EMFILE]

    def start(*arguments: Any, **named: Any) -> Any:
        if refusals:
            raise OSError(refusals.pop(), "not now")
        return popen(*arguments, **named)

    monkeypatch.setattr(subprocess, "Popen", start)
    with DecoderPool(LIMITS, 2) as pool:
        assert pool.decode(JPEG).problem is None
    assert not refusals


def test_a_template_that_cannot_fork_delays_its_image_and_blames_it_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A limit on processes that is reached between two images; the next template may fork again."""
    honest = decoder_process._BOOTSTRAP
    code = (
        "import errno, os\n"
        "fork, left = os.fork, [1]\n"
        "def limited():\n"
        "    if not left: raise BlockingIOError(errno.EAGAIN, 'no')\n"
        "    left.pop()\n"
        "    return fork()\n"
        "os.fork = limited\n"
    )
    patched(monkeypatch, code)
    with DecoderPool(LIMITS, 1, images_per_child=1) as pool:
        monkeypatch.setattr(decoder_process, "_BOOTSTRAP", honest)
        for _ in range(3):
            assert same(pool.decode(JPEG), decode(JPEG, LIMITS))


def test_children_are_replaced_after_their_share_of_images() -> None:
    with DecoderPool(LIMITS, 1, images_per_child=2) as pool:
        seen: list[int] = []
        for _ in range(6):
            seen.extend(wait_for(pool.pids, "a child"))
            assert pool.decode(JPEG).problem is None
        assert len(set(seen)) == 3
        wait_for(lambda: len(children_of(pool)) == 1, "each that was replaced to be reaped")


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
    wait_for(lambda: not is_alive(pid), "the child to end with its template")
    assert pool.pids() == ()
    assert not [t for t in threading.enumerate() if t.name == "decoder-starter"]


def test_closing_an_idle_pool_reaps_every_child() -> None:
    """A worker that is process 1 of its container would keep an orphan as a zombie."""
    for _ in range(3):
        with DecoderPool(LIMITS, 2) as pool:
            pids = pool.pids()
        assert len(pids) == 2
        assert not [pid for pid in pids if is_alive(pid)]


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
            assert b"secret" not in environment
            assert environment.startswith(b"OPENBLAS_NUM_THREADS=1\0")
            assert descriptors == ["0", "1", "2"]


@pytest.mark.skipif(sys.platform != "linux", reason="these measures are Linux's")
def test_every_measure_holds_on_linux(single: DecoderPool) -> None:
    posture = single.posture()
    assert set(posture) - OPTIONAL == {
        "dies_with_parent",
        "no_new_privs",
        "not_dumpable",
        "no_capabilities",
        "killed_first",
        "memory",
        "processor_time",
        "files",
        "processes",
        "seccomp",
    }
    assert all(holds for key, holds in posture.items() if key not in OPTIONAL)
    (pid,) = single.pids()
    status = Path(f"/proc/{pid}/status").read_text()
    assert "CapEff:\t0000000000000000" in status
    assert "CapPrm:\t0000000000000000" in status
    assert Path(f"/proc/{pid}/oom_score_adj").read_text() == "1000\n"
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status
    assert "Threads:\t1" in status


def test_a_flood_of_mutants_is_refused_and_kills_no_child(single: DecoderPool) -> None:
    rng = np.random.default_rng(5)
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
