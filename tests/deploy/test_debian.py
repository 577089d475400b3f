"""Programs from Debian's packages."""

import os
import subprocess
from pathlib import Path

import pytest

from deploy.tools.debian import PACKAGES, find_tool
from deploy.tools.errors import ToolUnavailable
from tests.tools import tool


@pytest.mark.parametrize("program", sorted(PACKAGES))
def test_each_program_runs_and_says_its_version(program: str) -> None:
    found = tool(program)
    answer = subprocess.run(
        [str(found.path), "--version"],
        capture_output=True,
        text=True,
        env=os.environ | found.environment,
        check=True,
    )
    assert "ersion" in answer.stdout + answer.stderr or "v=" in answer.stdout


def test_without_apt_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATENTPRINT_CACHE", str(tmp_path))
    monkeypatch.setattr("shutil.which", lambda program: None)
    with pytest.raises(ToolUnavailable, match=r"promtool is not on the PATH.*install promtool"):
        find_tool("promtool")


def test_a_program_that_nobody_declared_is_not_looked_for() -> None:
    with pytest.raises(KeyError):
        find_tool("curl")
