"""The drill of docs/operations/changes.md: back up, lose Redis, restore, with a worker at work."""

import json
import time
from pathlib import Path
from typing import Any

import redis
import typer
from prometheus_client.parser import text_string_to_metric_families
from typer.testing import CliRunner

from fingerprint_db.commands import registry as registry_commands
from fingerprint_db.redis_store.registry import RedisRegistry
from tests.fingerprint_db.samples import model
from tests.scenarios.harness import Run, running
from tests.scenarios.small_judge import SPACE
from tests.scenarios.test_registry_live import newest_verdict


def _registry(run: Run, *arguments: str) -> dict[str, Any]:
    app = typer.Typer()
    registry_commands.contribute(app)
    result = CliRunner().invoke(app, ["registry", *arguments, "--redis", run.redis_url, "--json"])
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_a_registry_is_restored_from_its_backup_under_a_worker_that_runs(
    run: Run, tmp_path: Path
) -> None:
    """Same revision, same root; until it is back the worker judges by the last verified copy."""
    registry = RedisRegistry(run.redis_url)
    registry.register(model("found", space=SPACE), by="ada", reason="seen in uploads")
    registry.close()
    backup, figures = tmp_path / "registry.export", tmp_path / "latentprint.prom"
    with running(run.worker()) as worker:
        before = newest_verdict(run)
        written = _registry(run, "export", str(backup), "--textfile", str(figures))
        with redis.Redis.from_url(run.redis_url) as lost:
            lost.flushall()
        worker.wait_logged('"event": "registry_trouble"')
        away = newest_verdict(run)
        assert (away.model_id, away.registry_root) == ("found", before.registry_root)
        _registry(run, "import", str(backup), "--by", "ada", "--reason", "drill")
        _registry(run, "verify")
        back = newest_verdict(run)
        assert back.model_id == "found"
        assert (back.registry_revision, back.registry_root) == (
            before.registry_revision,
            before.registry_root,
        )
        assert worker.drain() == 0
    said = {
        family.name: family.samples[0]
        for family in text_string_to_metric_families(figures.read_text())
    }
    assert said["latentprint_registry_export_revision"].value == written["revision"] == 1
    assert said["latentprint_registry_export_size_bytes"].value == backup.stat().st_size
    assert said["latentprint_registry_export_models"].labels == {"space": SPACE[:12]}
    age_s = time.time() - said["latentprint_registry_export_timestamp_seconds"].value
    assert 0 <= age_s < 600
