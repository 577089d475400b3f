"""`explain`: the verdict of `scan`, and two files beside one another."""

import json
from pathlib import Path

import pytest

from tests.worker.commands.local_program import run_local
from tests.worker.extractor.tiny_bundle import TinyBundle, real_jpeg, real_png
from worker.errors import StopError


@pytest.fixture
def image(tmp_path: Path) -> Path:
    path = tmp_path / "a picture.png"
    path.write_bytes(real_png(1))
    return path


def test_a_page_is_written_twice_and_the_image_stays_as_it_is(
    tiny_bundle: TinyBundle, image: Path, tmp_path: Path
) -> None:
    before = image.read_bytes()
    result = run_local(tiny_bundle, "explain", str(image), "--out", str(tmp_path / "new" / "pages"))
    assert result.exit_code == 0, result.output
    written = sorted(path.name for path in (tmp_path / "new" / "pages").iterdir())
    assert written == ["a picture.png.explained.html", "a picture.png.explained.png"]
    html, png = (tmp_path / "new" / "pages" / name for name in written)
    assert html.read_text("utf-8").startswith("<!doctype html>")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert "no_evidence        a picture.png" in result.stdout
    assert f"wrote {html}" in result.stdout
    assert image.read_bytes() == before


def test_the_verdict_is_the_one_that_scan_gives(
    tiny_bundle: TinyBundle, image: Path, tmp_path: Path
) -> None:
    scanned = json.loads(run_local(tiny_bundle, "scan", str(image), "--json").stdout)
    out = str(tmp_path / "pages")
    result = run_local(tiny_bundle, "explain", str(image), "--out", out, "--json")
    document = json.loads(result.stdout)
    moving = {"record": "verdict", "created_at": document["verdict"]["created_at"]}
    assert {**scanned, **moving} == {**document["verdict"], "record": "verdict"}
    assert document["record"] == "explanation"
    assert [Path(path).is_file() for path in document["files"]] == [True, True]


def test_an_image_that_is_rejected_has_no_page(tiny_bundle: TinyBundle, tmp_path: Path) -> None:
    (tmp_path / "torn.jpg").write_bytes(real_jpeg(3, 85)[:-300])
    result = run_local(
        tiny_bundle, "explain", str(tmp_path / "torn.jpg"), "--out", str(tmp_path / "pages")
    )
    assert result.exit_code == 1
    assert "decode.truncated" in result.stdout
    assert not (tmp_path / "pages").exists()


@pytest.mark.parametrize("name", ["", "none.png"])
def test_what_is_no_file_is_wrong_use(tiny_bundle: TinyBundle, tmp_path: Path, name: str) -> None:
    result = run_local(tiny_bundle, "explain", str(tmp_path / name), "--out", str(tmp_path))
    assert isinstance(result.exception, StopError)
    assert result.exception.exit_code == 2


def test_a_folder_that_cannot_be_written_to_is_told(tiny_bundle: TinyBundle, image: Path) -> None:
    result = run_local(tiny_bundle, "explain", str(image), "--out", str(image / "pages"))
    assert isinstance(result.exception, StopError)
    assert result.exception.exit_code == 2
    assert "--out" in str(result.exception)
