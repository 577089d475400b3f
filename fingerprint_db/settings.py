"""Where Redis is, read once: flag, environment, configuration file, local services, default.

The first of these that says something wins:

1. the flag (`--redis URL`)
2. LATENTPRINT_REDIS__URL
3. `url` under `[redis]` in the TOML file named by `--config` or LATENTPRINT_CONFIG
4. `redis.url` in the state file that `latentprint services up` writes: LATENTPRINT_STATE, else
   ~/.local/state/latentprint/services.json
5. redis://127.0.0.1:6379/0
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from fingerprint_db.errors import WrongSettings

DEFAULT_REDIS_URL = "redis://127.0.0.1:6379/0"
_SCHEMES = ("redis", "rediss", "unix")


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """Where Redis is, and which of the five sources said so; the password is masked in `repr`."""

    url: str
    source: str

    def __repr__(self) -> str:
        return f"RedisSettings(url={masked(self.url)!r}, source={self.source!r})"


def read_redis_settings(
    flag: str | None, environment: Mapping[str, str], config: Path | None = None
) -> RedisSettings:
    """The address of Redis; raises WrongSettings when a source is there but cannot be used."""
    found = _first(flag, environment, config)
    if urlsplit(found.url).scheme not in _SCHEMES:
        raise WrongSettings(
            f"the Redis address {masked(found.url)!r} from {found.source} is no URL that can be"
            " used; expected redis://HOST:PORT/DATABASE, rediss://… or unix://…"
        )
    return found


def masked(url: str) -> str:
    """The URL with its password replaced by asterisks."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    user, _, host = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    return urlunsplit(parts._replace(netloc=f"{name}{colon}{'***' if colon else ''}@{host}"))


def read_config_file(config: Path | None, environment: Mapping[str, str]) -> dict[str, Any]:
    """The TOML file named by `config`, else by LATENTPRINT_CONFIG; {} when neither is given."""
    named = config or (Path(text) if (text := environment.get("LATENTPRINT_CONFIG")) else None)
    if named is None:
        return {}
    try:
        return tomllib.loads(named.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WrongSettings(
            f"the configuration file {named} cannot be used: {error}; give a TOML file that exists"
        ) from error


def services_state_path(environment: Mapping[str, str]) -> Path:
    """Where `latentprint services up` leaves the addresses of the local Kafka and Redis."""
    if named := environment.get("LATENTPRINT_STATE"):
        return Path(named)
    return Path(environment.get("HOME") or Path.home()) / ".local/state/latentprint/services.json"


def read_services_state(environment: Mapping[str, str]) -> dict[str, Any]:
    """What the state file says, {} when there is none; raises WrongSettings when it is damaged."""
    path = services_state_path(environment)
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise WrongSettings(
            f"the state file of the local services, {path}, cannot be used: {error};"
            " run `latentprint services down` and `latentprint services up`, or give an address"
        ) from error
    return state if isinstance(state, dict) else {}


def _first(flag: str | None, environment: Mapping[str, str], config: Path | None) -> RedisSettings:
    if flag:
        return RedisSettings(flag, "--redis")
    if url := environment.get("LATENTPRINT_REDIS__URL"):
        return RedisSettings(url, "LATENTPRINT_REDIS__URL")
    if url := _text_under(read_config_file(config, environment), "redis", "url"):
        return RedisSettings(url, "the configuration file")
    if url := _text_under(read_services_state(environment), "redis", "url"):
        return RedisSettings(url, "the local services")
    return RedisSettings(DEFAULT_REDIS_URL, "the default")


def _text_under(document: Mapping[str, Any], group: str, name: str) -> str | None:
    values = document.get(group)
    value = values.get(name) if isinstance(values, dict) else None
    if value is not None and not isinstance(value, str):
        raise WrongSettings(f"{group}.{name} is {value!r}, expected a text")
    return value
