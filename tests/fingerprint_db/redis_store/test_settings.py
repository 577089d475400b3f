"""Where Redis is: the first source that says something wins; a broken source is an error."""

import json
from pathlib import Path

import pytest

from deploy.services.state import state_file
from fingerprint_db.errors import WrongSettings
from fingerprint_db.redis_store.address import RedisAddress
from fingerprint_db.redis_store.settings import (
    ADDRESS_SETTINGS,
    FOLLOWER_SETTINGS,
    read_redis_settings,
)
from fingerprint_db.settings_sources import services_state_file
from worker.settings.redis import RedisSettings


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """An environment in which every source names another database."""
    config = tmp_path / "latentprint.toml"
    config.write_text('[redis]\nurl = "redis://h/3"\n')
    state = tmp_path / "services.json"
    state.write_text(json.dumps({"redis": {"url": "redis://h/4", "pid": 1}, "kafka": {}}))
    return {
        "LATENTPRINT_REDIS__URL": "redis://h/2",
        "LATENTPRINT_CONFIG": str(config),
        "LATENTPRINT_STATE": str(state),
        "HOME": str(tmp_path),
    }


def refusal(
    environment: dict[str, str], flag: str | None = None, config: Path | None = None
) -> str:
    with pytest.raises(WrongSettings) as caught:
        read_redis_settings(flag, environment, config)
    return str(caught.value)


def test_flag_environment_file_local_services_and_default_come_in_this_order(
    environment: dict[str, str],
) -> None:
    found = [read_redis_settings("redis://h/1", environment)]
    for name in (None, "LATENTPRINT_REDIS__URL", "LATENTPRINT_CONFIG", "LATENTPRINT_STATE"):
        environment.pop(name or "", None)
        found.append(read_redis_settings(None, environment))
    assert found == [
        RedisAddress("redis://h/1"),
        RedisAddress("redis://h/2"),
        RedisAddress("redis://h/3"),
        RedisAddress("redis://h/4"),
        RedisAddress("redis://127.0.0.1:6379/0"),
    ]


def test_the_flag_for_the_configuration_file_wins_over_the_variable(
    environment: dict[str, str], tmp_path: Path
) -> None:
    other = tmp_path / "other.toml"
    other.write_text('[redis]\nurl = "redis://h/7"\n')
    del environment["LATENTPRINT_REDIS__URL"]
    assert read_redis_settings(None, environment, other).url == "redis://h/7"


def test_the_state_file_is_looked_for_in_the_home_folder(tmp_path: Path) -> None:
    state = tmp_path / ".local/state/latentprint/services.json"
    state.parent.mkdir(parents=True)
    state.write_text('{"redis": {"url": "redis://h/5"}}')
    assert read_redis_settings(None, {"HOME": str(tmp_path)}).url == "redis://h/5"


@pytest.mark.parametrize("named", [None, "/somewhere/else.json"])
def test_services_and_settings_look_for_one_state_file(
    named: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """deploy/ imports nothing of the rest, so it keeps a constant of its own."""
    values = {"HOME": str(tmp_path)} | ({"LATENTPRINT_STATE": named} if named else {})
    monkeypatch.delenv("LATENTPRINT_STATE", raising=False)
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    assert services_state_file(values) == state_file()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("LATENTPRINT_CONFIG", "[redis", "expected TOML"),
        ("LATENTPRINT_CONFIG", "[redis]\nurl = 3", "expected a text"),
        ("LATENTPRINT_CONFIG", "redis = 'x'", "expected a table, [redis]"),
        ("LATENTPRINT_CONFIG", "[redis]\nurll = 'x'", "no such setting, did you mean redis.url?"),
        ("LATENTPRINT_STATE", "{", "the state file of the local services"),
        ("LATENTPRINT_STATE", "[]", "expected an object"),
        ("LATENTPRINT_STATE", '{"redis": {"url": 3}}', "redis.url is no text"),
    ],
)
def test_a_source_that_cannot_be_read_is_an_error_and_not_passed_over(
    name: str, text: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text(text)
    found = refusal({"HOME": str(tmp_path), name: str(file)})
    assert message in found
    assert str(file) in found


def test_a_configuration_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    assert "cannot be read" in refusal({"HOME": "/none"}, config=tmp_path / "missing.toml")


def test_unknown_settings_of_the_group_are_refused_and_other_groups_are_left_to_the_worker() -> (
    None
):
    environment = {
        "HOME": "/none",
        "LATENTPRINT_REDIS_URL": "redis://h/0",
        "LATENTPRINT_REDIS__PASWORD": "hunter2",
        "latentprint_redis__url": "redis://h/1",
        "LATENTPRINT_KAFKA__BROKRS": "x:1",
    }
    found = refusal(environment).splitlines()[1:]
    assert found == [
        "  LATENTPRINT_REDIS_URL: no such setting, did you mean LATENTPRINT_REDIS__URL?;"
        " unset or correct it",
        "  LATENTPRINT_REDIS__PASWORD: no such setting, did you mean LATENTPRINT_REDIS__PASSWORD?;"
        " unset or correct it",
        "  latentprint_redis__url: these variables are written in capitals,"
        " LATENTPRINT_REDIS__URL; rename it",
    ]


def test_what_the_follower_alone_reads_is_no_mistake_here() -> None:
    environment = {"HOME": "/none", "LATENTPRINT_REDIS__START_WAIT_S": "3"}
    assert read_redis_settings("redis://h/1", environment).url == "redis://h/1"


def test_the_registry_knows_the_group_as_the_worker_declares_it() -> None:
    assert {*ADDRESS_SETTINGS, *FOLLOWER_SETTINGS} == set(RedisSettings.model_fields)
    assert set(ADDRESS_SETTINGS) == set(RedisAddress.__dataclass_fields__)


def test_an_address_that_is_no_redis_url_names_its_source() -> None:
    found = refusal({"HOME": "/none"}, flag="localhost:6379")
    assert "LATENTPRINT_REDIS__URL=localhost:6379 (flag for redis.url): it does not begin" in found
