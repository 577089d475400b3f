"""The options that several commands share, each declared once."""

from pathlib import Path
from typing import Annotated

import typer

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
