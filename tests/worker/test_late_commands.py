"""What is listed costs nothing: a command is imported when it is asked for, and no other is."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from tests.worker.extractor.tiny_bundle import real_png
from worker import late_commands, program
from worker.late_commands import Row, late_group

HEAVY = (
    "kafka",
    "redis",
    "torch",
    "numba",
    "scipy",
    "PIL",
    "numpy",
    "structlog",
    "worker.settings",
)
"""Each takes longer to import than `--help` may last, or is the way to something that does."""


def imported(*arguments: str) -> set[str]:
    """The packages that a process of its own has imported once it has run these words."""
    code = (
        "import sys, json; from worker.program import main; main(sys.argv[1:]);"
        "print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return set(json.loads(ended.stderr.splitlines()[-1]))


@pytest.mark.parametrize("arguments", [["--help"], ["no-such-command"], []])
def test_who_runs_no_command_imports_none(arguments: list[str]) -> None:
    modules = imported(*arguments)
    assert "typer" in modules
    assert modules.intersection(HEAVY) == set()
    assert "worker.commands.run" not in modules


def test_one_command_brings_no_other() -> None:
    modules = imported("health", "--help")
    assert "worker.commands.health" in modules
    assert modules.isdisjoint({"kafka", "redis", "torch", "numba", "worker.commands.stream"})


def test_scan_brings_no_service_and_no_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(real_png(1))
    monkeypatch.setenv("LATENTPRINT_EXTRACT__DEVICE", "cpu")
    modules = imported("scan", str(tmp_path / "a.png"))
    assert "worker.judge.pipeline" in modules
    assert modules.isdisjoint({"kafka", "redis", "torch", "torchvision"})


def test_a_start_that_kafka_refuses_has_loaded_nothing_to_judge_with() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        modules = imported("run", "--brokers", "{}:{}".format(*taken.getsockname()))
    assert "kafka" in modules
    assert modules.isdisjoint({"redis", "torch", "numba", "worker.extractor.extract"})


def test_the_lines_of_the_list_are_those_of_the_commands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`--help` says the same before a command is imported and after, names, order and all."""
    monkeypatch.setattr(os, "get_terminal_size", lambda *_: os.terminal_size((200, 50)))
    before = CliRunner().invoke(program.build_app(), ["--help"]).output
    load = late_commands.LateGroup.__init__

    def at_once(self: late_commands.LateGroup, **attributes: object) -> None:
        load(self, **attributes)
        self.load_all()

    monkeypatch.setattr(late_commands.LateGroup, "__init__", at_once)
    assert CliRunner().invoke(program.build_app(), ["--help"]).output == before
    assert "Run the worker: read image events" in before


def test_a_word_that_is_no_command_is_refused_with_what_it_may_have_been() -> None:
    ended = CliRunner().invoke(program.build_app(), ["scam"])
    assert ended.exit_code == 2
    assert "No such command 'scam'" in ended.output
    assert "scan" in ended.output


def test_a_group_takes_in_what_another_package_adds_to_it() -> None:
    registry: Any = program.every_command().commands["registry"]
    assert {"list", "calibrate"} <= set(registry.commands)


def test_a_command_that_cannot_be_imported_is_told_and_hides_no_other() -> None:
    rows: list[Row] = [
        ("command", "broken", "Is not there.", "worker.no_such_module:contribute"),
        ("command", "health", "Is there.", "worker.commands.health:contribute"),
    ]
    app = typer.Typer(cls=late_group(rows))
    app.callback()(lambda: None)
    assert "Is not there." in CliRunner().invoke(app, ["--help"]).output
    assert CliRunner().invoke(app, ["health", "--help"]).exit_code == 0
    assert isinstance(CliRunner().invoke(app, ["broken"]).exception, ModuleNotFoundError)
