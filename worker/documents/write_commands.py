"""Writes docs/commands.md from the program's own command tree: `make schemas`.

A test keeps the file equal to what is written here, so that no command or flag is undocumented.
"""

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from worker.program import every_command

FILE = Path(__file__).resolve().parents[2] / "docs" / "commands.md"

_HEAD = """# Commands

Generated from the program by `make schemas`; do not edit.
`latentprint COMMAND --help` shows the same.
"""


def document() -> str:
    """The page: every command with its arguments and options, in the order of the program."""
    return "\n".join([_HEAD, *_sections(every_command(), "latentprint")])


def _sections(command: Any, name: str) -> Iterator[str]:
    """`command` is typer's: whose copy of click it descends from depends on typer's version."""
    inner = getattr(command, "commands", None)
    if inner is not None:
        if command.invoke_without_command:  # it does something by itself
            yield from _section(command, name)
        for own_name, child in inner.items():
            yield from _sections(child, f"{name} {own_name}")
        return
    yield from _section(command, name)


def _section(command: Any, name: str) -> Iterator[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    words = [f"`{name}", *(_word(argument) for argument in arguments)]
    yield f"## {' '.join(words)}`\n"
    yield inspect.cleandoc(command.help or "") + "\n"
    if arguments:
        yield "| argument | meaning |\n|---|---|"
        yield from (f"| `{_word(argument)}` | {_meaning(argument)} |" for argument in arguments)
        yield ""
    yield "| option | meaning |\n|---|---|"
    for option in options:
        flags = ", ".join(f"`{flag}`" for flag in (*option.opts, *option.secondary_opts))
        yield f"| {flags} | {_meaning(option)} |"
    yield ""


def _word(argument: Any) -> str:
    word: str = argument.metavar or argument.name.upper()
    return word + ("…" if argument.nargs == -1 else "")


def _meaning(parameter: Any) -> str:
    """The help text, and the default where the text does not speak of one."""
    text = str(parameter.help or "").replace("|", "\\|")
    default = getattr(parameter.default, "value", parameter.default)
    told = "default" in text.lower() or parameter.required or getattr(parameter, "is_flag", False)
    if not told and isinstance(default, str | int | float) and default != "":
        text = f"{text.removesuffix('.')}; default: `{default}`."
    return text


if __name__ == "__main__":
    FILE.write_text(document(), encoding="utf-8")
    print(FILE.name)
