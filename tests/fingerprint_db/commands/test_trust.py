"""`latentprint registry endorse|checkpoint|verify`: what is printed, and the exit codes."""

from pathlib import Path

import pytest

from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.redis_store.keys import SpaceKeys
from fingerprint_db.redis_store.registry import RedisRegistry
from fingerprint_db.signing.keys import SigningKey
from fingerprint_db.transfer import export
from tests.fingerprint_db.commands.test_registry import run, run_json
from tests.fingerprint_db.conftest import Database
from tests.fingerprint_db.samples import SPACE, model
from tests.fingerprint_db.trust.lived_in import WHO, lived_in


@pytest.fixture
def lived(redis_62_database: Database, monkeypatch: pytest.MonkeyPatch) -> RedisRegistry:
    """A registry that nobody signed, which the commands find through the environment."""
    monkeypatch.setenv("LATENTPRINT_REDIS__URL", redis_62_database.url)
    return lived_in(RedisRegistry(redis_62_database.url))


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SigningKey:
    """A key that signs and that is trusted, by settings."""
    key = SigningKey.create()
    key.write(tmp_path / "key.pem")
    monkeypatch.setenv("LATENTPRINT_TRUST__SIGNING_KEY_FILE", str(tmp_path / "key.pem"))
    monkeypatch.setenv("LATENTPRINT_TRUST__REGISTRY_KEYS", key.public.text)
    return key


def test_history_shows_who_redis_saw_and_whose_key_signed(
    lived: RedisRegistry, key: SigningKey
) -> None:
    run("promote", "d", "--reason", "trusted now", "--by", "eve")
    last = run("history")[0].splitlines()[-1].split()
    assert last[3:9] == ["promote", "d", "live", "eve", "default", key.public.key_id]
    first = run_json("history")["history"][0]
    assert (first["by"], first["login"]) == ("ada", "default")


def test_what_nobody_signed_is_refused_until_somebody_vouches(
    lived: RedisRegistry, key: SigningKey
) -> None:
    assert "the entry 'a', last changed by revision 5" in run("verify", code=1)[1]
    assert "vouches for 4 entries" in run("endorse", "--all", "--reason", "looked at all")[0]
    assert "the photographs, stored by 'eve': it is not signed" in run("verify", code=1)[1]
    run("endorse", "--photographs", "--reason", "ours")
    out = run("verify")[0]
    assert "4 of 13 changes are signed, and trusted keys vouch for every entry" in out
    assert run_json("endorse", "--all", "--reason", "again")["endorsed"] == []


def test_nobody_vouches_without_a_key_or_without_saying_for_what(
    lived: RedisRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = run("endorse", "--all", "--reason", "x", code=2)[1]
    assert "trust.signing_key_file is not set" in said
    assert "latentprint trust create" in said
    monkeypatch.setenv("LATENTPRINT_TRUST__SIGNING_KEY_FILE", "/nowhere/key.pem")
    assert "LATENTPRINT_TRUST__SIGNING_KEY_FILE" in run("promote", "a", "--reason", "x", code=2)[1]


def test_a_key_that_is_none_is_named_with_its_setting(
    lived: RedisRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATENTPRINT_TRUST__REGISTRY_KEYS", "ed25519:AAAA")
    said = run("verify", code=2)[1]
    assert "LATENTPRINT_TRUST__REGISTRY_KEYS (environment)" in said
    assert "expected ed25519: and 32 bytes in base64" in said


def test_a_checkpoint_that_was_kept_finds_what_was_edited_and_rolled_back(
    lived: RedisRegistry, tmp_path: Path
) -> None:
    kept = tmp_path / "checkpoint"
    assert run("checkpoint")[0].startswith(f"latentprint/registry/{SPACE}\n9\n")
    assert f"wrote {kept}: revision 9, not signed" in run("checkpoint", "--out", str(kept))[0]
    lived.register(model("e"), **WHO)
    assert "nothing up to revision 9 was changed" in run("verify", "--since", str(kept))[0]
    keys, client = SpaceKeys(SPACE), lived._client
    for name in (keys.history, keys.index, keys.changes, keys.calibration):
        client.delete(name)
    assert "it was rolled back" in run("verify", "--since", str(kept), code=1)[1]
    lived.register(model("a"), **WHO)
    assert "it was rolled back" in run("verify", "--since", str(kept), code=1)[1]
    assert "not a checkpoint" in run("verify", "--since", __file__, code=2)[1]


def test_a_checkpoint_of_another_key_proves_nothing(
    lived: RedisRegistry, key: SigningKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = tmp_path / "checkpoint"
    assert key.public.key_id in run("checkpoint", "--out", str(kept))[0]
    other = SigningKey.create().public
    monkeypatch.setenv("LATENTPRINT_TRUST__REGISTRY_KEYS", other.text)
    said = run("verify", "--since", str(kept), code=2)[1]
    assert f"not signed by any of the keys {other.key_id}" in said


def test_an_import_says_what_workers_will_refuse(
    redis_62_database: Database, key: SigningKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LATENTPRINT_REDIS__URL", redis_62_database.url)
    file = tmp_path / "export"
    file.write_bytes(export(lived_in(MemoryRegistry()), SPACE))
    out = run("import", str(file))[0]
    assert "workers refuse it so far: the entry 'a'" in out
    run("endorse", "--all", "--photographs", "--reason", "looked at all")
    assert run_json("import", str(file))["imports"][0]["not_vouched_for"] is None
