"""`register`: names and files may be called anything, and what is refused is refused at once."""

import io
import json
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from fingerprint_db.names import model_id_of
from fingerprint_db.redis_store.registry import RedisRegistry
from tests.worker.commands.local_program import run_local
from tests.worker.extractor.tiny_bundle import TinyBundle, varied_png
from worker.errors import StopError

SAMPLES = 12


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    """Enough pictures of one generator for a provisional entry, of several sizes."""
    folder = tmp_path / "samples"
    folder.mkdir()
    for number in range(SAMPLES):
        side = (64, 64, 48, 40)[number % 4]
        (folder / f"{number:02}.png").write_bytes(varied_png("checks", number, side))
    return folder


def test_the_report_says_what_to_expect_under_each_condition(
    tiny_bundle: TinyBundle, tmp_path: Path, redis_url: str
) -> None:
    """JPEG samples are enrolled for what they can become, and nothing else is promised."""
    for number in range(SAMPLES):
        image = Image.open(io.BytesIO(varied_png("checks", number, (64, 64, 48, 40)[number % 4])))
        image.save(tmp_path / f"{number:02}.jpg", quality=85)
    result = run_local(
        tiny_bundle, "register", "x", str(tmp_path), "--redis", redis_url, "--dry-run"
    )
    assert result.exit_code in (0, 4), result.output
    said = result.stdout
    assert "jpeg75" in said
    assert "100%" in said
    assert "not enrolled under lossless, half_lossless: 12 samples were compressed already" in said
    assert "12 samples were compressed at a lower quality already" in said
    assert "sources of photographs (the furthest source:" in said
    assert "provisional: below 40 samples, verdicts name the family only" in said


def test_names_may_hold_what_a_terminal_or_a_markup_would_take_as_its_own(
    tiny_bundle: TinyBundle, samples: Path, redis_url: str
) -> None:
    inner = samples / "a["
    inner.mkdir()
    (inner / "b].png").write_bytes(b"no image [/red]")
    (samples / "\x1b[31m.png").write_bytes(b"no image")
    result = run_local(
        tiny_bundle, "register", "gen[/x] [bold]", str(samples), "--redis", redis_url
    )
    assert result.exit_code == 0, result.output
    assert "registered gen[/x] [bold] as gen-x-bold (live), revision 1" in result.stdout
    assert "left out a[/b].png: decode.unsupported" in result.stdout
    assert r"left out \x1b[31m.png: decode.unsupported" in result.stdout
    assert "gen[/x] [bold]: 12 distinct samples" in result.stdout
    assert "\x1b" not in result.stdout
    assert registered(redis_url, tiny_bundle.digest) == [("gen-x-bold", "gen[/x] [bold]")]


def test_a_name_in_another_script_is_registered_under_an_id_of_its_own(
    tiny_bundle: TinyBundle, samples: Path, redis_url: str
) -> None:
    result = run_local(
        tiny_bundle, "register", "生成器", str(samples), "--redis", redis_url, "--json"
    )
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    assert document["name"] == "生成器"
    assert document["model_id"] == model_id_of("生成器")
    first = document["conditions"][0]
    assert first["condition"] == "lossless"
    assert first["at_least"] < first["recognised"] <= first["at_most"]
    assert document["not_enrolled"][0]["condition"] == "half_lossless"
    assert registered(redis_url, tiny_bundle.digest) == [(document["model_id"], "生成器")]


@pytest.mark.parametrize("name", ["", " ", "a\x1b[31m", "a\u202eb", "x" * 201])
def test_a_name_that_cannot_be_taken_is_refused_before_anything_is_opened(
    tiny_bundle: TinyBundle, samples: Path, name: str
) -> None:
    result = run_local(tiny_bundle, "register", name, str(samples), "--redis", "redis://[::1]:1/0")
    assert isinstance(result.exception, StopError)
    assert result.exception.exit_code == 2


def test_a_name_that_is_taken_is_refused_before_any_sample_is_read(
    tiny_bundle: TinyBundle, samples: Path, tmp_path: Path, redis_url: str
) -> None:
    first = run_local(tiny_bundle, "register", "Checks", str(samples), "--redis", redis_url)
    assert first.exit_code == 0, first.output
    (tmp_path / "none").mkdir()
    again = run_local(
        tiny_bundle, "register", "checks", str(tmp_path / "none"), "--redis", redis_url
    )
    assert isinstance(again.exception, StopError)
    assert again.exception.exit_code == 4
    assert "gives the id 'checks', which belongs to 'Checks' (live)" in str(again.exception)


def test_sixty_files_of_one_picture_are_refused(
    tiny_bundle: TinyBundle, tmp_path: Path, redis_url: str
) -> None:
    image = Image.open(io.BytesIO(varied_png("checks", 1)))
    for number in range(60):
        info = PngInfo()
        info.add_text("Comment", f"number {number}")
        image.save(tmp_path / f"{number:02}.png", pnginfo=info)
    result = run_local(
        tiny_bundle, "register", "one", str(tmp_path), "--redis", redis_url, "--json"
    )
    assert result.exit_code == 4, result.output
    document = json.loads(result.stdout)
    assert (document["samples"], document["registered"]) == (1, False)
    assert len(document["left_out"]) == 59
    assert document["left_out"][0]["why"] == "the same picture as 00.png"
    assert document["refusals"][0].startswith("too few samples: 1 usable")


def test_what_is_unusual_stands_in_the_report(
    tiny_bundle: TinyBundle, tmp_path: Path, redis_url: str
) -> None:
    for number in range(12):
        kind = ("P", "CMYK", "RGBA")[number % 3]
        side = (40, 64, 128)[number % 3]
        image = Image.open(io.BytesIO(varied_png("checks", number, side))).convert(kind)
        if kind == "CMYK":
            image.save(tmp_path / f"{number:02}.jpg", quality=95)
        else:
            image.save(tmp_path / f"{number:02}.png")
    arguments = ("register", "odd", str(tmp_path), "--redis", redis_url, "--dry-run")
    result = run_local(tiny_bundle, *arguments)
    assert result.exit_code in (0, 4), result.output
    for said in (
        "unusual: the samples are stored as 4 P, 4 CMYK, 4 RGBA.",
        "unusual: the samples have 3 sizes, from 40x40 to 128x128 pixels.",
        "unusual: 4 of 12 samples have a side below 48 pixels",
        "unusual: 4 of 12 samples were compressed with loss already, JPEG quality 95 to 95.",
    ):
        assert said in result.stdout, result.stdout


def registered(url: str, space: str) -> list[tuple[str, str]]:
    """Id and name of every model in the registry at `url`."""
    registry = RedisRegistry(url)
    try:
        return [(model.model_id, model.name) for model in registry.list(space)]
    finally:
        registry.close()
