"""`latentprint registry …`: what is printed, what is changed, and the exit codes."""

import json
import socket
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from fingerprint_db.commands import registry as cli
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.redis_store.keys import SpaceKeys
from fingerprint_db.redis_store.registry import RedisRegistry
from fingerprint_db.transfer import export
from tests.fingerprint_db.conftest import Database
from tests.fingerprint_db.photograph_parts import part
from tests.fingerprint_db.samples import OTHER_SPACE, SPACE, TickingClock, model

WHO: dict[str, Any] = {"by": "ada", "reason": "test"}


@pytest.fixture
def url(redis_62_database: Database, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty database, which the commands find through the environment."""
    monkeypatch.setenv("LATENTPRINT_REDIS__URL", redis_62_database.url)
    return redis_62_database.url


@pytest.fixture
def filled(url: str) -> RedisRegistry:
    """Two models in one space."""
    registry = RedisRegistry(url, clock=TickingClock())
    registry.register(model("progan", name="ProGAN"), **WHO)
    registry.register(model("sngan", name="SNGAN", status="live", seed=4), **WHO)
    return registry


def run(*arguments: str, code: int = 0) -> tuple[str, str]:
    """Runs `latentprint registry ARGUMENTS`; returns standard output and standard error."""
    app = typer.Typer()
    cli.contribute(app)
    result = CliRunner().invoke(app, ["registry", *arguments])
    assert result.exit_code == code, (result.output, result.exception)
    return result.stdout, result.stderr


def run_json(*arguments: str, code: int = 0) -> dict[str, Any]:
    """Runs with --json; standard output must be exactly one JSON document on one line."""
    out, _ = run(*arguments, "--json", code=code)
    assert out.count("\n") == 1
    document: dict[str, Any] = json.loads(out)
    return document


def test_an_empty_registry_lists_nothing_and_is_no_error(url: str) -> None:
    assert run("list")[0] == "no model is registered\n"
    assert run_json("list") == {"space": None, "revision": 0, "models": []}


def test_a_value_error_that_is_no_refusal_is_a_bug_and_not_wrong_use(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: RedisRegistry) -> tuple[str, ...]:
        raise ValueError("ours")

    monkeypatch.setattr(RedisRegistry, "spaces", broken)
    with pytest.raises(ValueError, match="ours"):
        cli.list_models(redis=url)


def test_list_shows_each_model_once_in_order_of_registration(filled: RedisRegistry) -> None:
    lines = run("list")[0].splitlines()
    assert lines[0] == f"space {SPACE}, revision 2"
    assert [line.split() for line in lines[2:]] == [
        ["id", "name", "family", "status", "samples", "registered", "by"],
        ["progan", "ProGAN", "gan", "shadow", "16", "ada"],
        ["sngan", "SNGAN", "gan", "live", "16", "ada"],
    ]
    assert [m["model_id"] for m in run_json("list", "--status", "live")["models"]] == ["sngan"]


def test_show_prints_the_counts_and_limits_of_each_condition(filled: RedisRegistry) -> None:
    out, _ = run("show", "progan")
    entries = filled.get(SPACE, "progan").statistics
    table = [line.split() for line in out.splitlines()]
    for entry in entries:
        assert [entry.condition, "8", f"{entry.distance_limit:.3f}"] in table
    document = run_json("show", "ProGAN")
    assert [c["distance_threshold"] for c in document["conditions"]] == [
        entry.distance_limit for entry in entries
    ]
    assert document["history"][0]["action"] == "register"


def test_promote_retire_and_restore_record_who_and_why(filled: RedisRegistry) -> None:
    out, _ = run("promote", "progan", "--by", "eve", "--reason", "two weeks without complaint")
    assert out == "progan is live since revision 3\n"
    assert run_json("retire", "ProGAN", "--reason", "gone")["status"] == "retired"
    assert run_json("restore", "progan", "--reason", "back")["status"] == "live"
    changes = run_json("history", "progan")["history"]
    assert [(c["action"], c["reason"]) for c in changes] == [
        ("register", "test"),
        ("promote", "two weeks without complaint"),
        ("retire", "gone"),
        ("restore", "back"),
    ]
    assert changes[1]["by"] == "eve"
    assert changes[2]["by"]
    assert "two weeks without complaint" in run("history")[0]


def test_export_and_import_carry_a_space_to_another_registry(
    filled: RedisRegistry, tmp_path: Path, valkey_9_database: Database
) -> None:
    file = tmp_path / "registry.export"
    filled.store_calibration(SPACE, [part("shop", 5)], seen=0, **WHO)
    written = run_json("export", str(file))
    assert (written["revision"], written["photographs"]) == (2, 5)
    assert "5 photographs of yours among them" in run("export", str(file))[0]
    assert file.read_bytes() == export(filled, SPACE)
    assert [path.name for path in tmp_path.iterdir()] == ["registry.export"]
    there = ("--redis", valkey_9_database.url)
    (imported,) = run_json("import", str(file), *there)["imports"]
    assert (imported["restored"], imported["photographs"]) == (True, 5)
    assert "0 added, 2 already there" in run("import", str(file), *there)[0]
    checked = "2 models, 2 changes, 5 photographs of yours, all in agreement"
    assert checked in run("verify", *there)[0]


def test_a_space_of_photographs_alone_is_exported_and_verified(url: str, tmp_path: Path) -> None:
    registry = RedisRegistry(url)
    registry.store_calibration(SPACE, [part("shop", 5)], seen=0, **WHO)
    assert run("list")[0].splitlines()[0] == f"space {SPACE}, revision 0"
    file = str(tmp_path / "registry.export")
    assert run_json("export", file)["photographs"] == 5
    assert "0 models, 0 changes, 5 photographs of yours, all in agreement" in run("verify")[0]
    (digest,) = registry.calibration(SPACE).parts
    registry._client.set(SpaceKeys(SPACE).photographs(digest), b"damaged")
    assert "RegistryCorrupt: damage at" in run("verify", code=1)[1]


def test_import_without_a_file_takes_what_installed_packages_bring(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = MemoryRegistry()
    source.register(model("zoo-a", status="live"), **WHO)
    bundled = tmp_path / "zoo.export"
    bundled.write_bytes(export(source, SPACE))
    module = tmp_path / "a_package_with_an_export.py"
    module.write_text(f"import pathlib\ndef zoo():\n    return pathlib.Path({str(bundled)!r})\n")
    monkeypatch.syspath_prepend(tmp_path)
    point = EntryPoint("zoo", "a_package_with_an_export:zoo", cli.EXPORTS_GROUP)
    asked: list[str] = []

    def installed(*, group: str) -> Sequence[EntryPoint]:
        asked.append(group)
        return [point]

    monkeypatch.setattr(cli, "entry_points", installed)
    assert run_json("import")["imports"][0]["added"] == ["zoo-a"]
    assert asked == ["latentprint.registry_exports"]
    assert run_json("import")["imports"][0]["unchanged"] == ["zoo-a"]
    monkeypatch.setattr(cli, "entry_points", lambda *, group: [])
    assert "no installed package brings one" in run("import", code=2)[1]


def test_several_spaces_must_be_told_apart(filled: RedisRegistry) -> None:
    filled.register(model("other", space=OTHER_SPACE), **WHO)
    error = run("list", code=2)[1]
    assert "no --space was given" in error
    assert SPACE[:12] in error
    assert OTHER_SPACE[:12] in error
    assert run_json("list", "--space", OTHER_SPACE[:6])["models"][0]["model_id"] == "other"
    assert "fits 0 spaces" in run("list", "--space", "ffff", code=2)[1]


def test_exit_codes_tell_refusal_wrong_use_damage_and_absence_apart(
    filled: RedisRegistry, redis_62_database: Database, tmp_path: Path
) -> None:
    refused = run_json("promote", "sngan", "--reason", "again", code=4)
    assert refused["error"] == "WrongStatus"
    assert "its status is 'live'" in refused["message"]
    assert "no model 'nobody'" in run("show", "nobody", code=2)[1]
    assert "needs an author and a reason" in run("retire", "sngan", "--reason", " ", code=2)[1]
    assert "expected shadow, live or retired" in run("list", "--status", "dead", code=2)[1]
    assert "No such file" in run("import", str(tmp_path / "missing"), code=2)[1]
    redis_62_database.client.hdel(SpaceKeys(SPACE).index, "sngan")
    assert "RegistryCorrupt: damage at" in run("verify", code=1)[1]
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        address = f"redis://127.0.0.1:{reserved.getsockname()[1]}/0"
        assert "cannot be reached" in run("list", "--redis", address, code=3)[1]


def test_verify_finds_what_a_snapshot_cannot_see(
    filled: RedisRegistry, redis_62_database: Database
) -> None:
    filled.retire(SPACE, "progan", **WHO)
    redis_62_database.client.hdel(SpaceKeys(SPACE).index, "progan")
    assert len(filled.snapshot(SPACE).models) == 1
    assert "which the index lacks" in run("verify", code=1)[1]
