"""What is in the fetched packages, read in one pass and without writing anything."""

import io
import lzma
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

from worker.errors import StopError


def wheel_members(path: Path, prefix: str) -> Iterator[tuple[str, bytes]]:
    """Name below `prefix` and bytes of the files in a wheel; the others are not read."""
    with zipfile.ZipFile(path) as wheel:
        for info in wheel.infolist():
            if info.filename.startswith(prefix) and not info.is_dir():
                yield info.filename.removeprefix(prefix), wheel.read(info)


def deb_members(path: Path, prefix: str = "usr/share/") -> Iterator[tuple[str, bytes]]:
    """Name below `prefix` and bytes of a Debian package's regular files; links are left out.

    A .deb is an `ar` archive whose member data.tar.xz holds the files. Reading it here needs no
    dpkg and writes nothing that was not asked for.
    """
    data = _ar_member(path.read_bytes(), "data.tar.xz")
    with lzma.open(io.BytesIO(data)) as plain, tarfile.open(fileobj=plain, mode="r|") as archive:
        yield from _regular(archive, prefix)


def tar_members(path: Path, prefix: str) -> Iterator[tuple[str, bytes]]:
    """Name below `prefix` and bytes of the regular files in a compressed tar; no links."""
    with tarfile.open(path, mode="r|*") as archive:
        yield from _regular(archive, prefix)


def _regular(archive: tarfile.TarFile, prefix: str) -> Iterator[tuple[str, bytes]]:
    for info in archive:
        name = info.name.removeprefix("./")
        if info.isreg() and name.startswith(prefix):
            file = archive.extractfile(info)
            assert file is not None  # regular files have contents
            yield name.removeprefix(prefix), file.read()


def _ar_member(archive: bytes, wanted: str) -> bytes:
    """The bytes of one member: after "!<arch>\\n", 60-byte headers, each member padded to even."""
    position = len(b"!<arch>\n")
    seen = []
    while position + 60 <= len(archive):
        header = archive[position : position + 60]
        name, size = header[:16].decode().strip().rstrip("/"), int(header[48:58])
        position += 60
        if name == wanted:
            return archive[position : position + size]
        seen.append(name)
        position += size + size % 2
    raise StopError(f"a Debian package holds {', '.join(seen) or 'nothing'}, expected {wanted}")
