"""Secrets of signatures, from files or the environment; never printed and never on a command line.

Several may be given at once: a message is then signed with each, so that a receiver goes over to
the next one when it likes. Files are read at every message, so that a rotation needs no restart.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64
"""As the Standard Webhooks specification has it."""


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where a receiver's secrets stand: one on each line of each file, and in each variable."""

    files: tuple[Path, ...]
    variables: tuple[str, ...]
    environment: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.files or self.variables)

    def read(self) -> tuple[str, ...]:
        """The secrets now, each checked. ValueError, which shows no secret, where one is wrong."""
        secrets: list[str] = []
        for path in self.files:
            lines = [line.strip() for line in read_text(path).splitlines() if line.strip()]
            if not lines:
                raise ValueError(f"{path} is empty; expected a secret, {PREFIX} and base64")
            secrets += [_checked(line, str(path)) for line in lines]
        for name in self.variables:
            value = self.environment.get(name, "").strip()
            if not value:
                raise ValueError(f"the environment has no {name}")
            secrets.append(_checked(value, name))
        return tuple(secrets)


def read_text(path: Path) -> str:
    """The text of a small file; ValueError with the reason where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path.absolute()} cannot be read ({error.strerror})") from None
    except ValueError:
        raise ValueError(f"{path} is no text") from None


def _checked(secret: str, place: str) -> str:
    try:
        size = len(base64.b64decode(secret.removeprefix(PREFIX), validate=True))
    except (binascii.Error, ValueError):
        size = 0
    if not secret.startswith(PREFIX) or not LEAST_BYTES <= size <= MOST_BYTES:
        raise ValueError(
            f"{place} holds no secret; expected {PREFIX} and base64 of {LEAST_BYTES} to"
            f" {MOST_BYTES} bytes. To make one:"
            f" printf '{PREFIX}%s\\n' \"$(head -c 32 /dev/urandom | base64)\""
        )
    return secret
