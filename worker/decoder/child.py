"""The decoder's child: reads files from stdin, writes crops to stdout, and can do nothing else.

Started by worker/decoder/pool.py with an empty environment. Imports numpy and Pillow, never torch,
kafka or redis. Order at start: tie our life to the parent's, load every codec, close stderr,
confine ourselves, say so; only then is the first image read.
"""

import json
import os
import signal
import sys
import warnings
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image

from worker.decoder.confinement import confine, die_with_parent
from worker.decoder.decode import DecodeLimits, decode
from worker.decoder.wire import REQUEST_PREFIX_BYTES, frame, image_reply, reject_reply
from worker.errors import RejectError

EXIT_OUT_OF_MEMORY: Final = 71
EXIT_BAD_REQUEST: Final = 72
_STDIN, _STDOUT, _STDERR = 0, 1, 2
# Beyond the image itself: the file twice, Pillow's 16 MiB blocks, crops, and Python's own.
_WORKING_BYTES: Final = 48 * 1024 * 1024


def main(argument: str) -> int:
    """Serve until stdin ends. `argument` is JSON: {"parent": pid, "limits": {...}}."""
    options = json.loads(argument)
    tied = die_with_parent(options["parent"])
    limits = DecodeLimits(**options["limits"])
    Image.MAX_IMAGE_PIXELS = None  # limits.max_pixels is the limit; Pillow's would only warn
    warnings.simplefilter("ignore")
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    _load_codecs()
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, _STDERR)  # start-up errors have been seen; later words would be the image's
    os.close(null)
    posture = confine(limits.memory_bytes + 2 * limits.max_image_bytes + _WORKING_BYTES)
    _write(frame({"ready": {"dies_with_parent": tied, **posture}}))
    return serve(limits)


def serve(limits: DecodeLimits) -> int:
    """Answer one request after another; return the exit code.

    Processor time is bounded for each image by a timer that ends the process (SIGPROF), since
    RLIMIT_CPU would count the lifetime of the process, which serves thousands of images.
    """
    while True:
        prefix = _read(REQUEST_PREFIX_BYTES)
        if prefix is None:
            return 0
        size = int.from_bytes(prefix, "big")
        if size > limits.max_image_bytes:
            return EXIT_BAD_REQUEST
        data = _read(size)
        if data is None:
            return 0
        signal.setitimer(signal.ITIMER_PROF, limits.cpu_s)
        try:
            reply = image_reply(decode(data, limits))
        except RejectError as error:
            reply = reject_reply(error)
        except MemoryError:
            return EXIT_OUT_OF_MEMORY
        signal.setitimer(signal.ITIMER_PROF, 0)
        del data
        _write(reply)


def _load_codecs() -> None:
    """Go once through every path of a decode, so that nothing is left to be imported later."""
    noise = (np.arange(64 * 64 * 3, dtype=np.uint32) * np.uint32(2654435761) >> 24).astype(np.uint8)
    picture = Image.fromarray(noise.reshape(64, 64, 3))
    for name, mode in (("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "P"), ("WEBP", "RGBA")):
        for side in (64, 28):  # 28 is padded
            file = BytesIO()
            picture.crop((0, 0, side, side)).convert(mode).save(file, name)
            image_reply(decode(file.getvalue(), DecodeLimits()))
            try:
                decode(file.getvalue()[:-200], DecodeLimits())
            except RejectError as error:
                reject_reply(error)


def _read(size: int) -> bytes | None:
    """Read exactly `size` bytes from stdin, or return None where it ends."""
    buffer = bytearray(size)
    view = memoryview(buffer)
    while view:
        count = os.readv(_STDIN, [view])
        if not count:
            return None
        view = view[count:]
    return bytes(buffer)


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(_STDOUT, view) :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
