"""The options that several commands share, each declared once."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from worker.errors import StopError

Brokers = Annotated[
    str | None,
    typer.Option("--brokers", help="Kafka, HOST:PORT[,HOST:PORT…]; default: settings."),
]
Prefix = Annotated[
    str | None, typer.Option("--prefix", help="What the topic names begin with; default: settings.")
]
Redis = Annotated[
    str | None, typer.Option("--redis", help="redis://HOST:PORT/DATABASE; default: settings.")
]
Config = Annotated[Path | None, typer.Option("--config", help="TOML file with settings.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout, for programs.")]
By = Annotated[str, typer.Option("--by", help="Who does this; default: your login name.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept beside what was done.")]

_SPAN = re.compile(r"(\d+)([hd])")


def moment_of(text: str) -> datetime:
    """The time that `--since` says; StopError (exit code 2) where it says none."""
    if span := _SPAN.fullmatch(text):
        hours = int(span[1]) * (24 if span[2] == "d" else 1)
        return datetime.now(UTC) - timedelta(hours=hours)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise StopError(
            f"--since is {text!r}; expected hours (12h), days (7d) or an ISO time such as"
            " 2026-05-01 or 2026-05-01T12:00+02:00",
            exit_code=2,
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
