"""Which library should make pixels of a JPEG, and how they should leave the child.

Processor time of one thread, the least of many rounds: each library's decode of one 512 x 512 JPEG
and whether its pixels equal Pillow's, and 512 x 512 pixels handed from one process to another
through a socket, as the sandbox does it, or through memory that both share, copied out of it at
once since the child could change it later. Importing torchvision is timed in a process of its own.

    python -m benchmarks.codecs [--rounds 200] [--output FILE]
"""

import argparse
import io
import json
import mmap
import os
import platform
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import numpy as np
import simplejpeg
import torch
import torchvision
from numpy.typing import NDArray
from PIL import Image

from benchmarks.decoder import jpeg
from worker.settings.cores import usable_cores

SIDE = 512
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(2**25), "MALLOC_TRIM_THRESHOLD_": str(2**26)}
"""As the sandbox's children have it (worker/decoder/process.py)."""

Decode = Callable[[bytes], NDArray[np.uint8]]
Way = Literal["nothing", "socket", "shared memory"]


def pillow(data: bytes) -> NDArray[np.uint8]:
    """(H, W, 3) by Pillow."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def simple(data: bytes) -> NDArray[np.uint8]:
    """(H, W, 3) as the worker decodes colour."""
    return np.asarray(simplejpeg.decode_jpeg(data, "RGB", fastdct=False, fastupsample=False))


def vision(data: bytes) -> NDArray[np.uint8]:
    """(H, W, 3) by torchvision."""
    coded = torch.frombuffer(bytearray(data), dtype=torch.uint8)
    pixels = torchvision.io.decode_jpeg(coded, mode=torchvision.io.ImageReadMode.RGB)
    return np.asarray(pixels.permute(1, 2, 0).numpy())


LIBRARIES: dict[str, Decode] = {"pillow": pillow, "simplejpeg": simple, "torchvision": vision}


def decoded(data: bytes, rounds: int) -> dict[str, dict[str, object]]:
    """Milliseconds and whether the pixels are Pillow's, of each library."""
    expected = pillow(data)
    return {
        name: {
            "ms": _least_ms(lambda decode=decode: decode(data), rounds),  # type: ignore[misc]
            "equal": bool(np.array_equal(decode(data), expected)),
        }
        for name, decode in LIBRARIES.items()
    }


def handed_over(way: Way, images: int) -> float:
    """Milliseconds of both processes for each image, the question and a short answer included."""
    ours, theirs = socket.socketpair()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 6 * SIDE**2)
    shared = np.frombuffer(mmap.mmap(-1, 3 * SIDE**2), np.uint8)
    began = _processor_s()
    child = os.fork()
    if not child:
        _answer(theirs, shared, way, images)
    for _ in range(images):
        ours.send(b"?")
        ours.recv(1)
        if way == "socket":
            left = memoryview(bytearray(3 * SIDE**2))
            while left:
                left = left[ours.recv_into(left) :]
        elif way == "shared memory":
            shared.copy()
    os.waitpid(child, 0)
    return round((_processor_s() - began) / images * 1000, 3)


def _answer(channel: socket.socket, shared: NDArray[np.uint8], way: Way, images: int) -> None:
    """Never return: the child's part. Pixels leave by channel, as the extractor reads them."""
    picture = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    by_channel = picture.transpose(2, 0, 1)
    for _ in range(images):
        channel.recv(1)
        if way == "shared memory":
            np.copyto(shared.reshape(by_channel.shape), by_channel)
        pixels = np.ascontiguousarray(by_channel).data.cast("B") if way == "socket" else b""
        channel.sendall(b"".join((b"!", pixels)))
    os._exit(0)


def main() -> None:
    """Print the results as JSON; with --output also into a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    if any(os.environ.get(name) != value for name, value in _MALLOC.items()):
        os.execve(sys.executable, sys.orig_argv, os.environ | _MALLOC)  # read at a program's start
    torch.set_num_threads(1)
    ways: tuple[Way, ...] = ("nothing", "socket", "shared memory")
    document = {
        "command": f"python -m benchmarks.codecs --rounds {options.rounds}",
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {usable_cores()} cores",
        "load_before": round(os.getloadavg()[0], 1),
        "decode": decoded(jpeg(SIDE), options.rounds),
        "handing_over_ms": {
            way: min(handed_over(way, options.rounds) for _ in range(5)) for way in ways
        },
        "import_s": {name: _import_s(name) for name in ("simplejpeg", "torch", "torchvision")},
    }
    text = json.dumps(document, indent=1) + "\n"
    sys.stdout.write(text)
    if options.output is not None:
        options.output.write_text(text, encoding="utf-8")


def _least_ms(work: Callable[[], object], rounds: int) -> float:
    spent = []
    for _ in range(rounds):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return round(min(spent) * 1000, 3)


def _import_s(name: str) -> float:
    """Processor seconds of a process that imports one package, the least of three."""

    def spent() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", f"import {name}"], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return round(min(spent() for _ in range(3)), 2)


def _processor_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


if __name__ == "__main__":
    main()
