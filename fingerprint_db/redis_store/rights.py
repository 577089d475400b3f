"""Who needs which rights on Redis: one table, from which the page and `ACL SETUSER` are printed.

Made from what `keys` declares: a role may run the commands of its errand, on the keys that it
writes, and read the others.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from fingerprint_db.redis_store.keys import (
    DECLARED_KEYS,
    READER_COMMANDS,
    WRITER_COMMANDS,
)

ALL_KEYS = "latentprint:*"

_READING = tuple(name for name in READER_COMMANDS if name not in ("HMGET", "XRANGE", "XREAD"))
"""Without following changes, which workers alone do."""

_CALIBRATING = ("WATCH", "UNWATCH", "SET", "SADD", "DEL", "ACL WHOAMI")
_REGISTERING = tuple(name for name in WRITER_COMMANDS if name != "DEL")


@dataclass(frozen=True, slots=True)
class Role:
    """A name to ask for it by, what it does, and what it needs for that."""

    name: str
    does: str
    commands: tuple[str, ...]
    written_keys: tuple[str, ...] = ()
    """Glob patterns. All other keys of the registry are only read."""

    def key_rules(self) -> tuple[str, ...]:
        """The patterns as ACLs write them; `%R~` came with Redis 7.0."""
        return (f"%R~{ALL_KEYS}", *(f"~{key}" for key in self.written_keys))


def _keys_of(verbs: Iterable[str]) -> tuple[str, ...]:
    wanted = set(verbs)
    return tuple(kind.glob for kind in DECLARED_KEYS if wanted.intersection(kind.writers))


ROLES = (
    Role("worker", "`latentprint run`, `scan`, `explain`", tuple(READER_COMMANDS)),
    Role(
        "reader",
        "whoever looks on, backs up or audits: `registry list`, `show`, `history`, `export`,"
        " `checkpoint`, `verify`",
        _READING,
    ),
    Role(
        "registrar",
        "`register`, `registry promote`, `retire`, `restore`, `import`, `endorse`",
        (*_READING, *_REGISTERING),
        _keys_of(("register", "promote", "retire", "restore", "import", "endorse")),
    ),
    Role(
        "calibrator",
        "`registry calibrate`",
        (*_READING, *_CALIBRATING),
        _keys_of(("calibrate",)),
    ),
)


def role(name: str) -> Role:
    """The role of this name; KeyError with the names there are."""
    found = {one.name: one for one in ROLES}
    if name not in found:
        raise KeyError(f"no role {name!r}; there are {', '.join(found)}")
    return found[name]


def setuser(role: Role, *, user: str | None = None, server: Literal["7", "6.2"] = "7") -> str:
    """The command of Redis that makes the user; its password is to be put where it says so.

    Redis 6.2 cannot tell reading a key from writing it: there the commands alone keep a reader
    from writing.
    """
    keys = role.key_rules() if server == "7" else (f"~{ALL_KEYS}",)
    commands = " ".join(f"+{name.lower().replace(' ', '|')}" for name in sorted(role.commands))
    return (
        f"ACL SETUSER {user or f'latentprint-{role.name}'} reset on >PASSWORD {' '.join(keys)}"
        f" -@all {commands}"
    )
