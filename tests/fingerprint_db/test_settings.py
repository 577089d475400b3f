"""Where Redis is: the first source that says something wins; a broken source is an error."""

import json
from pathlib import Path

import pytest

from fingerprint_db.errors import WrongSettings
from fingerprint_db.settings import RedisSettings, masked, read_redis_settings


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


def test_flag_environment_file_local_services_and_default_come_in_this_order(
    environment: dict[str, str],
) -> None:
    found = [read_redis_settings("redis://h/1", environment)]
    for name in (None, "LATENTPRINT_REDIS__URL", "LATENTPRINT_CONFIG", "LATENTPRINT_STATE"):
        environment.pop(name or "", None)
        found.append(read_redis_settings(None, environment))
    assert found == [
        RedisSettings("redis://h/1", "--redis"),
        RedisSettings("redis://h/2", "LATENTPRINT_REDIS__URL"),
        RedisSettings("redis://h/3", "the configuration file"),
        RedisSettings("redis://h/4", "the local services"),
        RedisSettings("redis://127.0.0.1:6379/0", "the default"),
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


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("LATENTPRINT_CONFIG", "[redis", "the configuration file .* cannot be used"),
        ("LATENTPRINT_CONFIG", "[redis]\nurl = 3", "redis.url is 3, expected a text"),
        ("LATENTPRINT_STATE", "{", "the state file of the local services"),
    ],
)
def test_a_source_that_cannot_be_read_is_an_error_and_not_passed_over(
    name: str, text: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text(text)
    with pytest.raises(WrongSettings, match=message):
        read_redis_settings(None, {name: str(file), "HOME": str(tmp_path)})


def test_a_configuration_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WrongSettings, match="cannot be used"):
        read_redis_settings(None, {}, tmp_path / "missing.toml")


def test_an_address_that_is_no_redis_url_names_its_source() -> None:
    with pytest.raises(WrongSettings, match="'localhost:6379' from --redis is no URL"):
        read_redis_settings("localhost:6379", {})


def test_passwords_are_masked() -> None:
    assert masked("redis://ada:secret@h:1/0") == "redis://ada:***@h:1/0"
    assert masked("redis://:secret@h:1/0") == "redis://:***@h:1/0"
    assert masked("redis://h:1/0") == "redis://h:1/0"
    assert "secret" not in repr(RedisSettings("redis://ada:secret@h:1/0", "--redis"))
