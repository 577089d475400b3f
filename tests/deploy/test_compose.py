"""compose.yaml: by its schema, confined, pinned, and of files and settings that are there."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from worker.notify.receivers import load_plan
from worker.settings_sources import load_settings

FOLDER = Path(__file__).resolve().parents[2] / "deploy"
COMPOSE = FOLDER / "compose.yaml"
CHECK = [
    str(Path(sys.executable).parent / "check-jsonschema"),
    "--builtin-schema",
    "vendor.compose-spec",
]
SERVICES = ["kafka", "redis", "topics", "worker", "notify", "prometheus", "alertmanager", "grafana"]


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return dict(yaml.safe_load(COMPOSE.read_text(encoding="utf-8")))


def test_the_specification_of_compose_allows_it_and_no_misspelt_field(tmp_path: Path) -> None:
    worse = tmp_path / "worse.yaml"
    worse.write_text(COMPOSE.read_text().replace("cap_drop: [ALL]", "cap_dropped: [ALL]"))
    done = subprocess.run([*CHECK, COMPOSE, worse], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "cap_dropped" in done.stdout
    assert str(COMPOSE) not in done.stdout, done.stdout


def test_every_service_is_confined_and_pinned(document: dict[str, Any]) -> None:
    assert list(document["services"]) == SERVICES
    for name, service in document["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        own = service["image"].startswith("${LATENTPRINT_IMAGE:-")
        assert own or re.search(r":v?\d+\.\d+", service["image"]), name
        assert own or "healthcheck" in service, f"{name}: the image of Latentprint has its own"
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), f"{name} has no password"


def test_every_file_that_is_mounted_is_there(document: dict[str, Any]) -> None:
    named = [config["file"] for config in document["configs"].values() if "file" in config]
    assert len(named) > 3
    assert [name for name in named if not (FOLDER / name).is_file()] == []
    secrets = {secret["file"] for secret in document["secrets"].values()}
    assert all(name.startswith("./secrets/") for name in secrets), "which are yours, and not kept"


def test_the_program_takes_what_it_is_given(document: dict[str, Any], tmp_path: Path) -> None:
    for name in ("topics", "worker", "notify"):
        settings = load_settings(environment=document["services"][name]["environment"])
        assert settings.kafka.brokers == "kafka:9092"
        assert settings.is_local, "one broker has one copy of everything"
    receivers = document["configs"]["receivers"]["content"]
    made_up = {"webhook-url": "https://a.example/", "webhook-secret": f"whsec_{'QUJD' * 10}"}
    for secret, content in made_up.items():
        assert f"/run/secrets/{secret}" in receivers
        assert secret in document["services"]["notify"]["secrets"]
        (tmp_path / secret).write_text(content)
        receivers = receivers.replace(f"/run/secrets/{secret}", str(tmp_path / secret))
    (tmp_path / "receivers.toml").write_text(receivers)
    assert [one.name for one in load_plan(tmp_path / "receivers.toml", {}).receivers] == ["own"]


def test_prometheus_scrapes_what_listens(document: dict[str, Any]) -> None:
    listening = {"worker:9464", "notify:9474"}
    targets = json.loads(document["configs"]["workers"]["content"])
    assert {target for group in targets for target in group["targets"]} == listening
    dockerfile = (FOLDER / "Dockerfile").read_text()
    assert "LATENTPRINT_METRICS__LISTEN=0.0.0.0:9464" in dockerfile
    notify = document["services"]["notify"]["environment"]
    assert notify["LATENTPRINT_NOTIFY__LISTEN"] == "0.0.0.0:9474"
