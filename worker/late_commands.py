"""Commands that are imported when one of them is asked for: `--help` needs their names alone.

A package says what it adds as rows (kind, name, line, where), so that the one above it need not be
imported for a class to say it with:

    kind   "command", "group", or "within" for what joins a group of another row
    name   what the user types
    line   what `latentprint --help` says of it: the first paragraph of its own help
    where  "module:function"; the function adds it, and what else its module has, to a typer app

This is the lazily loaded group of click's manual ("Lazily Loading Subcommands"), but for the line:
click imports every command to list them.
"""

from collections.abc import Iterable, Sequence
from pkgutil import resolve_name
from typing import Any, Literal

import typer
from typer.core import TyperCommand, TyperGroup

from worker.loading import loading

Row = tuple[Literal["command", "group", "within"], str, str, str]


def late_group(rows: Iterable[Row]) -> type["LateGroup"]:
    """The class of a group with these commands, as `typer.Typer(cls=...)` wants it."""
    ordered = sorted(rows, key=lambda row: row[0] != "command")  # typer shows groups at the end

    class Group(LateGroup):
        rows = tuple(ordered)

    return Group


class LateGroup(TyperGroup):
    """A group that knows the name and the line of each command, and imports the one that is run."""

    rows: Sequence[Row] = ()

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for kind, name, line, _ in self.rows:
            if kind != "within":
                self.add_command(TyperCommand(name, help=line))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the command that the words ask for; called when it is about to run."""
        if args and args[0] in self.commands:
            self.load(args[0])
        return super().resolve_command(ctx, args)

    def load(self, name: str) -> None:
        """Put the command itself in the place of its name and line."""
        app = typer.Typer()
        app.callback()(_nothing)  # an app of one command is else no group
        with loading():
            for where in dict.fromkeys(row[3] for row in self.rows if row[1] == name):
                resolve_name(where)(app)
        group: Any = typer.main.get_command(app)
        self.add_command(group.commands[name])

    def load_all(self) -> "LateGroup":
        """Itself with every command imported: for who writes or checks all of them."""
        for name in self.commands:
            self.load(name)
        return self


def _nothing() -> None:
    pass
