"""A folder is a room: rooms use only what lies below them, and none holds more than one overlooks.

docs/architecture.md draws the same ladder.
"""

import ast
import collections
import re
import sys
from pathlib import Path

import pytest

from tests.imports import (
    PRODUCT,
    ROOT,
    imported_modules,
    imported_names,
    parsed,
    product_files,
    python_files,
)

# A folder is a room. Rooms of one package stand on floors, lowest first, and a room may use only
# what lies on a floor below its own; modules beside a package's rooms are a room too.
FLOORS: dict[str, list[set[str]]] = {
    "fingerprint_db": [
        {"fingerprint_db/signing"},
        {"fingerprint_db"},
        {"fingerprint_db/trust"},
        {"fingerprint_db/matching/rows"},
        {"fingerprint_db/matching"},
        {"fingerprint_db/gate"},
        {"fingerprint_db/redis_store"},
        {"fingerprint_db/commands"},
    ],
    "worker": [
        {"worker/settings"},
        {"worker"},
        {"worker/registry"},
        {"worker/events", "worker/decoder"},
        {"worker/extractor/blocks"},
        {"worker/extractor", "worker/broker", "worker/references", "worker/seen"},
        {"worker/extractor/on_device"},
        {"worker/judge", "worker/enrol"},
        {"worker/stream", "worker/explain", "worker/calibrate", "worker/outside"},
        {"worker/notify", "worker/doctor"},
        {"worker/commands"},
        {"worker/documents"},
    ],
    "training": [
        {"training"},
        {"training/data"},
        {"training/histories"},
        {"training/zoo"},
        {"training/likelihood"},
        {"training/generators"},
        {"training/open_set"},
        {"training/paper", "training/demo"},
        {"training/paper/networks", "training/paper/baselines"},
        {"training/paper/studies"},
        {"training/paper/studies/fingerprints"},
        {"training/paper/pages"},
        {"training/evaluation"},
        {"training/evaluation/baselines"},
        {"training/evaluation/pages"},
        {"training/commands"},
    ],
    "deploy": [
        {"deploy", "deploy/helm/latentprint/files"},  # the second is mounted into pods, alone
        {"deploy/tools", "deploy/watching"},
        {"deploy/services"},
    ],
}
# Who may know a service or a heavy library; rooms of training may compute and draw as they like.
TRAINING = {room for floor in FLOORS["training"] for room in floor}
MAY_KNOW = {
    "kafka": {
        "worker/broker",
        "worker/stream",
        "worker/outside",
        "worker/notify",
        "worker/doctor",
        "worker/commands",
        "training/demo",
        "deploy/services",
    },
    "redis": {"fingerprint_db/redis_store"},
    "torch": {"worker/extractor/on_device"} | TRAINING - {"training/data", "training/demo"},
    "torchvision": TRAINING,
    "PIL": {"worker/decoder", "worker/enrol", "worker/explain"} | TRAINING,
}
# The decision is pure: it may know values of other rooms, and no library but the standard one.
PURE = {"worker/judge/decide.py"}
MAX_MODULES = 16


def room_of(module: str, root: Path) -> str:
    """The room that a dotted module of the product stands in; "" if it is none of the product."""
    parts = module.split(".")
    if parts[0] not in PRODUCT:
        return ""
    while len(parts) > 1 and not (root.joinpath(*parts)).is_dir():
        parts.pop()
    return "/".join(parts)


def climbing_rooms(root: Path) -> list[str]:
    """Every import between rooms of one package that does not go to a floor below."""
    found = []
    for package, floors in FLOORS.items():
        floor_of = {room: number for number, rooms in enumerate(floors) for room in rooms}
        for path in python_files(root / package):
            room = path.parent.relative_to(root).as_posix()
            if room not in floor_of:
                found.append(f"{room} stands on no floor of {package}")
                continue
            for line, name in imported_names(path, room.replace("/", ".")):
                other = room_of(name, root)
                if other in floor_of and other != room and floor_of[other] >= floor_of[room]:
                    found.append(f"{path.relative_to(root)}:{line} imports {other}")
    return sorted(set(found))


