"""A Redis with TLS and users, from Debian's package; the user `default` is off."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from pydantic import SecretStr

from deploy.services.ports import free_port
from fingerprint_db.redis_store.address import RedisAddress
from fingerprint_db.redis_store.rights import ROLES, setuser
from tests.certificates import HOST, Certificates
from tests.tools import tool
from tests.waiting import wait_for

PASSWORD = "a long password"


@dataclass(frozen=True)
class SecuredRedis:
    """One server; users are named after their roles, and `administrator` may do everything."""

    port: int
    certificates: Certificates

    @property
    def url(self) -> str:
        """Where it is, without a login."""
        return f"rediss://{HOST}:{self.port}/0"

    def address(self, user: str, password: SecretStr | None = None) -> RedisAddress:
        """As this user, by settings of their own."""
        secret = password or SecretStr(PASSWORD)
        return RedisAddress(self.url, user, secret, self.certificates.authority)

    def administrator(self) -> Any:
        """A client that may do everything, by a door of its own without TLS; close it."""
        socket = str(self.certificates.folder / "redis.sock")
        return redis.Redis(unix_socket_path=socket, username="administrator", password=PASSWORD)


def tls_settings(certificates: Certificates, port: int) -> list[str]:
    """Lines of redis.conf: TLS alone, on this port."""
    certificate = certificates.server("redis")
    return [
        f"bind {HOST}",
        "port 0",
        f"tls-port {port}",
        f"tls-cert-file {certificate}",
        f"tls-key-file {certificate}",
        f"tls-ca-cert-file {certificates.authority}",
        "tls-auth-clients optional",
        'save ""',
    ]


@contextmanager
def launched(folder: Path, lines: list[str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A redis-server with these settings; killed at the end."""
    program = tool("redis-server")
    settings = folder / "redis.conf"
    settings.write_text("\n".join([f"dir {folder}", *lines, ""]))
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen(
            [program.path, settings, *arguments],
            env={**os.environ, **program.environment},
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def secured_redis(folder: Path) -> Iterator[SecuredRedis]:
    """Start it, with a user for every role that `rights` knows."""
    certificates = Certificates.in_folder(folder)
    server = SecuredRedis(free_port(), certificates)
    lines = [
        *tls_settings(certificates, server.port),
        f"unixsocket {folder / 'redis.sock'}",
        "user default off",
        f'user administrator on ">{PASSWORD}" ~* &* +@all',
    ]
    with launched(folder, lines):
        client = server.administrator()
        wait_for(lambda: answers(client), "Redis to answer")
        for role in ROLES:
            words = setuser(role, user=role.name).split(" ")
            client.execute_command(*(f">{PASSWORD}" if w == ">PASSWORD" else w for w in words))
        client.close()
        yield server


def answers(client: Any) -> bool:
    """Whether the server is there."""
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
