"""Which keys are trusted, and the one that signs, for the registry's commands.

Read as `redis_store.settings` reads the group `redis`; the worker reads the same group.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fingerprint_db.errors import WrongSettings
from fingerprint_db.settings_sources import Found, mistakes_text, read_sources, variable
from fingerprint_db.signing.keys import PublicKey, SigningKey, public_keys

_GROUP = "trust"
_BUNDLE_KEYS, _REGISTRY_KEYS = (_GROUP, "bundle_keys"), (_GROUP, "registry_keys")
_SIGNING_KEY = (_GROUP, "signing_key_file")
TRUST_SETTINGS = ("bundle_keys", "registry_keys", "require_signatures", "signing_key_file")
"""All of the group; the worker alone asks whether signatures are required."""


@dataclass(frozen=True, slots=True)
class Trust:
    """The keys whose signatures count, of bundles and in the registry, and the key that signs."""

    bundle_keys: tuple[PublicKey, ...]
    keys: tuple[PublicKey, ...]
    signing_key: SigningKey | None


def read_trust_settings(environment: Mapping[str, str], config: Path | None = None) -> Trust:
    """The trust to use; raises WrongSettings with every mistake of every source."""
    known = [(_GROUP, name) for name in TRUST_SETTINGS]
    sources = read_sources(known, environment, config_file=config, all_known=False)
    mistakes = list(sources.mistakes)
    keys: dict[str, tuple[PublicKey, ...]] = {}
    for path in (_BUNDLE_KEYS, _REGISTRY_KEYS):
        found = sources.values.get(path, Found((), "default"))
        try:
            keys[path[1]] = public_keys(key_texts(found.value))
        except ValueError as error:
            mistakes.append(f"{variable(path)} ({found.source}): {error}")
    signing_key = None
    if (given := sources.values.get(_SIGNING_KEY)) is not None:
        try:
            signing_key = SigningKey.read(Path(str(given.value)))
        except (OSError, ValueError) as error:
            mistakes.append(f"{variable(_SIGNING_KEY)} ({given.source}): {error}")
    if mistakes:
        raise WrongSettings(mistakes_text(mistakes))
    return Trust(keys["bundle_keys"], keys["registry_keys"], signing_key)


def key_texts(value: object) -> tuple[str, ...]:
    """The keys as a setting gives them: a list, a JSON list, or texts with commas between."""
    given = value
    if isinstance(value, str):
        given = json.loads(value) if value.startswith("[") else value.split(",")
    if not isinstance(given, list | tuple) or not all(isinstance(one, str) for one in given):
        raise ValueError("expected public keys or files of them, with commas between")
    return tuple(one.strip() for one in given if one.strip())
