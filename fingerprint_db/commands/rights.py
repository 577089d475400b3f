"""`latentprint registry rights`: the Redis users that the registry needs, as commands."""

import json
from enum import StrEnum
from typing import Annotated

import typer

from fingerprint_db.errors import WrongSettings
from fingerprint_db.redis_store.rights import ROLES, role, setuser


class Server(StrEnum):
    """Which Redis the users are for."""

    SEVEN = "7"
    SIX = "6.2"


def rights(
    of: Annotated[str | None, typer.Option("--for", help="One role; default: all.")] = None,
    user: Annotated[
        str | None, typer.Option("--user", help="Name of the user; default: after the role.")
    ] = None,
    server: Annotated[
        Server, typer.Option("--server", help="6.2 knows no keys that are only read.")
    ] = Server.SEVEN,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document on standard output.")
    ] = False,
) -> None:
    """Print the commands that make a Redis user for each role, with its least rights.

    Put a password in the place of PASSWORD. Exit codes: 0 printed, 2 wrong use.
    """
    try:
        chosen = ROLES if of is None else (role(of),)
    except KeyError as error:
        raise WrongSettings(f"--for: {error.args[0]}") from None
    if user is not None and len(chosen) > 1:
        raise WrongSettings("--user names one user, and there are several roles; give --for too")
    if as_json:
        document = [
            {
                "role": one.name,
                "for": one.does,
                "keys": list(one.key_rules()),
                "commands": sorted(one.commands),
                "setuser": setuser(one, user=user, server=server.value),
            }
            for one in chosen
        ]
        print(json.dumps({"rights": document}))
        return
    for one in chosen:
        print(f"# {one.name}: {one.does}\n{setuser(one, user=user, server=server.value)}")
