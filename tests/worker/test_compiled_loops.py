"""Compiled loops are kept by what they are made of: no edit leaves old code in use."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from worker.compiled_loops import SOURCES, VARIABLE, keep_by_sources, places, sources_digest

ROOT = Path(__file__).resolve().parents[2]
CALLEE = "worker/extractor/blocks/lanes.py"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The folders with loops, to be edited."""
    for folder in SOURCES:
        (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        for path in (ROOT / folder).glob("*.py"):
            shutil.copy(path, tmp_path / folder)
    return tmp_path


def test_another_folder_is_used_once_a_file_is_changed_that_loops_only_call(tree: Path) -> None:
    before = sources_digest(tree)
    assert before == sources_digest(), "a copy is the same, wherever it lies"
    with (tree / CALLEE).open("a") as callee:
        callee.write("# changed\n")
    assert sources_digest(tree) != before


def test_every_loop_and_all_that_it_calls_lie_in_these_folders() -> None:
    """What is decorated, and what numba is told of new values and operations."""
    found = {
        path.parent.relative_to(ROOT).as_posix()
        for package in ("worker", "fingerprint_db")
        for path in (ROOT / package).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "numba"
    }
    assert found == set(SOURCES)


def test_the_folder_lies_where_it_is_named_and_a_child_takes_the_same(tmp_path: Path) -> None:
    environment = {VARIABLE: str(tmp_path)}
    keep_by_sources(environment)
    own = Path(environment[VARIABLE])
    assert own.parent == tmp_path
    assert own.is_dir()
    keep_by_sources(environment)
    assert environment == {VARIABLE: str(own)}
    assert list(tmp_path.iterdir()) == [own]


def test_without_a_name_it_lies_beside_the_program_or_in_the_users_home() -> None:
    beside, home = places({"HOME": "/home/somebody"})
    assert beside == ROOT / "worker" / "__pycache__"
    assert home == Path("/home/somebody/.cache/numba")


def test_a_place_that_cannot_be_written_is_left_to_be_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environment = {VARIABLE: str(tmp_path / "file" / "folder")}
    keep_by_sources(environment)
    assert environment == {VARIABLE: str(tmp_path / "file" / "folder")}


def test_the_last_folders_stay_and_older_ones_go(tmp_path: Path) -> None:
    for age in range(6):
        folder = tmp_path / f"loops-{age}"
        folder.mkdir()
        os.utime(folder, (1000 - age, 1000 - age))
    (tmp_path / "rows_1234").mkdir()
    environment = {VARIABLE: str(tmp_path)}
    keep_by_sources(environment)
    own = Path(environment[VARIABLE]).name
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {"rows_1234", own, "loops-0", "loops-1", "loops-2"}


def test_the_program_keeps_its_loops_there(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from worker.program import main\n"
        "main(['--help'])\n"
        "print(os.environ['NUMBA_CACHE_DIR'], 'numba' in sys.modules)"
    )
    environment = {**os.environ, VARIABLE: str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    folder = tmp_path / f"loops-{sources_digest()[:16]}"
    assert done.stdout.splitlines()[-1] == f"{folder} False"
    assert Path(os.environ[VARIABLE]).name == folder.name, "and so do these tests"
