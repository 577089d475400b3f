"""`make deploy-check`: everything about a deployment that can be validated without deploying.

One line a check, on stdout; exit code 1 where one found something, 3 where a tool cannot be had.
What no check here can see stands in docs/operations/deploy.md.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from deploy.tools import chart
from deploy.tools.debian import find_tool
from deploy.tools.errors import ToolUnavailable
from deploy.tools.helm import find_helm

ROOT: Final = chart.ROOT
BOM: Final = ROOT / "dist" / "sbom.json"
WATCHING: Final = ROOT / "deploy" / "watching"

REFUSED: Final = {
    "settings: {kafka: {broker: 'a:1'}}": "'broker' not allowed",
    "settings: {redis: {poll_s: 20}}": "/settings/redis/poll_s",
    "settings: {kafka: {sasl_password: hunter2}}": "'sasl_password' not allowed",
    "settings: {redis: {url: 'redis://:hunter2@redis:6379/0'}}": "/settings/redis/url",
    "settings: {kafka: {slot: 1}}": "'slot' not allowed",
    "worker: {terminationGracePeriodSeconds: 10}": "/worker/terminationGracePeriodSeconds",
    "autoscaling: {enabled: true, maxReplicas: 13}": "more would stand idle",
    "strimzi: {topics: {enabled: true}}": "strimzi.cluster",
    "backup: {enabled: true}": "backup.claim",
}
"""Values that must not come through, and a part of what helm says of each."""


def main() -> int:
    """Run every check, whatever the ones before found."""
    worst = 0
    for name, check in CHECKS.items():
        try:
            found = list(check())
        except ToolUnavailable as missing:
            print(f"not run  {name}: {missing}")
            worst = max(worst, 3)
            continue
        print(f"{'FAILED ' if found else 'ok     '}  {name}", flush=True)
        for line in found:
            print(f"           {line}")
        worst = max(worst, 1 if found else 0)
    return worst


def _said(*command: str | Path, env: Mapping[str, str] | None = None) -> Iterator[str]:
    """What a tool says where it does not end with 0."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=env)
    if done.returncode != 0:
        yield from (done.stdout + done.stderr).strip().splitlines() or ["it said nothing"]


def _of_venv(program: str) -> Path:
    return Path(sys.executable).parent / program


def _hadolint() -> Iterator[str]:
    return _said(_of_venv("hadolint"), "deploy/Dockerfile")


def _compose() -> Iterator[str]:
    schema = ("--builtin-schema", "vendor.compose-spec")
    return _said(_of_venv("check-jsonschema"), *schema, "deploy/compose.yaml")


def _helm_lint() -> Iterator[str]:
    for example in chart.examples():
        values = ("--kube-version", "1.32.0", "--values", example)
        yield from _said(find_helm(), "lint", "--strict", chart.CHART, *values)


def _rendered() -> Iterator[str]:
    for example in chart.examples():
        kept = (chart.RENDERED / example.name).read_text(encoding="utf-8")
        if chart.rendered(example) != kept:
            yield f"{example.name} is rendered otherwise than kept: run `make chart`, and look"


def _refused() -> Iterator[str]:
    with tempfile.TemporaryDirectory() as scratch:
        for values, said in REFUSED.items():
            file = Path(scratch) / "values.yaml"
            file.write_text(values, encoding="utf-8")
            done = chart.template(file)
            if done.returncode == 0 or said not in done.stderr:
                yield f"{values}: expected {said!r}, helm said {done.stderr.strip()!r}"


def _manifests() -> Iterator[str]:
    for example in chart.examples():
        kept = (chart.RENDERED / example.name).read_text(encoding="utf-8")
        yield from (f"{example.name}: {problem}" for problem in chart.problems(kept))


def _promtool(*arguments: str) -> Iterator[str]:
    tool = find_tool("promtool")
    return _said(tool.path, *arguments, env=tool.environment or None)


def _amtool() -> Iterator[str]:
    tool = find_tool("amtool")
    config = WATCHING / "alertmanager.yaml"
    return _said(tool.path, "check-config", config, env=tool.environment or None)


def _bom() -> Iterator[str]:
    """Write what the image is made of, with the hashes that it is installed by."""
    locked = _blocks((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    wanted = _blocks((ROOT / "requirements-worker.lock").read_text(encoding="utf-8"))
    if missing := sorted(set(wanted) - set(locked)):
        yield f"not in requirements.lock: {', '.join(missing)}; run `make lock`"
    BOM.parent.mkdir(exist_ok=True)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as hashed:
        hashed.writelines(locked[name] for name in wanted if name in locked)
        hashed.flush()
        about = ("--pyproject", "pyproject.toml", "--mc-type", "application", "--validate")
        made = ("--output-reproducible", "-o", BOM, hashed.name)
        yield from _said(_of_venv("cyclonedx-py"), "requirements", *about, *made)


def _blocks(lock: str) -> dict[str, str]:
    """A lock file by pin, `name==version`: each with its marker and hashes, as it stands there."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)
    pins = ((re.match(r"[\w.-]+==[^\s;\\]+", block), block) for block in blocks)
    return {found[0]: block for found, block in pins if found}


CHECKS: Final[dict[str, Callable[[], Iterable[str]]]] = {
    "Dockerfile, by hadolint": _hadolint,
    "compose.yaml, by the Compose specification's schema": _compose,
    "chart, by helm lint --strict": _helm_lint,
    "manifests are as kept, by helm template": _rendered,
    "values that must be refused are, by values.schema.json": _refused,
    f"manifests, strictly, by Kubernetes {', '.join(chart.KUBERNETES)} and operators": _manifests,
    "alarm rules, by promtool": lambda: _promtool("check", "rules", str(WATCHING / "alerts.yaml")),
    "alertmanager.yaml, by amtool": _amtool,
    f"list of materials, written to {BOM.relative_to(ROOT)}, by cyclonedx": _bom,
}

if __name__ == "__main__":
    sys.exit(main())
