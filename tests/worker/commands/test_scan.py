"""Local files: verdicts without Kafka."""

import hashlib
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.worker.extractor.tiny_bundle import (
    LIMITS,
    TinyBundle,
    jpeg_in_png,
    made_png,
    real_jpeg,
    real_png,
)
from tests.worker.judge.judging import Bench
from worker.commands.local_files import scan_command
from worker.commands.scan import file_verdict_id, scan
from worker.decoder.decode import DecodedImage, decode
from worker.errors import StopError
from worker.extractor.bundle import load_bundle
from worker.extractor.extract import BlockExtractor


@pytest.fixture(scope="module")
def bench(tiny_bundle: TinyBundle) -> Bench:
    bundle = load_bundle(tiny_bundle.path)
    made = Bench(bundle, BlockExtractor(bundle))
    made.register("checks")
    return made


def decoded(data: bytes) -> DecodedImage:
    return decode(data, LIMITS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six files, and two things that are passed over, in the order in which they will be met."""
    root = tmp_path / "files"
    (root / "inner").mkdir(parents=True)
    (root / "a.png").write_bytes(real_png(1))
    (root / "b.png").write_bytes(b"no image at all")
    (root / "c.png").write_bytes(made_png("checks", 2))
    os.mkfifo(root / "d.png")
    (root / "e.jpg").write_bytes(real_jpeg(3, 85)[:-300])
    (root / "inner" / "f.png").write_bytes(made_png("rows", 4))
    (root / "inner" / "g.png").write_bytes(real_png(5, 16))
    (root / "notes.txt").write_bytes(b"passed over")
    return root


def refuse_to_read(refused: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As another user's file would; the tests may run as root, who reads everything."""
    read = Path.read_bytes

    def reading(path: Path) -> bytes:
        if path == refused:
            raise PermissionError(13, "Permission denied")
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", reading)


def scanned(bench: Bench, paths: list[Path], batch: int = 4) -> list[dict[str, Any]]:
    return list(scan(paths, decoded, bench.pipeline(), bench.view(), batch))


def test_every_file_has_a_document_in_order(bench: Bench, folder: Path) -> None:
    found = scanned(bench, [folder])
    assert [(d["record"], d["subject"], d.get("outcome") or d.get("code")) for d in found] == [
        ("verdict", "a.png", "no_evidence"),
        ("dead_letter", "b.png", "decode.unsupported"),
        ("verdict", "c.png", "attributed"),
        ("dead_letter", "e.jpg", "decode.truncated"),
        ("verdict", "inner/f.png", "unknown_generator"),
        ("verdict", "inner/g.png", "undetermined"),
    ]
    assert found[2]["model"] == "checks"


def test_a_jpeg_of_too_low_a_quality_is_undetermined_in_a_png_too(
    bench: Bench, tmp_path: Path
) -> None:
    (tmp_path / "a.jpg").write_bytes(real_jpeg(17, 20))
    (tmp_path / "b.png").write_bytes(jpeg_in_png(17, 20))
    for document in scanned(bench, [tmp_path]):
        assert document["outcome"] == "undetermined"
        assert document["reasons"] == ["jpeg_quality_too_low"]
        assert document["name_test"] is None
    assert document["evidence"]["earlier_jpeg_quality"] == 20


def test_a_file_that_cannot_be_read_keeps_its_place(
    bench: Bench, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_to_read(folder / "c.png", monkeypatch)
    found = scanned(bench, [folder])
    assert [d["record"] for d in found[:4]] == [
        "verdict",
        "dead_letter",
        "unreadable",
        "dead_letter",
    ]
    assert found[2] == {
        "record": "unreadable",
        "subject": str(folder / "c.png"),
        "message": "Permission denied",
    }


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_the_size_of_the_batch_changes_nothing(batch: int, bench: Bench, folder: Path) -> None:
    def essence(documents: list[dict[str, Any]]) -> list[object]:
        return [(d["subject"], d.get("outcome"), d.get("verdict_id")) for d in documents]

    assert essence(scanned(bench, [folder], batch)) == essence(scanned(bench, [folder]))


def test_ids_follow_from_the_bytes_and_the_bundle_and_not_from_the_place_in_a_scan(
    bench: Bench, folder: Path
) -> None:
    shutil.copy(folder / "a.png", folder / "z.png")
    (first,) = scanned(bench, [folder / "a.png"])
    (other,) = scanned(bench, [folder / "c.png"])
    copies = [d for d in scanned(bench, [folder]) if d["subject"] in ("a.png", "z.png")]
    for name in ("verdict_id", "event_id"):
        assert first[name] != other[name]
        assert [copy[name] for copy in copies] == [first[name]] * 2
    assert str(file_verdict_id("0" * 64, "one")) != str(file_verdict_id("0" * 64, "two"))


def test_a_rejected_file_says_why_as_a_dead_letter_does(bench: Bench, folder: Path) -> None:
    (document,) = scanned(bench, [folder / "b.png"])
    assert document["message"].startswith("this is text; JPEG, PNG or WebP is expected")
    assert {k: v for k, v in document.items() if k != "message"} == {
        "record": "dead_letter",
        "subject": "b.png",
        "event_id": hashlib.sha256(b"no image at all").hexdigest(),
        "code": "decode.unsupported",
        "reason": "decode.unsupported",
        "stage": "decode",
        "topic": "scan",
        "partition": 0,
        "offset": 0,
        "attempts": 1,
    }


def test_a_name_that_is_not_utf8_is_shown_and_kept_exactly(bench: Bench, tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    for data in (real_png(6), b"broken"):
        Path(os.fsdecode(path)).write_bytes(data)
        (document,) = scanned(bench, [tmp_path])
        assert document["subject"] == "caf\\xe9.png"
        assert document["subject_base64"] == "Y2Fm6S5wbmc="


def test_a_path_that_does_not_exist_is_wrong_use(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(StopError, match="no such file or folder") as caught:
        scanned(bench, [tmp_path / "none"])
    assert caught.value.exit_code == 2


def test_a_path_that_does_not_exist_is_told_before_anything_is_loaded(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def loads(*_: object, **__: object) -> None:
        raise AssertionError("the bundle and the decoders were about to be loaded")

    monkeypatch.setattr("worker.commands.workshop.open_workshop", loads)
    with pytest.raises(StopError, match="no such file or folder"):
        scan_command([tmp_path / "none"])


@pytest.mark.parametrize("name", ["x.jfif", "x.png.1", "x"])
def test_a_file_that_is_named_is_judged_whatever_its_suffix(
    bench: Bench, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(real_png(1))
    (document,) = scanned(bench, [tmp_path / name])
    assert (document["record"], document["subject"]) == ("verdict", name)
    assert scanned(bench, [tmp_path]) == []


def test_what_is_left_out_of_a_folder_is_told(bench: Bench, folder: Path) -> None:
    told: list[str] = []
    documents = scan(
        [folder],
        decoded,
        bench.pipeline(),
        bench.view(),
        4,
        workers=3,
        skipped=lambda file: told.append(file.why),
    )
    subjects = [document["subject"] for document in documents]
    assert subjects == ["a.png", "b.png", "c.png", "e.jpg", "inner/f.png", "inner/g.png"]
    assert sorted(told) == ["no image by its name", "not a regular file"]
