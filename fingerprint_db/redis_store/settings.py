"""Where Redis is and who we are there, for the registry's commands.

The first of these that says something wins: the flag (`--redis URL`), LATENTPRINT_REDIS__*, the
table `[redis]` of the TOML file, the local services' state file, redis://127.0.0.1:6379/0. They are
read by `settings_sources`, as the worker's are.
"""

from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from fingerprint_db.errors import WrongSettings
from fingerprint_db.redis_store.address import RedisAddress
from fingerprint_db.settings_sources import (
    Found,
    SecretFile,
    SettingPath,
    mistakes_text,
    read_sources,
    variable,
)

DEFAULT_REDIS_URL = "redis://127.0.0.1:6379/0"

ADDRESS_SETTINGS = (
    "url",
    "username",
    "password",
    "tls_ca_file",
    "tls_cert_file",
    "tls_key_file",
)
SECRETS = (("redis", "url"), ("redis", "password"))
FOLLOWER_SETTINGS = ("poll_s", "start_wait_s", "required")
"""Of the same group, and read by the worker alone."""


def read_redis_settings(
    flag: str | None, environment: Mapping[str, str], config: Path | None = None
) -> RedisAddress:
    """The Redis to use; raises WrongSettings with every mistake of every source."""
    known = [("redis", name) for name in (*ADDRESS_SETTINGS, *FOLLOWER_SETTINGS)]
    sources = read_sources(
        known,
        environment,
        flags={"redis.url": flag},
        config_file=config,
        all_known=False,
        secrets=SECRETS,
    )
    mistakes = list(sources.mistakes)
    texts = {name: _text(("redis", name), sources.values, mistakes) for name in ADDRESS_SETTINGS}
    files = {name: Path(text) for name, text in texts.items() if name.startswith("tls_") and text}
    password = sources.values.get(("redis", "password"), Found(None, "")).value
    address = RedisAddress(
        texts["url"] or DEFAULT_REDIS_URL,
        texts["username"],
        password if isinstance(password, SecretFile) else _secret(texts["password"]),
        **files,
    )
    named = sources.values.get(("redis", "url"), Found(None, "the default")).source
    mistakes += [
        f"{variable(('redis', 'url'))}={address.shown} ({named}): {problem}"
        for problem in address.problems()
    ]
    if mistakes:
        raise WrongSettings(mistakes_text(mistakes))
    return address


def _text(
    path: SettingPath, values: Mapping[SettingPath, Found], mistakes: list[str]
) -> str | None:
    found = values.get(path)
    if found is None:
        return None
    if isinstance(found.value, SecretFile):
        return found.value.get_secret_value()
    if not isinstance(found.value, str):
        mistakes.append(f"{variable(path)} ({found.source}): expected a text")
        return None
    return found.value


def _secret(text: str | None) -> SecretStr | None:
    return None if text is None else SecretStr(text)
