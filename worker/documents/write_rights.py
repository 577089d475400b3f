"""Writes the tables of docs/operations/rights.md from the code that knows them: `make schemas`.

A test keeps the page equal to what is written here, so that no role or right is undocumented.
"""

import re
from pathlib import Path

from fingerprint_db.redis_store import rights as redis_rights
from worker.broker import rights as kafka_rights

FILE = Path(__file__).resolve().parents[2] / "docs" / "operations" / "rights.md"

_PLACE = re.compile(r"(<!-- table of (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def document(text: str) -> str:
    """The page with its tables as they should be; everything else as it stands."""
    tables = {"Kafka": _kafka_table(), "Redis": _redis_table()}
    return _PLACE.sub(lambda found: f"{found[1]}{tables[found[2]]}{found[3]}", text)


def _kafka_table() -> str:
    rows = [
        f"| `{role.name}` | {role.does} | {'; '.join(right.text() for right in role.rights)} |"
        for role in kafka_rights.roles()
    ]
    return "\n".join(["| role | for | rights |", "|---|---|---|", *rows, ""])


def _redis_table() -> str:
    rows = []
    for role in redis_rights.ROLES:
        written = ", ".join(f"`{key}`" for key in role.written_keys) or "nothing"
        commands = ", ".join(f"`{name}`" for name in sorted(role.commands))
        rows.append(f"| `{role.name}` | {role.does} | {written} | {commands} |")
    return "\n".join(["| role | for | writes | commands |", "|---|---|---|---|", *rows, ""])


if __name__ == "__main__":
    FILE.write_text(document(FILE.read_text(encoding="utf-8")), encoding="utf-8")
    print(FILE.name)
