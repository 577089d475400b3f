"""Helm: from the PATH, else built by Go from its own module, which takes about two minutes."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

from filelock import FileLock

from deploy.tools.debian import cache_folder
from deploy.tools.errors import ToolUnavailable

MODULE: Final = "helm.sh/helm/v3/cmd/helm@v3.22.0"
BUILD_DEADLINE_S: Final = 1200.0


def find_helm() -> Path:
    """The program; ToolUnavailable where neither the PATH nor Go has it."""
    if found := shutil.which("helm"):
        return Path(found)
    folder = cache_folder() / "helm"
    program = folder / "helm"
    if program.exists():
        return program
    if shutil.which("go") is None:
        raise ToolUnavailable(
            "helm is not on the PATH, and there is no Go to build it with; install Helm 3.17 or"
            " newer (any way you like)"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock", timeout=BUILD_DEADLINE_S, fallback_to_soft=False):
        if not program.exists():
            _build(folder)
    return program


def _build(folder: Path) -> None:
    try:
        subprocess.run(
            ["go", "install", MODULE],
            env=os.environ | {"GOBIN": str(folder)},
            check=True,
            capture_output=True,
            text=True,
            timeout=BUILD_DEADLINE_S,
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1:]
        raise ToolUnavailable(
            f"helm is not on the PATH, and `go install {MODULE}` failed ({''.join(said)});"
            " install Helm 3.17 or newer"
        ) from error
