"""The decoder's side of the pool: a template that loads every codec, and its short-lived children.

Started by worker/decoder/process.py with an empty environment. Imports numpy and Pillow, never
torch, kafka or redis. The template never sees an image: it loads the codecs, gives up what it does
not need, and forks a child whenever it is told to. The child ties its life to the template's,
confines itself, says so, and decodes what it is given until its parent has it ended: after a few
images of one sender, or after the first that it refuses. So whoever takes a child over by a
malicious image holds a process that is asked for no other sender's.
"""

import contextlib
import gc
import json
import os
import signal
import socket
import struct
import sys
import warnings
from collections.abc import Sequence
from io import BytesIO
from typing import Final

import numpy as np
from PIL import Image

from worker.decoder.confinement import (
    Prepared,
    confine,
    die_with_parent,
    own_namespaces,
    prepare,
)
from worker.decoder.crops import CropReading
from worker.decoder.decode import DecodeLimits, decode
from worker.decoder.pipes import MOST_PARTS, left_over
from worker.decoder.regions import RegionReading
from worker.decoder.wire import (
    REQUEST_PREFIX_BYTES,
    frame,
    image_reply,
    limits_from,
    reject_reply,
)
from worker.errors import RejectError

EXIT_OUT_OF_MEMORY: Final = 71
EXIT_BAD_REQUEST: Final = 72
EXIT_FAILED: Final = 73

NEXT: Final = b"n"
"""The order to end the child there is, and to fork one that serves the socket sent along."""

END: Final = b"e"
"""The order to end the child there is."""

OUTCOME: Final = struct.Struct("!iii")
"""The answer to an order: the exit status of the child that was ended (negative for a signal, 0
where there was none), the process id of the new one (0: none), and the errno of a failed fork."""

_STDIN, _STDOUT, _STDERR = 0, 1, 2
# Beyond the image itself and what is read of it: Pillow's 16 MiB blocks, and Python's own.
_WORKING_BYTES: Final = 48 * 1024 * 1024
_COPIES: Final = 6  # of what is read: as Pillow has it, by pixel, by channel; and between them


def main(argument: str) -> int:
    """Serve orders until stdin ends. `argument` is JSON: parent, limits, images."""
    options = json.loads(argument)
    alone = own_namespaces()  # first: it needs a process of one thread, and may untie it
    tied = die_with_parent(options["parent"])
    limits = limits_from(options["limits"])
    Image.MAX_IMAGE_PIXELS = None  # limits.max_pixels is the limit; Pillow's would only warn
    warnings.simplefilter("ignore")
    _load_codecs(limits.reading)
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, _STDERR)  # start-up errors have been seen; later words would be the image's
    os.close(null)
    prepared = prepare(tied, alone)
    gc.collect()
    gc.freeze()
    gc.disable()  # a child lives shortly; collecting would only copy the template's pages
    return _serve_orders(limits, options["images"], prepared)


def _serve_orders(limits: DecodeLimits, images: int, prepared: Prepared) -> int:
    """Fork and reap one child after another, one at a time; return the exit code."""
    template = os.getpid()
    control = socket.socket(fileno=_STDIN)
    child = 0
    while True:
        order, channels, _, _ = socket.recv_fds(control, 1, 1)
        status = _end(child)
        child = error = 0
        if not order:
            return 0
        if order == NEXT:
            try:
                child = os.fork()
            except OSError as failed:
                error = failed.errno or -1
            else:
                if not child:
                    _be_the_child(channels[0], limits, images, prepared, template)
        for channel in channels:
            os.close(channel)
        control.sendall(OUTCOME.pack(status, child, error))


def _end(child: int) -> int:
    """Kill the child if it lives, reap it, and return its exit status."""
    if not child:
        return 0
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _be_the_child(
    channel: int, limits: DecodeLimits, images: int, prepared: Prepared, template: int
) -> None:
    """Never return: serve `channel`, and end without the template's clean-up."""
    code = EXIT_FAILED
    try:
        tied = die_with_parent(template)
        os.dup2(channel, _STDIN)  # closes the way to the parent that the template has
        os.dup2(channel, _STDOUT)
        os.close(channel)
        posture = confine(
            prepared,
            memory_bytes=limits.memory_bytes
            + 2 * limits.max_image_bytes  # the file, and what pixels are made from
            + _COPIES * limits.reading.most_bytes
            + _WORKING_BYTES,
            cpu_s=images * limits.cpu_s,
        )
        posture["dies_with_parent"] &= tied
        _write([frame({"ready": posture})])
        code = serve(limits)
    finally:
        os._exit(code)


def serve(limits: DecodeLimits) -> int:
    """Answer one request after another; return the exit code.

    Processor time is the parent's to bound: it looks at the kernel's clock of this process.
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
        try:
            reply = image_reply(decode(data, limits))
        except RejectError as error:
            reply = reject_reply(error)
        except MemoryError:
            return EXIT_OUT_OF_MEMORY
        del data
        _write(reply)


def _load_codecs(reading: CropReading | RegionReading) -> None:
    """Go once through every path of a decode, so that nothing is left to be imported later."""
    limits = DecodeLimits(reading)
    noise = (np.arange(64 * 64 * 3, dtype=np.uint32) * np.uint32(2654435761) >> 24).astype(np.uint8)
    picture = Image.fromarray(noise.reshape(64, 64, 3))
    for name, mode in (("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "P"), ("WEBP", "RGBA")):
        for side in (64, 28):  # 28 is padded
            file = BytesIO()
            picture.crop((0, 0, side, side)).convert(mode).save(file, name)
            image_reply(decode(file.getvalue(), limits))
            try:
                decode(file.getvalue()[:-200], limits)
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


def _write(parts: Sequence[bytes | memoryview]) -> None:
    views = [memoryview(part) for part in parts]
    while views:
        views = left_over(views, os.writev(_STDOUT, views[:MOST_PARTS]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
