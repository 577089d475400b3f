"""The shape of the code: the ladder of packages, file lengths, and what must never appear."""

import ast
from pathlib import Path

import pytest

from tests.imports import (
    PRODUCT,
    ROOT,
    called_name,
    imported_modules,
    parsed,
    product_files,
    python_files,
)

MAY_IMPORT = {
    "fingerprint_db": {"fingerprint_db"},
    "worker": {"worker", "fingerprint_db"},
    "training": {"training", "worker", "fingerprint_db"},
    "deploy": {"deploy"},
}
# The demo starts local services for itself; nothing else outside deploy may.
EXTRA = {"training/demo/run.py": {"deploy"}}
# The registry runs where no GPU is: these would drag in what it must not need.
FOREIGN_TO = {"fingerprint_db": {"torch", "torchvision", "kafka", "PIL"}, "deploy": {"torch"}}

MAX_LINES = 400
LONGER_WITH_REASON: dict[str, str] = {}  # path -> reason; may only shrink

PICKLE_MODULES = {"pickle", "cPickle", "_pickle", "cloudpickle", "dill", "joblib", "shelve"}
# These open pickles: torch.load, numpy with allow_pickle, torch.export.load.
PICKLE_CALLS = {"torch.load", "torch.save", "torch.jit.load", "torch.export.load"}


def climbing_imports(root: Path) -> list[str]:
    """Every import of the product under `root` that climbs the ladder or is foreign."""
    found = []
    for package in PRODUCT:
        for path in python_files(root / package):
            place = path.relative_to(root)
            allowed = MAY_IMPORT[package] | EXTRA.get(place.as_posix(), set())
            forbidden = (set(PRODUCT) | {"tests"}) - allowed | FOREIGN_TO.get(package, set())
            for line, name in imported_modules(path, ".".join(place.parent.parts)):
                if name.split(".")[0] in forbidden:
                    found.append(f"{place}:{line} imports {name}")
    return found


def pickle_uses(path: Path) -> list[str]:
    """Every import of a pickling module and every call that opens pickles."""
    found = [
        f"{path.name}:{line} imports {name}"
        for line, name in imported_modules(path, "")
        if name.split(".")[0] in PICKLE_MODULES
    ]
    for node in ast.walk(parsed(path)):
        if not isinstance(node, ast.Call):
            continue
        if called_name(node) in PICKLE_CALLS:
            found.append(f"{path.name}:{node.lineno} calls {called_name(node)}")
        for keyword in node.keywords:
            allowed = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            if keyword.arg == "allow_pickle" and not allowed:
                found.append(f"{path.name}:{node.lineno} allows pickle")
    return found


def sleeps(path: Path) -> list[str]:
    """Every call of a sleep, however it was imported."""
    return [
        f"{path.name}:{node.lineno} sleeps"
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and called_name(node).split(".")[-1] == "sleep"
    ]


def unasserting_tests(path: Path) -> list[str]:
    """Every test function that neither asserts, nor expects an exception, nor fails by itself."""
    found = []
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            calls = {called_name(c) for c in ast.walk(node) if isinstance(c, ast.Call)}
            asserts = any(isinstance(inner, ast.Assert) for inner in ast.walk(node))
            checks = {"pytest.raises", "pytest.fail", "wait_for"} & calls
            checks |= {name for name in calls if "assert" in name}
            if not asserts and not checks:
                found.append(f"{path.name}:{node.lineno} {node.name}")
    return found


def test_imports_go_down_the_ladder_and_never_up() -> None:
    assert climbing_imports(ROOT) == []


def test_every_package_of_the_ladder_is_there_to_be_checked() -> None:
    assert [package for package in PRODUCT if not python_files(ROOT / package)] == []


def test_no_python_file_is_longer_than_400_lines_without_a_reason() -> None:
    files = product_files() + python_files(ROOT / "tests")
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in files
    }
    too_long = {name: length for name, length in lengths.items() if length > MAX_LINES}
    assert set(too_long) == set(LONGER_WITH_REASON), too_long
    assert all(reason.strip() for reason in LONGER_WITH_REASON.values())


def test_nothing_reads_or_writes_pickles() -> None:
    assert [use for path in product_files() for use in pickle_uses(path)] == []


def test_no_test_sleeps() -> None:
    # waiting.py is where waiting for a condition is made of short sleeps, once for all tests.
    files = [path for path in python_files(ROOT / "tests") if path.name != "waiting.py"]
    assert [place for path in files for place in sleeps(path)] == []


def test_how_many_cores_there_are_is_asked_in_one_place_alone() -> None:
    """The machine's cores are not those that a process may use: its container may have fewer."""
    asks = {
        path.relative_to(ROOT).as_posix()
        for path in [*product_files(), *python_files(ROOT / "benchmarks")]
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call) and called_name(node).endswith("cpu_count")
    }
    assert asks == {"worker/settings/cores.py"}


def test_every_test_asserts_something() -> None:
    files = python_files(ROOT / "tests")
    assert [place for path in files for place in unasserting_tests(path)] == []


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("fingerprint_db/a.py", "import worker.events.image_event"),
        ("fingerprint_db/a.py", "def f():\n    from training import zoo"),
        ("fingerprint_db/a.py", "import torch"),
        (
            "fingerprint_db/a.py",
            "import importlib\nimportlib.import_module('worker.events')",
        ),
        ("worker/commands/run.py", "from deploy.services.kafka import start_kafka"),
        ("worker/extractor/a.py", "from ...training import zoo"),
        ("worker/a.py", "if TYPE_CHECKING:\n    import training"),
        ("training/zoo/a.py", "from deploy import services"),
        ("deploy/services/a.py", "import fingerprint_db"),
        ("worker/a.py", "from tests import waiting"),
    ],
)
def test_the_ladder_test_finds_a_climbing_import(place: str, source: str, tmp_path: Path) -> None:
    file = tmp_path / place
    file.parent.mkdir(parents=True)
    file.write_text(source)
    assert len(climbing_imports(tmp_path)) == 1


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("training/demo/run.py", "from deploy.services.kafka import start_kafka"),
        ("training/a.py", "import worker.decoder.decode, fingerprint_db.registry, torch"),
        ("worker/extractor/a.py", "from .networks import build\nfrom ..decode import decode"),
    ],
)
def test_the_ladder_test_lets_a_downward_import_pass(
    place: str, source: str, tmp_path: Path
) -> None:
    file = tmp_path / place
    file.parent.mkdir(parents=True)
    file.write_text(source)
    assert climbing_imports(tmp_path) == []


def test_a_file_that_does_not_parse_fails_the_ladder_test(tmp_path: Path) -> None:
    (tmp_path / "worker").mkdir()
    (tmp_path / "worker/a.py").write_text("import (")
    with pytest.raises(SyntaxError):
        climbing_imports(tmp_path)


def test_the_other_checks_find_what_they_look_for(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("import pickle\nimport torch\ntorch.load('x')\nnp.load('x', allow_pickle=True)")
    assert len(pickle_uses(file)) == 3
    file.write_text("import time\ntime.sleep(1)\nfrom time import sleep\nsleep(1)")
    assert len(sleeps(file)) == 2
    file.write_text("def test_nothing():\n    print(1)\ndef test_some():\n    assert 1")
    assert len(unasserting_tests(file)) == 1
