"""Every secret may stand in a file: read by the one reader, again whenever it is asked for."""

from pathlib import Path

import pytest

from fingerprint_db.errors import WrongSettings
from fingerprint_db.redis_store.settings import SECRETS, read_redis_settings
from fingerprint_db.settings_sources import MAX_SECRET_BYTES, SecretFile, exposure, read_sources
from worker.settings.settings import Settings
from worker.settings_rules import exposures
from worker.settings_sources import (
    SettingsError,
    file_twin,
    is_secret,
    load_settings,
    setting_fields,
    variable,
)

SECRET_SETTINGS = [path for path, field in setting_fields() if is_secret(field)]


def environment(tmp_path: Path, **values: str) -> dict[str, str]:
    return {"LATENTPRINT_STATE": str(tmp_path / "none.json")} | {
        f"LATENTPRINT_{name}": value for name, value in values.items()
    }


def secret_file(tmp_path: Path, content: bytes, name: str = "secret") -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    path.chmod(0o600)
    return path


def load(tmp_path: Path, **values: str) -> Settings:
    return load_settings(environment=environment(tmp_path, **values))


def mistakes(tmp_path: Path, **values: str) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load(tmp_path, **values)
    assert refused.value.exit_code == 2
    return refused.value.mistakes


@pytest.mark.parametrize("path", SECRET_SETTINGS, ids=".".join)
def test_every_secret_has_a_twin_that_names_its_file(tmp_path: Path, path: tuple[str, ...]) -> None:
    file = secret_file(tmp_path, b"redis://h:1/2\n" if path[-1] == "url" else b"hunter2\n")
    twin = variable(file_twin(path)).removeprefix("LATENTPRINT_")
    fields = dict(setting_fields())
    sources = read_sources(
        fields, environment(tmp_path, **{twin: str(file)}), secrets=SECRET_SETTINGS
    )
    assert sources.mistakes == ()
    found = sources.values[path].value
    assert isinstance(found, SecretFile)
    assert found.get_secret_value() == file.read_text().removesuffix("\n"), "without the newline"


def test_a_secret_is_read_again_and_what_was_read_last_stands_while_the_file_is_away(
    tmp_path: Path,
) -> None:
    file = secret_file(tmp_path, b"first\r\n")
    password = load(tmp_path, REDIS__PASSWORD_FILE=str(file)).redis.address().password
    assert password is not None
    assert password.get_secret_value() == "first"
    file.write_text("second")
    assert password.get_secret_value() == "second"
    file.unlink()
    assert password.get_secret_value() == "second"
    assert "second" not in repr(password)


def test_a_link_that_is_turned_to_another_file_is_followed_as_kubernetes_does_it(
    tmp_path: Path,
) -> None:
    secret_file(tmp_path, b"old", "1")
    secret_file(tmp_path, b"new", "2")
    link = tmp_path / "link"
    link.symlink_to("1")
    secret = SecretFile(link)
    assert secret.get_secret_value() == "old"
    (tmp_path / "next").symlink_to("2")
    (tmp_path / "next").replace(link)
    assert secret.get_secret_value() == "new"


@pytest.mark.parametrize(
    ("content", "mode", "said"),
    [
        (None, 0, "cannot be read (No such file or directory)"),
        (b"", 0o600, "is empty; expected the secret"),
        (b"\n", 0o600, "is empty; expected the secret"),
        (b"\xff\xfe", 0o600, "is no text in UTF-8"),
        (b"x" * (MAX_SECRET_BYTES + 1), 0o600, "is larger than 65536 bytes"),
        (b"hunter2", 0o602, "can be written by every user of this machine; chmod o-w it"),
    ],
)
def test_a_file_that_holds_no_secret_is_a_mistake_with_the_remedy(
    tmp_path: Path, content: bytes | None, mode: int, said: str
) -> None:
    file = tmp_path / "secret"
    if content is not None:
        secret_file(tmp_path, content).chmod(mode)
    (mistake,) = mistakes(tmp_path, REDIS__PASSWORD_FILE=str(file))
    assert mistake.startswith(f"LATENTPRINT_REDIS__PASSWORD_FILE='{file}' (environment): ")
    assert said in mistake
    assert "hunter2" not in mistake


def test_a_folder_is_no_secret(tmp_path: Path) -> None:
    (mistake,) = mistakes(tmp_path, REDIS__PASSWORD_FILE=str(tmp_path))
    assert "is no file; expected a file that holds the secret alone" in mistake


def test_a_secret_and_its_file_are_a_mistake_together(tmp_path: Path) -> None:
    file = secret_file(tmp_path, b"hunter2")
    given = {"REDIS__PASSWORD": "hunter3", "REDIS__PASSWORD_FILE": str(file)}
    assert mistakes(tmp_path, **given) == [
        f"LATENTPRINT_REDIS__PASSWORD_FILE='{file}' (environment): LATENTPRINT_REDIS__PASSWORD is"
        " given too (environment); give one of them"
    ]


def test_what_a_file_holds_is_checked_like_any_value_and_not_shown(tmp_path: Path) -> None:
    file = secret_file(tmp_path, b"http://hunter2@h")
    (mistake,) = mistakes(tmp_path, REDIS__URL_FILE=str(file))
    assert mistake.startswith(f"LATENTPRINT_REDIS__URL=*** (file {file}): ")
    assert "hunter2" not in mistake


def test_a_misspelt_twin_is_named(tmp_path: Path) -> None:
    (mistake,) = mistakes(tmp_path, KAFKA__SASL_PASWORD_FILE="/x")
    assert "did you mean LATENTPRINT_KAFKA__SASL_PASSWORD_FILE?" in mistake


def test_who_else_may_read_a_secret_is_told_with_the_remedy(tmp_path: Path) -> None:
    file = secret_file(tmp_path, b"hunter2")
    assert exposure(file) is None
    file.chmod(0o644)
    said = exposure(file)
    assert said is not None
    assert f"chmod o-r {file}" in said
    settings = load(tmp_path, REDIS__PASSWORD_FILE=str(file))  # as Docker and Kubernetes mount it
    assert exposures(settings) == [said]
    file.chmod(0o640)
    assert exposures(settings) == []


# The registry's commands, which read the same ------------------------------------------------


def test_the_commands_of_the_registry_read_the_same_files(tmp_path: Path) -> None:
    url = secret_file(tmp_path, b"redis://h:1/2\n", "url")
    password = secret_file(tmp_path, b"hunter2\n", "password")
    config = tmp_path / "latentprint.toml"
    config.write_text(f'[redis]\nurl_file = "{url}"\n')
    env = environment(tmp_path, REDIS__PASSWORD_FILE=str(password), CONFIG=str(config))
    address = read_redis_settings(None, env)
    assert address.url == "redis://h:1/2"
    assert address.password is not None
    assert address.password.get_secret_value() == "hunter2"
    password.write_text("hunter3")
    assert address.password.get_secret_value() == "hunter3"
    assert read_redis_settings("redis://flag:1/0", env).url == "redis://flag:1/0", "a flag wins"
    with pytest.raises(WrongSettings, match="give one of them"):
        read_redis_settings(None, env | {"LATENTPRINT_REDIS__PASSWORD": "x"})


def test_the_registry_knows_every_secret_of_its_group() -> None:
    assert set(SECRETS) == {path for path in SECRET_SETTINGS if path[0] == "redis"}
