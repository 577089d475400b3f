"""Read a file below an allowed folder, by no link and from nothing that is no regular file.

1. The folder of the settings is opened; it alone may be a link, since the operator wrote it.
2. Each further part is opened from the one before it with O_NOFOLLOW: a link anywhere below the
   folder is refused, whoever puts it there at whatever moment.
3. The last part is held by O_PATH, which opens nothing: a pipe or a device is found out before
   anything is read of it, and what was looked at is what is then read (/proc/self/fd).

A hard link cannot be told from the file itself: who may write into the folder decides what is in it
(docs/operations/references.md).
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from worker.errors import RejectError
from worker.references.outages import UnavailableError
from worker.references.targets import STAGE, FileTarget, refused

_FOLDER: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_LINK_OR_NO_FOLDER: Final = (errno.ELOOP, errno.ENOTDIR)
_CHUNK_BYTES: Final = 1024 * 1024


def read_file(target: FileTarget, max_bytes: int) -> bytes:
    """The bytes of the file.

    Raises RejectError with a code `fetch.*`, UnavailableError where the folder itself is away or
    the disk or its server gives an error.
    """
    with _opened(target) as descriptor:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise refused("the file is a link, a folder, a pipe or a device; only files are read")
        if facts.st_size > max_bytes:
            raise too_large(facts.st_size, max_bytes)
        try:
            with open(f"/proc/self/fd/{descriptor}", "rb", buffering=0) as file:
                return _read(file.fileno(), max_bytes)
        except OSError as error:
            raise _failure(error, target) from error


def too_large(size: int, max_bytes: int) -> RejectError:
    """More bytes than are judged."""
    return RejectError(
        "fetch.too_large",
        f"what the reference names has {size} bytes or more; at most {max_bytes} are judged",
        stage=STAGE,
    )


@contextmanager
def _opened(target: FileTarget) -> Iterator[int]:
    """The file held by O_PATH, whatever it is."""
    with ExitStack() as open_ones:
        try:
            at = os.open(target.root, _FOLDER)
        except OSError as error:
            raise UnavailableError(
                f"the folder {target.root} cannot be opened ({error.strerror})", target.store
            ) from error
        open_ones.callback(os.close, at)
        try:
            for part in target.parts[:-1]:
                at = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=at)
                open_ones.callback(os.close, at)
            flags = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
            at = os.open(target.parts[-1], flags, dir_fd=at)
        except OSError as error:
            raise _failure(error, target) from error
        open_ones.callback(os.close, at)
        yield at


def _read(descriptor: int, max_bytes: int) -> bytes:
    """All of the file, which may grow or shrink while it is read."""
    parts: list[bytes] = []
    left = max_bytes + 1
    while left and (part := os.read(descriptor, min(left, _CHUNK_BYTES))):
        parts.append(part)
        left -= len(part)
    if not left:
        raise too_large(max_bytes + 1, max_bytes)
    return b"".join(parts)


def _failure(error: OSError, target: FileTarget) -> Exception:
    if error.errno == errno.ENOENT:
        return RejectError("fetch.not_found", "there is no such file", stage=STAGE)
    if error.errno in (errno.EACCES, errno.EPERM):
        return RejectError("fetch.forbidden", "the worker may not read this file", stage=STAGE)
    if error.errno in _LINK_OR_NO_FOLDER:
        return refused("the path leads through a link, or through what is no folder")
    if error.errno == errno.ENAMETOOLONG:
        return refused("a part of the path is longer than any file's name")
    return UnavailableError(f"the file cannot be read ({error.strerror})", target.store)
