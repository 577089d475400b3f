"""The documents know every command, flag, code, reason and figure, and name nothing that is not."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import more_pixels_page, reliability
from worker.documents import write_commands, write_figures, write_rights
from worker.metrics import METRICS
from worker.program import every_command

ROOT = Path(__file__).resolve().parent.parent
OPERATIONS = ROOT / "docs" / "operations.md"
README = ROOT / "README.md"


def documents() -> list[Path]:
    """Every Markdown file that is, or is about to be, part of the repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


# Commands ---------------------------------------------------------------------------------------


def test_the_page_of_commands_is_the_generated_one() -> None:
    assert read(write_commands.FILE) == write_commands.document(), (
        "run `make schemas` and look at the difference"
    )


def test_every_option_says_what_it_is_for() -> None:
    silent = re.findall(r"^\| (`.*`) \|\s*\|$", write_commands.document(), re.MULTILINE)
    assert silent == []


def command_names(command: Any, name: str = "latentprint") -> Iterator[str]:
    """`latentprint`, its groups and its commands, by the words a user types."""
    yield name
    for own_name, child in getattr(command, "commands", {}).items():
        yield from command_names(child, f"{name} {own_name}")


def test_every_command_that_a_document_speaks_of_exists() -> None:
    known = set(command_names(every_command()))
    groups = {name.rpartition(" ")[0] for name in known}
    unknown = []
    for path in documents():
        for words in re.findall(r"\blatentprint((?: [a-z]+)+)", in_code(read(path))):
            command = "latentprint"
            for word in words.split():
                if command not in groups:
                    break
                command = f"{command} {word}"
            if command not in known:
                unknown.append(f"{path.relative_to(ROOT)}: {command}")
    assert unknown == []


def in_code(text: str) -> str:
    """What stands in blocks of code and between backticks."""
    blocks = re.findall(r"^```.*?^```", text, re.MULTILINE | re.DOTALL)
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S))
    lines = [line.partition("#")[0] for block in blocks for line in block.splitlines()]
    return "\n".join([*lines, *spans])


# Codes and reasons ------------------------------------------------------------------------------


def table(heading: str) -> set[str]:
    """The first column of the tables below a heading of the operations page."""
    text = read(OPERATIONS)
    assert f"\n## {heading}" in text, f"{OPERATIONS.name} lacks the section {heading!r}"
    section = text.split(f"\n## {heading}", 1)[1].split("\n## ", 1)[0]
    return set(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE))


def constants(node: ast.AST) -> Iterator[str]:
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str):
            yield inner.value


