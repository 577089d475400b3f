"""Goals G15 and G16: hostile files cost a child at most, and bombs are refused from the header."""

import contextlib
import io
import struct
import time
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest

from tests.scenarios.mutants import is_mutable, mutants, own_images, pillow_test_images
from tests.scenarios.report import Report, percentile
from tests.scenarios.sizes import FULL, SEED, size
from tests.worker.decoder.image_samples import encoded, picture, white_png, with_png_chunk
from worker.decoder.decode import DecodeLimits, check_header, decode
from worker.decoder.pool import DecoderPool
from worker.decoder.regions import RegionReading
from worker.errors import RejectError

MUTANTS = size(1_000, 200_000)
LIMITS = DecodeLimits(
    RegionReading(), memory_bytes=512 * 1024 * 1024, cpu_s=2.0
)  # what the goal allows an image, and what the worker reads
DECODERS = 2
PORTION = 500


def test_hostile_files_cost_a_child_and_never_the_worker(tmp_path: Path, report: Report) -> None:
    """Every one is decoded or refused with a code; whoever asked for it lives and goes on."""
    whole = pillow_test_images(tmp_path) if FULL else []
    seeds = [path.read_bytes() for path in whole if is_mutable(path)] + own_images()
    outcomes: Counter[str] = Counter()
    kills: Counter[str] = Counter()
    seconds: list[float] = []

    def judge(data: bytes) -> str:
        began = time.monotonic()
        try:
            pool.decode(data, "fuzz")
        except RejectError as error:  # anything else ends the test
            if error.code == "sandbox_kill":
                kills[error.message] += 1
            return error.code
        finally:
            seconds.append(time.monotonic() - began)
        return "decoded"

    with DecoderPool(LIMITS, DECODERS) as pool, ThreadPoolExecutor(DECODERS) as threads:
        of_pillow = Counter(threads.map(judge, (path.read_bytes() for path in whole)))
        drawn = mutants(seeds, MUTANTS, SEED)
        while portion := list(islice(drawn, PORTION)):
            outcomes.update(threads.map(judge, portion))
        assert pool.decode(encoded(picture(64, 64), "PNG"), "afterwards").problem is None
    assert outcomes.total() == MUTANTS
    assert outcomes["decoded"] > 0
    assert outcomes["decode.corrupt"] > 0
    report.keep(
        "G15",
        f"{len(whole)} test images of Pillow and {MUTANTS} mutants of {len(seeds)} files,"
        " 2 s of processor time and 512 MiB each",
        {
            "worker_deaths": 0,
            "pillow_images": len(whole),
            **{f"pillow {code}": count for code, count in sorted(of_pillow.items())},
            "mutants": MUTANTS,
            **dict(sorted(outcomes.items())),
            "seconds_p999": percentile(seconds, 0.999),
            "seconds_max": round(max(seconds), 2),
            "kills": [f"{count} times: {why}" for why, count in kills.most_common()],
        },
    )


def _apng(frames: int) -> bytes:
    image = picture(32, 32)
    out = io.BytesIO()
    others = [image.rotate(90 * (number % 4)) for number in range(1, frames)]
    image.save(out, "PNG", save_all=True, append_images=others)
    return out.getvalue()


def _with_chunk(kind: bytes, body: bytes) -> bytes:
    return with_png_chunk(encoded(picture(64, 64), "PNG"), kind, body)


def _jpeg_with_segments(marker: int, count: int) -> bytes:
    data = encoded(picture(64, 64), "JPEG")
    segment = struct.pack(">BBH", 0xFF, marker, 65_535) + bytes(65_533)
    return data[:2] + segment * count + data[2:]


def _webp_header(side: int) -> bytes:
    """30 bytes that claim a lossless picture of side x side."""
    bits = (side - 1) | (side - 1) << 14
    body = b"VP8L" + struct.pack("<I", 9) + b"\x2f" + struct.pack("<I", bits) + bytes(5)
    return b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body


REFUSED: dict[str, Callable[[], bytes]] = {
    "PNG of 13,000 x 13,000": lambda: white_png(13_000, 13_000),
    "PNG of 65,500 x 65,500": lambda: white_png(65_500, 1)[:16] + b"\0\0\xff\xdc" * 2 + b"\x08\x02",
    "WebP of 16,384 x 16,384 in 30 bytes": lambda: _webp_header(16_384),
}
"""Bombs that the header gives away."""

CUT_AWAY: dict[str, Callable[[], bytes]] = {
    "PNG with 500 MB of text in zTXt": lambda: _with_chunk(
        b"zTXt", b"Comment\0\0" + zlib.compress(bytes(500_000_000), 9)
    ),
    "PNG with a colour profile of 500 MB": lambda: _with_chunk(
        b"iCCP", b"icc\0\0" + zlib.compress(bytes(500_000_000), 9)
    ),
    "animated PNG of 2,000 frames": lambda: _apng(2_000),
    "JPEG with 9 MB of EXIF": lambda: _jpeg_with_segments(0xE1, 140),
    "JPEG with 9 MB of colour profile": lambda: _jpeg_with_segments(0xE2, 140),
}
"""Bombs whose picture is small: what is beside it never reaches a decoder."""

MOST_MS, MOST_MIB = 5.0, 5.0


@pytest.mark.parametrize("name", REFUSED)
def test_a_bomb_is_refused_from_its_header(name: str) -> None:
    data = REFUSED[name]()
    _, most_mib = _cost(data)
    with pytest.raises(RejectError):
        check_header(data, LIMITS)
    assert most_mib <= MOST_MIB


@pytest.mark.parametrize("name", CUT_AWAY)
def test_what_is_beside_a_picture_costs_nothing(name: str) -> None:
    data = CUT_AWAY[name]()
    assert decode(data, LIMITS).regions
    assert _cost(data)[1] <= MOST_MIB


@pytest.mark.skipif(not FULL, reason="times are measured where nothing else runs")
def test_the_header_is_read_in_five_milliseconds(report: Report) -> None:
    facts: dict[str, str] = {}
    for name, made in (REFUSED | CUT_AWAY).items():
        data = made()
        ms, mib = _cost(data)
        facts[name] = f"{len(data)} bytes: {ms:.2f} ms, {mib:.1f} MiB"
        assert ms <= MOST_MS, (name, ms)
        assert mib <= MOST_MIB, (name, mib)
    report.keep("G16", "bombs, looked at by their headers", facts)


def _cost(data: bytes) -> tuple[float, float]:
    """(the quickest of five looks at the header in ms, what it allocates at most in MiB)."""

    def look() -> None:
        with contextlib.suppress(RejectError):
            check_header(data, LIMITS)

    times = []
    for _ in range(5):
        began = time.perf_counter()
        look()
        times.append(1000 * (time.perf_counter() - began))
    tracemalloc.start()
    try:
        look()
        return min(times), tracemalloc.get_traced_memory()[1] / 2**20
    finally:
        tracemalloc.stop()
