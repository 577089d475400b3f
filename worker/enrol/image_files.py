"""Which files below the paths of a command line are images, by name and in a fixed order."""

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from worker.errors import StopError

CONTENT_TYPES = {
    b".jpg": "image/jpeg",
    b".jpeg": "image/jpeg",
    b".png": "image/png",
    b".webp": "image/webp",
}
"""By extension, whatever its case. A broken file counts as well: the worker is the judge."""


ANY_CONTENT = "application/octet-stream"
"""Of a file whose name says nothing; the worker looks at the bytes, whatever this says."""


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file to be taken. `subject` is its path relative to the folder given, as bytes on disk."""

    path: bytes
    subject: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """Something passed over on purpose: another kind of file, or a link that leads outside."""

    path: bytes
    why: str


@dataclass(frozen=True, slots=True)
class UnreadablePath:
    """Something that should have been taken and could not."""

    path: bytes
    why: str


def find_image_files(
    paths: Sequence[Path],
) -> Iterator[ImageFile | SkippedFile | UnreadablePath]:
    """Every file below `paths`, folders sorted by the bytes of their names, each one judged.

    A path given by name is taken even if it is a link. Inside a folder, links to files count
    while they stay inside it, and links to folders are not followed: what they show is met where
    it lies. Raises StopError (exit code 2) at once if a path given does not exist.
    """
    require_there(paths)
    return _find(paths)


def require_there(paths: Sequence[Path]) -> None:
    """StopError (exit code 2) if a path given does not exist."""
    missing = [str(path) for path in paths if not path.exists()]
    if missing:
        raise StopError(
            f"no such file or folder: {', '.join(missing)}; nothing was done", exit_code=2
        )


def _find(paths: Sequence[Path]) -> Iterator[ImageFile | SkippedFile | UnreadablePath]:
    for path in paths:
        raw = os.fsencode(path)
        if path.is_dir():
            yield from _folder(raw, b"", os.path.realpath(raw))
        else:
            # abspath gives "." and ".." their names.
            yield _file(raw, os.path.basename(os.path.abspath(raw)), named=True)


def _folder(
    folder: bytes, subject: bytes, root: bytes
) -> Iterator[ImageFile | SkippedFile | UnreadablePath]:
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        yield UnreadablePath(folder, error.strerror or str(error))
        return
    for entry in found:
        inner = os.path.join(subject, entry.name)
        if entry.is_symlink():
            target = os.path.realpath(entry.path)
            if os.path.isdir(target):
                yield SkippedFile(entry.path, "link to a folder")
            elif not os.path.exists(target):
                yield SkippedFile(entry.path, "link to nothing")
            elif os.path.commonpath([root, target]) != root:
                yield SkippedFile(entry.path, "link out of the folder")
            else:
                yield _file(entry.path, inner)
        elif entry.is_dir():
            yield from _folder(entry.path, inner, root)
        else:
            yield _file(entry.path, inner)


def _file(
    path: bytes, subject: bytes, *, named: bool = False
) -> ImageFile | SkippedFile | UnreadablePath:
    """What to do with a file; one that was named itself is taken whatever its suffix."""
    content_type = CONTENT_TYPES.get(os.path.splitext(path)[1].lower())
    if content_type is None and named:
        content_type = ANY_CONTENT
    if content_type is None:
        return SkippedFile(path, "no image by its name")
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        return UnreadablePath(path, error.strerror or str(error))
    if not stat.S_ISREG(mode):
        return SkippedFile(path, "not a regular file")  # opening a pipe would wait for ever
    return ImageFile(path, subject, content_type)
