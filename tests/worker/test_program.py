"""Every end of the program is an exit code and a sentence; a traceback is for bugs alone."""

import io
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import typer

from tests.worker.extractor.tiny_bundle import real_png
from worker import program
from worker.errors import RejectError, RetryError, StopError
from worker.program import run_app


class ForeignError(Exception):
    """An error of another package, with its own exit code."""

    exit_code = 4


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (StopError("no such topic", exit_code=2), 2, "error: no such topic"),
        (RetryError("brokers away"), 3, "error: brokers away"),
        (RejectError("decode.corrupt", "broken", stage="decode"), 1, "error: decode.corrupt"),
        (ForeignError("refused"), 4, "error: refused"),
        (KeyboardInterrupt(), 130, ""),
        (typer.Exit(7), 7, ""),
        (typer.BadParameter("no number"), 2, "no number"),
    ],
)
def test_foreseen_errors_are_told_without_a_traceback(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    app = typer.Typer()

    @app.command()
    def fail() -> None:
        raise error

    assert run_app(app, []) == code
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""


def test_a_package_that_is_not_there_contributes_nothing_and_hides_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An image of the worker has no training; a package that is there and broken is still told."""
    ours = EntryPoint("worker", "worker.commands.contribute:contribute", program.GROUP)
    absent = EntryPoint("absent", "no_such_package.commands:contribute", program.GROUP)
    monkeypatch.setattr(program, "entry_points", lambda group: [absent, ours])
    assert {"run", "scan", "dlq"} <= set(program.every_command().commands)
    assert "train" not in program.every_command().commands
    broken = EntryPoint("broken", "worker.no_such_module:contribute", program.GROUP)
    monkeypatch.setattr(program, "entry_points", lambda group: [broken, ours])
    with pytest.raises(ModuleNotFoundError):
        program.build_app()


def test_an_unexpected_error_shows_its_traceback_and_asks_for_a_report(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = typer.Typer()

    @app.command()
    def fail() -> None:
        raise ZeroDivisionError("a bug")

    assert run_app(app, []) == 70
    assert "Traceback" in (err := capsys.readouterr().err)
    assert "this is a bug" in err


def test_without_a_place_for_compiled_code_the_variable_that_names_one_is_told(
    tmp_path: Path,
) -> None:
    """As in a container whose files cannot be written: numba may look in the given place alone."""
    picture = tmp_path / "picture.png"
    picture.write_bytes(real_png(1))
    nowhere = {
        "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator",
        "NUMBA_CACHE_DIR": f"{picture}/no folder",
    }
    command = "import sys; from worker.program import main; sys.exit(main(sys.argv[1:]))"
    ended = subprocess.run(
        [sys.executable, "-c", command, "scan", str(picture)],
        env={**os.environ, **nowhere},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert "Traceback" not in ended.stderr
    assert "set NUMBA_CACHE_DIR to a folder that this user can write" in ended.stderr


def test_another_error_at_run_time_is_still_a_bug(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.report(RuntimeError("cannot go on")) == 70
    assert "this is a bug" in capsys.readouterr().err


def test_wrong_usage_is_shown_with_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    app = typer.Typer()

    @app.command()
    def nothing() -> None:
        """Do nothing."""

    assert run_app(app, ["--no-such-option"]) == 2
    shown = capsys.readouterr().err
    assert "Usage: " in shown
    assert "No such option: --no-such-option" in shown


def test_a_group_without_a_command_shows_its_help_and_no_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = typer.Typer(no_args_is_help=True)

    @app.command()
    def first() -> None:
        """Do the first."""

    @app.command()
    def second() -> None:
        """Do the second."""

    assert run_app(app, []) == 2
    captured = capsys.readouterr()
    assert "Do the second." in captured.out + captured.err
    assert "error" not in (captured.out + captured.err).lower()


def test_a_command_that_does_nothing_is_exit_0() -> None:
    app = typer.Typer()

    @app.command()
    def nothing() -> None:
        """Do nothing."""

    assert run_app(app, []) == 0


def test_names_that_the_terminal_cannot_show_are_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", narrow)
    monkeypatch.setattr(program, "build_app", lambda: said("生 registered"))
    assert program.main([]) == 0
    narrow.flush()
    assert narrow.buffer.getvalue() == b"\\u751f registered\n"


def test_an_error_never_brings_control_characters_to_the_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    app = typer.Typer()

    @app.command()
    def fail() -> None:
        raise StopError("no such file: a\x1b[31m\nsecond line")

    assert run_app(app, []) == 1
    assert capsys.readouterr().err == "error: no such file: a\\x1b[31m\nsecond line\n"


def said(text: str) -> typer.Typer:
    """A program of one command that prints `text`."""
    app = typer.Typer()

    @app.command()
    def say() -> None:
        print(text)

    return app