def strangers(root: Path) -> list[str]:
    """Every import of a service's or a heavy library by a room that must not know it."""
    found = []
    for package in PRODUCT:
        for path in python_files(root / package):
            place = path.relative_to(root)
            for line, name in imported_modules(path, ".".join(place.parent.parts)):
                library = name.split(".")[0]
                if library in MAY_KNOW and place.parent.as_posix() not in MAY_KNOW[library]:
                    found.append(f"{place}:{line} imports {name}")
    return found


def circles(root: Path) -> list[str]:
    """Modules that import one another, directly or on the way round, wherever the import stands."""
    uses: dict[str, set[str]] = {}
    for package in PRODUCT:
        for path in python_files(root / package):
            me = ".".join(path.relative_to(root).with_suffix("").parts)
            names = {name for _, name in imported_names(path, me.rpartition(".")[0])}
            uses[me] = {
                n for n in names if root.joinpath(*n.split(".")).with_suffix(".py").exists()
            }
    found = []
    for module in uses:
        seen, ahead = set(), list(uses[module])
        while ahead:
            following = ahead.pop()
            if following not in seen:
                seen.add(following)
                ahead.extend(uses.get(following, ()))
        if module in seen:
            found.append(module)
    return found


def test_rooms_use_only_what_lies_below_them() -> None:
    assert climbing_rooms(ROOT) == []


def test_every_room_is_there_and_none_is_forgotten() -> None:
    rooms = {room for floors in FLOORS.values() for floor in floors for room in floor}
    there = {path.parent.relative_to(ROOT).as_posix() for path in product_files()}
    assert there == rooms


def test_kafka_redis_torch_and_pillow_are_known_only_where_they_belong() -> None:
    assert strangers(ROOT) == []


def test_no_modules_import_one_another() -> None:
    assert circles(ROOT) == []


def test_the_decision_knows_no_library() -> None:
    allowed = {"fingerprint_db", "worker", *sys.stdlib_module_names}
    for name in PURE:
        imports = {module.split(".")[0] for _, module in imported_modules(ROOT / name, "")}
        assert imports, name
        assert imports <= allowed, name


def test_each_room_of_the_worker_names_its_files() -> None:
    rooms = {path.parent for path in python_files(ROOT / "worker")} - {ROOT / "worker"}
    assert len(rooms) > 5
    unnamed = []
    for room in rooms:
        about = ast.get_docstring(parsed(room / "__init__.py")) or ""
        words = set(re.findall(r"\w+", about))
        modules = {path.stem for path in room.glob("*.py")} - {"__init__"}
        unnamed += [f"{room.name}/{module}" for module in sorted(modules - words)]
    assert unnamed == [], "say what it is for, and where it stands, in the room's __init__.py"


def test_no_folder_holds_more_modules_than_one_can_overlook() -> None:
    counts = collections.Counter(
        path.parent.relative_to(ROOT).as_posix()
        for path in product_files()
        if path.name != "__init__.py"
    )
    assert counts
    assert {folder: n for folder, n in counts.items() if n > MAX_MODULES} == {}


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("worker/decoder/a.py", "from worker.stream import threads"),
        ("worker/registry/a.py", "def f():\n    from worker.broker.topics import Topics"),
        ("worker/judge/a.py", "from worker.enrol.samples import read"),  # the same floor
        ("training/data/a.py", "from training import zoo"),
        ("worker/attic/a.py", "import json"),  # a room that stands nowhere
    ],
)
def test_the_room_test_finds_an_import_that_does_not_go_down(
    place: str, source: str, tmp_path: Path
) -> None:
    for folder in ("stream", "broker", "enrol"):
        (tmp_path / "worker" / folder).mkdir(parents=True)
    (tmp_path / "training/zoo").mkdir(parents=True)
    file = tmp_path / place
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(source)
    assert len(climbing_rooms(tmp_path)) == 1


def test_the_other_room_tests_find_what_they_look_for(tmp_path: Path) -> None:
    for place, source in {
        "worker/judge/a.py": "import torch\nfrom worker.judge.b import x",
        "worker/judge/b.py": "def f():\n    from worker.judge import a",
        "worker/broker/c.py": "import kafka\nfrom worker.judge import a",
    }.items():
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_text(source)
    assert strangers(tmp_path) == ["worker/judge/a.py:1 imports torch"]
    assert circles(tmp_path) == ["worker.judge.a", "worker.judge.b"]
