"""The chart as manifests: rendered by Helm for each example, and what they are held against.

`python -m deploy.tools.chart` renders anew what is kept in `tests/deploy/chart/`. Each file names
the digest of all that it was made of, so that a test without Helm can tell whether it is stale.
"""

import hashlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import jsonschema
import kubernetes_validate
import yaml

from deploy.tools.helm import find_helm

ROOT: Final = Path(__file__).resolve().parents[2]
CHART: Final = ROOT / "deploy" / "helm" / "latentprint"
RENDERED: Final = ROOT / "tests" / "deploy" / "chart"
ALARMS: Final = CHART / "files" / "alerts.yaml"
OPERATORS: Final = ROOT / "deploy" / "helm" / "operators.schema.json"

KUBERNETES: Final = ("1.28", "1.32", "1.37")
"""The oldest that the chart takes (pods have their index as a label), one between, the newest."""

RELEASE: Final = ("moderation", "--namespace", "moderation", "--kube-version", "1.32.0")


def examples() -> list[Path]:
    """The values files that are rendered."""
    return sorted((CHART / "examples").glob("*.yaml"))


def sources_digest(example: Path) -> str:
    """One digest of what shapes the rendering; the schema only refuses, alarms are only copied."""
    shaped = [CHART / name for name in ("Chart.yaml", "values.yaml")]
    files = shaped + [p for name in ("templates", "files") for p in (CHART / name).iterdir()]
    digest = hashlib.sha256()
    for path in [*sorted(set(files) - {ALARMS}), example]:
        digest.update(path.relative_to(CHART).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def template(values: Path, *more: str) -> subprocess.CompletedProcess[str]:
    """What `helm template` says of these values; it refuses what the schema does not allow."""
    command = [str(find_helm()), "template", *RELEASE, str(CHART), "--values", str(values), *more]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def rendered(example: Path) -> str:
    """The file that is kept for an example."""
    done = template(example)
    if done.returncode != 0:
        raise RuntimeError(f"helm template, {example.name}: {done.stderr.strip()}")
    return f"# `make chart`, of sources {sources_digest(example)}\n{done.stdout}"


def problems(manifests: str) -> Iterator[str]:
    """What Kubernetes, in each of these versions, or an operator would refuse."""
    checked = 0
    operators = jsonschema.Draft202012Validator(yaml.safe_load(OPERATORS.read_text()))
    for manifest in filter(None, yaml.safe_load_all(manifests)):
        checked += 1
        name = f"{manifest['kind']} {manifest['metadata']['name']}"
        if "." in manifest["apiVersion"].partition("/")[0] and not _is_of_kubernetes(manifest):
            errors = [_deepest(error) for error in operators.iter_errors(manifest)]
            yield from (f"{name}: {error}" for error in errors)
            continue
        for version in KUBERNETES:
            try:
                kubernetes_validate.validate(manifest, version, strict=True)
            except kubernetes_validate.ValidationError as error:
                yield f"{name}, Kubernetes {version}: {error.message}"
    if checked == 0:
        yield "nothing was rendered"


def _is_of_kubernetes(manifest: dict[str, Any]) -> bool:
    return str(manifest["apiVersion"]).partition("/")[0].endswith(".k8s.io")


def _deepest(error: jsonschema.ValidationError) -> str:
    best = jsonschema.exceptions.best_match([error])
    return f"{best.json_path}: {best.message}"


if __name__ == "__main__":
    for one in examples():
        (RENDERED / one.name).write_text(rendered(one), encoding="utf-8")
        print(one.name)
