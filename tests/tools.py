"""Programs that tests of operation need: had, or the test is skipped, in CI failed."""

import os

import pytest

from deploy.tools.debian import Tool, find_tool
from deploy.tools.errors import ToolUnavailable


def tool(program: str) -> Tool:
    """The program; where it cannot be had, the test is skipped with the reason, in CI it fails."""
    try:
        return find_tool(program)
    except ToolUnavailable as missing:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(missing))
