"""`pool`: what scan and watch print, taken together by folder, source or any field."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tests.worker.commands.local_program import in_local_environment, run_local
from tests.worker.extractor.tiny_bundle import TinyBundle, made_png, real_png
from worker.commands import pool
from worker.commands.pool import grouped
from worker.errors import StopError

SPACE = "c3" * 32


def line(subject: str | None, real_p: float = 0.5, **changes: Any) -> str:
    document = {
        "record": "verdict",
        "outcome": "no_evidence",
        "flagged": False,
        "bundle_digest": SPACE,
        "subject": subject,
        "source": "/shop",
        "name_test": {"p_value": 1.0},
        "real_test": {"p_value": real_p, "calibration_bin": "jpeg75/384_up"},
        **changes,
    }
    return json.dumps(document)


def test_verdicts_are_grouped_by_folder_source_or_a_field() -> None:
    lines = [
        line("ada/1.png"),
        line("bob/inner/2.png", account=7),
        line("ada/3.png", flagged=True, model="x", account=7),
        line("4.png", source="/other"),
    ]
    left_out: Counter[str] = Counter()
    by_folder = grouped(lines, "folder", SPACE, left_out)
    assert [(g.name, len(g.bins), g.flagged) for g in by_folder] == [
        ("ada", 2, 1),
        ("bob/inner", 1, 0),
        (".", 1, 0),
    ]
    assert by_folder[0].bins == [("jpeg75", 3)] * 2
    assert by_folder[0].models == {"x": 1}
    by_source = grouped(lines, "source", SPACE, left_out)
    assert [(g.name, len(g.bins)) for g in by_source] == [("/shop", 3), ("/other", 1)]
    assert left_out.total() == 0
    by_account = grouped(lines, "account", SPACE, left_out)
    assert [(g.name, len(g.bins)) for g in by_account] == [("7", 2)]
    assert left_out == {"without account": 2}


def test_lines_that_are_of_no_use_are_counted_by_reason() -> None:
    left_out: Counter[str] = Counter()
    lines = [
        "no json",
        "[1]",
        "",
        json.dumps({"record": "dead_letter", "code": "schema"}),
        line("a/1.png", bundle_digest="d4" * 32),
        line(None),
        line("a/2.png", real_test=None, outcome="undetermined"),
        line("a/3.png", real_p=0.0),
        line("a/4.png", real_test={"p_value": 0.1, "calibration_bin": "gif/huge"}),
        line("a/5.png"),
    ]
    (group,) = grouped(lines, "folder", SPACE, left_out)
    assert len(group.bins) == 1
    assert left_out == {
        "no JSON object": 2,
        "no verdict": 1,
        "of another bundle": 1,
        "without folder": 1,
        "undetermined before anything was measured": 3,
    }


def run(bundle: TinyBundle, *arguments: str, typed: str = "") -> Any:
    app = typer.Typer()
    pool.contribute(app)
    with in_local_environment(bundle) as environment:
        return CliRunner().invoke(app, list(arguments), env=environment, input=typed)


@pytest.fixture
def scanned(tiny_bundle: TinyBundle, tmp_path: Path) -> str:
    """Verdicts on two folders: photographs, and what an unregistered generator made."""
    for folder in ("ada", "bob"):
        (tmp_path / folder).mkdir()
        for number in range(8):
            data = real_png(number) if folder == "ada" else made_png("rows", number)
            (tmp_path / folder / f"{number}.png").write_bytes(data)
    result = run_local(tiny_bundle, "scan", str(tmp_path), "--json")
    assert result.exit_code == 0, result.output
    return result.stdout


def test_what_scan_prints_is_pooled_by_folder(
    tiny_bundle: TinyBundle, scanned: str, tmp_path: Path
) -> None:
    result = run(tiny_bundle, "--json", "--alpha", "0.02", typed=scanned)
    assert result.exit_code == 0, result.output
    bob, ada = map(json.loads, result.stdout.splitlines())
    assert (bob["group"], bob["outcome"], bob["images"]) == ("bob", "synthetic", 8)
    assert (ada["group"], ada["outcome"], ada["images"]) == ("ada", "no_evidence", 8)
    assert bob["calibration_groups"] == ada["calibration_groups"] > 50
    assert bob["p_value"] == 1 / (bob["calibration_groups"] + 1)
    assert ada["p_value"] > 0.02
    file = tmp_path / "verdicts.jsonl"
    file.write_text(scanned + "no json\n")
    text = run(tiny_bundle, str(file), "--alpha", "0.02")
    assert text.exit_code == 1
    assert text.stdout.splitlines()[0].startswith("synthetic      bob  8 images, 8 flagged  p=")
    assert "left out 1 lines: 1 no JSON object" in text.stderr


def test_a_level_that_too_few_groups_reach_is_undetermined(
    tiny_bundle: TinyBundle, scanned: str
) -> None:
    result = run(tiny_bundle, "--alpha", "0.001", typed=scanned)
    assert result.exit_code == 0
    assert result.stdout.count("undetermined") == 2
    assert "groups of 6 sources" in result.stdout


def test_a_file_that_is_not_there_is_wrong_use(tiny_bundle: TinyBundle, tmp_path: Path) -> None:
    result = run(tiny_bundle, str(tmp_path / "nowhere.jsonl"))
    assert isinstance(result.exception, StopError)
    assert "nowhere.jsonl cannot be read" in str(result.exception)