def calls(name: str) -> Iterator[ast.Call]:
    """Every call of a function of this name in the worker."""
    for path in sorted((ROOT / "worker").rglob("*.py")):
        for node in ast.walk(ast.parse(read(path))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", None) == name:
                yield node


def reject_codes() -> set[str]:
    """Codes of every RejectError that the worker makes."""
    codes = {"decode.corrupt", "decode.truncated"}  # decode.py chooses between them
    for call in calls("RejectError"):
        code = call.args[0]
        if isinstance(code, ast.Constant):
            codes.add(str(code.value))
    for call in calls("refuse"):  # of the decoder
        if isinstance(call.args[0], ast.Constant):
            codes.add(f"decode.{call.args[0].value!s}")
    return codes


def verdict_reasons() -> set[str]:
    """Reasons that decide.py gives, and the problems that decode.py finds."""
    decide = ast.parse(read(ROOT / "worker" / "judge" / "decide.py"))
    reasons = set()
    for node in ast.walk(decide):
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Decision":
            reasons |= {text for argument in node.args[1:] for text in constants(argument)}
        if isinstance(node, ast.Call) and getattr(node.func, "attr", None) == "append":
            reasons |= set(constants(node))
    for node in ast.walk(ast.parse(read(ROOT / "worker" / "decoder" / "decode.py"))):
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", None) == "problem":
            reasons |= set(constants(node.value))
    return reasons | {"shadow_match:ID"}


def test_every_reject_code_is_explained_and_no_other() -> None:
    codes = reject_codes()
    assert {"schema", "too_large", "decode.unsupported", "sandbox_kill", "model_nan"} <= codes
    assert table("Dead letters") == codes


def test_every_reason_of_a_verdict_is_explained_and_no_other() -> None:
    reasons = verdict_reasons()
    assert {"registry_stale", "generic_test", "too_small", "model_accepts"} <= reasons
    assert table("Reasons in verdicts") == reasons


def test_every_exit_code_of_the_program_is_explained() -> None:
    stated = {int(code) for code in re.findall(r"^\| (\d+) \|", read(OPERATIONS), re.MULTILINE)}
    told = re.findall(r"[Ee]xit\s+codes:(.*?)\.$", write_commands.document(), re.S | re.M)
    used = {int(code) for text in told for code in re.findall(r"(?:^|,|:)\s*(\d+) ", text)}
    assert {0, 1, 2, 3, 4} <= used
    assert used <= stated


def test_the_table_of_figures_is_the_generated_one() -> None:
    page = read(write_figures.FILE)
    assert page == write_figures.document(page), "run `make schemas` and look at the difference"
    assert all(f"| `{metric.exposed_name}` |" in page for metric in METRICS)


# Links and names --------------------------------------------------------------------------------


def anchors(text: str) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(path: Path) -> list[str]:
    """The relative links of a page that lead nowhere."""
    found = []
    text = re.sub(r"^```.*?^```", "", read(path), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(<?([^)\s>]+)>?\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        known = anchors(read(target)) if target.suffix == ".md" and target.exists() else set()
        if not target.exists() or (anchor and anchor not in known):
            found.append(link)
    return found


def test_every_relative_link_leads_somewhere() -> None:
    assert {README, OPERATIONS} <= set(documents())
    broken = {str(path.relative_to(ROOT)): broken_links(path) for path in documents()}
    assert {page: links for page, links in broken.items() if links} == {}


def test_the_link_check_finds_broken_links(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    (tmp_path / "there.md").write_text("# A heading, with signs")
    page.write_text(
        "[a](there.md) [b](none.md) [c](there.md#a-heading-with-signs) [d](there.md#none)"
        " [e](https://example.org/none) [f](#none)\n```\n[g](none.md)\n```\n"
    )
    assert broken_links(page) == ["none.md", "there.md#none", "#none"]


def test_every_file_in_the_tree_of_the_readme_exists() -> None:
    section = read(README).split("## The tree", 1)[1]
    block = re.findall(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL)[0]
    parents: dict[int, Path] = {}  # the folder that each depth of indentation stands in
    missing, seen = [], 0
    for line in block.splitlines():
        if not line.strip():
            continue
        name, depth = line.split()[0], len(line) - len(line.lstrip())
        path = parents.get(depth - 2, ROOT) / name
        if name.endswith("/"):
            parents[depth] = path
        seen += 1
        if not path.exists():
            missing.append(str(path.relative_to(ROOT)))
    assert seen > 20
    assert missing == []


def test_no_document_is_left_with_a_placeholder() -> None:
    found = {
        str(path.relative_to(ROOT)): re.findall(
            r"TODO|FIXME|TBD|<!-- [a-z]+-output -->|p=…", read(path)
        )
        for path in documents()
    }
    assert {page: left for page, left in found.items() if left} == {}


def test_the_page_of_reliability_is_made_of_the_kept_results() -> None:
    assert reliability.PAGE.read_text() == reliability.page(reliability.load()), (
        "run `python -m benchmarks.reliability`"
    )


def test_the_page_of_more_pixels_is_made_of_the_kept_results() -> None:
    assert read(more_pixels_page.PAGE) == more_pixels_page.page(more_pixels_page.load()), (
        "run `python -m benchmarks.more_pixels_page`"
    )


def test_the_tables_of_rights_are_made_of_the_code() -> None:
    text = read(write_rights.FILE)
    assert text == write_rights.document(text), "run `make schemas` and look at the difference"
    assert text.count("| `worker` | `latentprint run`") == 2
