"""Decoder children that tests stop, watch, and make misbehave."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from tests.waiting import wait_for
from worker.decoder import process as decoder_process
from worker.decoder.decode import DecodedImage
from worker.decoder.pool import DecoderPool


def same(left: DecodedImage, right: DecodedImage) -> bool:
    return (
        left.facts == right.facts
        and left.problem == right.problem
        and np.array_equal(left.crops, right.crops)
        and left.plain_tiles == right.plain_tiles
        and len(left.regions) == len(right.regions)
        and all(map(np.array_equal, left.regions, right.regions))
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
    return {decoder.pid() for decoder in pool._all if decoder.images} >= set(pids)


def patched(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Run `code` in the templates that start from now on; in it, `child` is their module."""
    honest = decoder_process._BOOTSTRAP
    start = "from worker.decoder.child import main;"
    assert start in honest
    evil = f"from worker.decoder import child; exec({code!r}, {{'child': child}}); {start}"
    monkeypatch.setattr(decoder_process, "_BOOTSTRAP", honest.replace(start, evil))


def answering(statements: str) -> str:
    """Code whose children do this with an image, in place of decoding it."""
    return (
        "import ctypes, os, signal\n"
        "honest, serve, seen = child.decode, child.serve, []\n"
        "def answer(data, limits):\n"
        f"    {statements}\n"
        "def serve_evil(limits):\n"
        "    child.decode = answer\n"
        "    return serve(limits)\n"
        "child.serve = serve_evil\n"
    )


CRASH = answering("ctypes.string_at(0)")
HANG = answering("os.read(0, 1)")
