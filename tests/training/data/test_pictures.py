"""Pictures of further sources: what is listed, what is kept of it, and who may see which."""

import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data import fetch
from training.data.photos import calibration_source
from training.data.pictures import (
    LIST,
    Listed,
    listed_pictures,
    opaque_square,
    pictures_in,
)
from training.data.roles import (
    HELD_OUT,
    LEAST_PHOTOS,
    LEAST_SOURCES,
    NOT_DRAWN,
    drawn,
    role_of,
)
from worker.errors import StopError


def counts() -> Counter[tuple[str, str]]:
    """Listed pictures by kind and source."""
    return Counter(
        (one.kind, one.source) for listed in listed_pictures().values() for one in listed
    )


def test_the_list_gives_pinned_packages_and_no_two_files_of_one_name() -> None:
    listed = listed_pictures()
    assert all(len(package.sha256) == 64 for package in listed)
    assert {package.client for package in listed} == {"deb", "npm", "source"}
    names = [(one.source, one.name) for ones in listed.values() for one in ones]
    assert len(names) == len(set(names)) > 2000
    members = [(package, one.member) for package, ones in listed.items() for one in ones]
    assert len(members) == len(set(members))


def test_held_out_sources_are_those_that_their_names_hashes_draw() -> None:
    found = counts()
    assert drawn(found) == HELD_OUT
    photos = {source: n for (kind, source), n in found.items() if kind == "photo"}
    held = [n for source, n in photos.items() if role_of(source) == "held_out"]
    assert len(held) >= LEAST_SOURCES
    assert sum(held) >= LEAST_PHOTOS
    assert len(photos) - len(held) >= 8


def test_the_draw_does_not_depend_on_the_order_of_the_list() -> None:
    assert drawn(dict(reversed(counts().items()))) == HELD_OUT


def test_faces_scenes_and_what_calibrated_before_are_learned_from() -> None:
    sources = ("celeba", "gcompris-qt-data", "lomiri-wallpapers", "endless-sky-nasa", "skimage")
    assert {role_of(source) for source in sources} == {"learn"}
    assert not [source for source in HELD_OUT if source.startswith(NOT_DRAWN)]


def test_a_source_is_held_out_whole_and_stands_for_one_kind_of_picture() -> None:
    kinds = {source: {k for k, s in counts() if s == source} for source in HELD_OUT}
    assert all(len(found) == 1 for found in kinds.values()), kinds


@pytest.mark.parametrize(
    ("title", "source"),
    [
        ("city18-iridium", "endless-sky-iridium"),
        ("snow10", "endless-sky-unsplash"),
        ("snow5", "endless-sky-morguefile"),
        ("loc1", "endless-sky-loc"),
        ("lava0", "endless-sky-usgs"),
    ],
)
def test_a_landscape_s_source_is_its_author_or_where_it_was_taken_from(
    title: str, source: str
) -> None:
    assert calibration_source(title) == source


def test_listed_files_are_kept_byte_for_byte_and_others_passed_over() -> None:
    one = Listed("usr/share/kalzium/a.jpg", "kalzium", "photo", "a.jpg")
    members = [("usr/share/kalzium/a.jpg", b"bytes"), ("usr/share/kalzium/b.jpg", b"other")]
    assert list(pictures_in(members, [one])) == [(one, b"bytes")]


def test_of_a_cut_out_the_largest_square_without_transparency_is_kept() -> None:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (120, 150, 4), dtype=np.uint8)
    pixels[..., 3] = 0
    pixels[10:90, 40:110, 3] = 255  # 80 rows, 70 columns
    pixels[100:120, 0:150, 3] = 254  # nearly opaque is not opaque
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    one = Listed("a.png", "stamps", "cutout", "a.png")
    [(_, data)] = pictures_in([("a.png", file.getvalue())], [one])
    assert data == opaque_square(file.getvalue())
    with Image.open(io.BytesIO(data)) as kept:
        assert kept.mode == "RGB"
        assert np.array_equal(np.asarray(kept), pixels[10:80, 40:110, :3])


def test_a_kind_that_is_none_is_refused(tmp_path: Path) -> None:
    text = LIST.read_text().replace('kind = "telescope"', 'kind = "starlight"', 1)
    (tmp_path / "list.toml").write_text(text)
    with pytest.raises(StopError, match="of kind 'starlight', which is none"):
        listed_pictures(tmp_path / "list.toml")


def test_a_program_that_is_not_here_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.which", lambda program: None)
    package = fetch.Package("admin-lte", "1", "admin-lte-1.tgz", "0" * 64)
    with pytest.raises(StopError, match=r"needs npm, which is not here; put admin-lte-1.tgz"):
        fetch.fetch(package, tmp_path)


def test_a_source_is_asked_of_the_mirror_that_has_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for apt-get prints an address as it does; the source stands in the same folder."""
    stand_in = tmp_path / "apt-get"
    stand_in.write_text("#!/bin/sh\necho \"'file:///pool/x/x_1-1_amd64.deb' x_1-1_amd64.deb 5\"\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    monkeypatch.setattr(fetch, "APT_HELPER", stand_in)
    package = fetch.Package("x", "1", "x_1.orig.tar.gz", "0" * 64)
    command = fetch._source_command(package)
    address = "file:///pool/x/x_1.orig.tar.gz"
    assert command[1:] == ["download-file", address, package.file, f"SHA256:{package.sha256}"]
