"""What the Python files of the product import, read off their syntax trees."""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PRODUCT = ("fingerprint_db", "worker", "training", "deploy")


def product_files() -> list[Path]:
    """Every Python file of the product."""
    return [path for package in PRODUCT for path in python_files(ROOT / package)]


def python_files(folder: Path) -> list[Path]:
    """Every Python file below `folder`, sorted."""
    return sorted(folder.rglob("*.py"))


def parsed(path: Path) -> ast.Module:
    """The file's syntax tree; a file that does not parse fails the test that asks."""
    return parsed_text(path.read_text(encoding="utf-8"), str(path))


@functools.cache
def parsed_text(text: str, name: str) -> ast.Module:
    """The text's syntax tree, made once for all tests."""
    return ast.parse(text, filename=name)


def imported_modules(path: Path, package: str) -> Iterator[tuple[int, str]]:
    """Line and absolute name of each import, wherever it stands, `import_module("…")` included.

    `package` is the dotted package that the file belongs to, for relative imports.
    """
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.lineno, node.module or ""
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1]
            yield node.lineno, ".".join([*parents, node.module or ""]).strip(".")
        elif isinstance(node, ast.Call) and called_name(node).endswith(
            ("import_module", "__import__")
        ):
            for argument in node.args[:1]:
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                    yield node.lineno, argument.value


def called_name(node: ast.Call) -> str:
    """The dotted name that is called, "" where it is not a plain name."""
    parts: list[str] = []
    called: ast.expr = node.func
    while isinstance(called, ast.Attribute):
        parts.append(called.attr)
        called = called.value
    return ".".join(reversed([*parts, called.id])) if isinstance(called, ast.Name) else ""


def imported_names(path: Path, package: str) -> Iterator[tuple[int, str]]:
    """As `imported_modules`, and `from a.b import c` as a.b.c too, which may be a module."""
    yield from imported_modules(path, package)
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)
