"""Every Redis key of the registry: type, lifetime, writer. No other key may exist.

| key                                           | type   | lifetime  | writer                     |
|-----------------------------------------------|--------|-----------|----------------------------|
| latentprint:spaces                            | set    | permanent | every write                |
| latentprint:registry:SPACE:history            | list   | permanent | one change each            |
| latentprint:registry:SPACE:index              | hash   | permanent | one field each             |
| latentprint:registry:SPACE:entry:DIGEST       | string | permanent | register, import; for good |
| latentprint:registry:SPACE:changes            | stream | permanent | trimmed, see note          |
| latentprint:registry:SPACE:calibration        | string | permanent | calibrate, import          |
| latentprint:registry:SPACE:photographs:DIGEST | string | permanent | as that; until forgotten   |

`history` is the truth about order: its length is the revision, element i is the change of
revision i + 1. `index` maps a model id to its row (name, status, content digest). `entry` holds
content under its own SHA-256 and is never rewritten, so readers fetch it outside transactions.
`changes` repeats the newest changes under the ids REVISION-0, to wake those who follow; it keeps
the newest `CHANGES_KEPT`, and whoever is further behind takes a new snapshot. `calibration` lists
the parts of the tenant's photographs, each kept under its own SHA-256. All is written in one MULTI
per call, so the keys must live on one Redis node (replicas are fine, Cluster is not).

SPACE is the bundle's SHA-256 in hexadecimal. The worker only reads. Which user needs which of the
commands below on which keys, `rights` makes from this table.
Without `ACL WHOAMI` all works, and changes say that the login is not known.
"""

import re
from dataclasses import dataclass

CHANGES_KEPT = 10_000  # a change takes about 0.4 KB, so a space's stream stays below 5 MB
SPACES = "latentprint:spaces"

# With the Redis version that brought the command and the options used; 6.2 is the newest allowed.
READER_COMMANDS = {
    "SELECT": "1.0",
    "MULTI": "1.2",
    "EXEC": "1.2",
    "LLEN": "1.0",
    "LINDEX": "1.0",
    "LRANGE": "1.0",
    "MGET": "1.0",
    "HGETALL": "2.0",
    "HMGET": "2.0",
    "SMEMBERS": "1.0",
    "XRANGE": "5.0",
    "XREAD": "5.0",
    "XREVRANGE": "5.0",
}
WRITER_COMMANDS = {
    "WATCH": "2.2",
    "UNWATCH": "2.2",
    "SET": "1.0",
    "HSET": "4.0",
    "RPUSH": "2.4",
    "SADD": "1.0",
    "XADD": "5.0",
    "DEL": "1.0",
    "ACL WHOAMI": "6.0",
}


@dataclass(frozen=True, slots=True)
class DeclaredKey:
    """One kind of key: its full pattern, Redis type, time to live in seconds (None: permanent)."""

    pattern: re.Pattern[str]
    redis_type: str
    lifetime_s: int | None
    writers: tuple[str, ...]

    @property
    def glob(self) -> str:
        """The pattern as Redis writes it."""
        return self.pattern.pattern.replace("[0-9a-f]{64}", "*")


_SPACE = r"latentprint:registry:[0-9a-f]{64}"
_WRITES = ("register", "promote", "retire", "restore", "import", "endorse")
_CALIBRATES = ("calibrate", "import", "endorse")

DECLARED_KEYS = (
    DeclaredKey(re.compile(re.escape(SPACES)), "set", None, (*_WRITES, "calibrate")),
    DeclaredKey(re.compile(rf"{_SPACE}:history"), "list", None, _WRITES),
    DeclaredKey(re.compile(rf"{_SPACE}:index"), "hash", None, _WRITES),
    DeclaredKey(
        re.compile(rf"{_SPACE}:entry:[0-9a-f]{{64}}"), "string", None, ("register", "import")
    ),
    DeclaredKey(re.compile(rf"{_SPACE}:changes"), "stream", None, _WRITES),
    DeclaredKey(re.compile(rf"{_SPACE}:calibration"), "string", None, _CALIBRATES),
    DeclaredKey(re.compile(rf"{_SPACE}:photographs:[0-9a-f]{{64}}"), "string", None, _CALIBRATES),
)


@dataclass(frozen=True, slots=True)
class SpaceKeys:
    """The keys of one space."""

    space: str

    @property
    def history(self) -> str:
        """List of changes, oldest first."""
        return f"latentprint:registry:{self.space}:history"

    @property
    def index(self) -> str:
        """Hash from model id to row."""
        return f"latentprint:registry:{self.space}:index"

    @property
    def changes(self) -> str:
        """Stream of the newest changes."""
        return f"latentprint:registry:{self.space}:changes"

    @property
    def calibration(self) -> str:
        """String with the list of the parts that calibrate."""
        return f"latentprint:registry:{self.space}:calibration"

    def photographs(self, digest: str) -> str:
        """String with the part of a calibration whose SHA-256 is `digest`."""
        return f"latentprint:registry:{self.space}:photographs:{digest}"

    def entry(self, content: str) -> str:
        """String with the encoded entry whose SHA-256 is `content`."""
        return f"latentprint:registry:{self.space}:entry:{content}"


def declaration(key: str) -> DeclaredKey | None:
    """The declaration that covers `key`, or None for a key that must not exist."""
    return next((kind for kind in DECLARED_KEYS if kind.pattern.fullmatch(key)), None)
