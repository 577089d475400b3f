"""The command-line program: every package contributes its commands through an entry point.

Each package has its own tree of errors, since none may import the one above it. What joins them is
a contract: an error that a package raises on purpose carries `exit_code`, an int, and a sentence
that says what to do; it is printed without a traceback. Whatever carries none is a bug.

Exit codes: 0 done, 1 failed, 2 wrong use or settings, 3 a service cannot be reached, 4 refused by a
gate, 70 an unexpected error (a bug), 75 a call that hung, no decoder
child, 130 interrupted.
"""

import io
import os
import sys
import traceback
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec

import typer

from fingerprint_db.names import printable
from worker.compiled_loops import keep_by_sources
from worker.errors import LatentprintError, RejectError, RetryError, StopError
from worker.late_commands import LateGroup, late_group

GROUP = "latentprint.commands"
UNEXPECTED_EXIT_CODE = 70
"""EX_SOFTWARE of sysexits.h; told apart from 1 so that a supervisor may try again."""

_NO_PLACE_FOR_CODE = "cannot cache function"
"""What numba says where a module with loops to compile is loaded, as RuntimeError."""


def build_app() -> typer.Typer:
    """The program with the commands of every installed package, in order of their names.

    What a package adds are rows of `worker/late_commands.py`: no command is imported before it is
    asked for.
    """
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    app = typer.Typer(
        cls=late_group(row for point in points if _is_here(point) for row in point.load()()),
        name="latentprint",
        help="Reads the fingerprints that image generators leave, on a stream.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )

    @app.callback()
    def program() -> None:
        """Reads the fingerprints that image generators leave, on a stream."""

    return app


def every_command() -> LateGroup:
    """The program with all of its commands imported: for who writes or checks all of them."""
    group = typer.main.get_command(build_app())
    assert isinstance(group, LateGroup)
    return group.load_all()


def _is_here(entry_point: EntryPoint) -> bool:
    """Whether the package is there at all: an image of the worker leaves out training."""
    return find_spec(entry_point.module.partition(".")[0]) is not None


def run_app(app: typer.Typer, arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; our own errors are printed without a traceback."""
    try:
        result = app(args=arguments, standalone_mode=False)
    except typer.Exit as ended:
        return ended.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return _say("interrupted", 130)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Exception as error:  # the outermost place: whatever it is becomes an exit code
        return report(error)
    return result if isinstance(result, int) else 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The entry point of the `latentprint` script."""
    keep_by_sources(os.environ)  # here, before any command imports numba
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A model's name may be in a script that the terminal cannot show; better an escape
            # than an end in the middle, after something was written.
            stream.reconfigure(errors="backslashreplace")
    try:
        app = build_app()
    except Exception as error:  # a command that cannot be loaded must still say so
        return report(error)
    return run_app(app, arguments)


def report(error: Exception) -> int:
    """Print what went wrong: a sentence for what is ours or foreseen, a traceback for a bug."""
    if isinstance(error, StopError):
        return _say(f"error: {error}", error.exit_code)
    if isinstance(error, RetryError):
        return _say(f"error: {error}", 3)
    if isinstance(error, RejectError):
        return _say(f"error: {error.code}: {error.message}", 1)
    if isinstance(error, LatentprintError):
        return _say(f"error: {error}", 1)
    # Wrong usage: typer exports no base class of these errors, but each can show itself.
    show = getattr(error, "show", None)
    if callable(show):
        show()
        return 2
    code = getattr(error, "exit_code", None)
    if isinstance(code, int):  # the contract above: an error of another package
        return _say(f"error: {error}", code)
    if isinstance(error, RuntimeError) and str(error).startswith(_NO_PLACE_FOR_CODE):
        return _say(
            "error: the loops over pixels are compiled once and kept, and no folder for that can be"
            " written: not NUMBA_CACHE_DIR, nor beside the program's modules, nor .cache/numba in"
            " HOME; set NUMBA_CACHE_DIR to a folder that this user can write, and no other user",
            2,
        )
    traceback.print_exc()
    return _say(
        f"unexpected {type(error).__name__}; this is a bug, please report it with the lines above",
        UNEXPECTED_EXIT_CODE,
    )


def _say(message: str, code: int) -> int:
    # Messages repeat names of files and models, and what services answered.
    print("\n".join(map(printable, message.split("\n"))), file=sys.stderr, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
