"""A Redis with TLS and users: every role does its work, all else is denied, secrets may turn."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from pydantic import SecretStr

from deploy.services.ports import free_port
from fingerprint_db.errors import RegistryError, RegistryForbidden
from fingerprint_db.redis_store.address import RedisAddress
from fingerprint_db.redis_store.connection import connect, reaching
from fingerprint_db.redis_store.keys import SpaceKeys
from fingerprint_db.redis_store.registry import RedisRegistry
from fingerprint_db.settings_sources import SecretFile
from fingerprint_db.transfer import export, import_
from tests.certificates import HOST, Certificates
from tests.fingerprint_db.photograph_parts import part
from tests.fingerprint_db.samples import SPACE, model
from tests.secured_redis import PASSWORD, SecuredRedis, answers, launched, secured_redis
from tests.waiting import wait_for

WHO: dict[str, Any] = {"by": "ada", "reason": "test"}
KEYS = SpaceKeys(SPACE)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredRedis]:
    with secured_redis(tmp_path_factory.mktemp("secured-redis")) as server:
        yield server


@pytest.fixture
def empty(server: SecuredRedis) -> SecuredRedis:
    with server.administrator() as client:
        client.flushall()
    return server


def test_every_role_does_its_work_with_exactly_its_rights(empty: SecuredRedis) -> None:
    as_role = {
        name: RedisRegistry(empty.address(name))
        for name in ("worker", "reader", "registrar", "calibrator")
    }
    registrar = as_role["registrar"]
    registrar.register(model("a"), **WHO)
    registrar.promote(SPACE, "a", **WHO)
    registrar.retire(SPACE, "a", **WHO)
    registrar.restore(SPACE, "a", **WHO)
    calibrator = as_role["calibrator"]
    calibrator.store_calibration(SPACE, [part("shop", 3)], seen=0, **WHO)
    calibrator.store_calibration(SPACE, [part("news", 3)], forget="shop", seen=1, **WHO)
    worker = as_role["worker"]
    assert worker.spaces() == (SPACE,)
    assert len(worker.snapshot(SPACE).models) == 1
    assert len(worker.follow(SPACE, 1, block_s=0.0)) == 3
    assert worker.follow(SPACE, 4, block_s=0.01) == ()
    assert worker.calibration(SPACE).photographs
    data = export(as_role["reader"], SPACE)
    assert as_role["reader"].history(SPACE)[0].action == "register"
    with empty.administrator() as client:
        client.flushall()
    assert import_(registrar, data, **WHO).restored, "models and photographs come back"
    assert as_role["reader"].calibration(SPACE).photographs
    for registry in as_role.values():
        registry.close()


DENIED = {
    "worker": [
        ("WATCH", KEYS.history),
        ("SET", KEYS.entry("0" * 64), "forged"),
        ("HSET", KEYS.index, "a", "forged"),
        ("RPUSH", KEYS.history, "forged"),
        ("SADD", "latentprint:spaces", "forged"),
        ("DEL", KEYS.calibration),
        ("MGET", "another:key"),
        ("KEYS", "*"),
        ("EVAL", "return 1", "0"),
        ("CONFIG", "GET", "requirepass"),
        ("ACL", "LIST"),
        ("FLUSHALL",),
    ],
    "reader": [("SET", KEYS.calibration, "forged"), ("XREAD", "STREAMS", KEYS.changes, "0")],
    "registrar": [
        ("DEL", KEYS.history),
        ("SET", "another:key", "x"),
        ("FLUSHDB",),
    ],
    "calibrator": [
        ("SET", KEYS.entry("0" * 64), "forged"),
        ("RPUSH", KEYS.history, "forged"),
        ("DEL", KEYS.history),
    ],
}


@pytest.mark.parametrize("user", DENIED)
def test_what_a_role_does_not_need_is_denied_and_the_message_names_it(
    server: SecuredRedis, user: str
) -> None:
    address = server.address(user)
    client = connect(address)
    for command in DENIED[user]:
        with pytest.raises(RegistryForbidden) as refused, reaching(address):
            client.execute_command(*command)
        said = str(refused.value)
        assert f"refuses user '{user}'" in said
        assert f"({' '.join(command[:2])})" in said, "the command and its key"
        assert refused.value.exit_code == 2
    client.close()


def test_a_command_that_goes_beyond_its_role_changes_nothing(empty: SecuredRedis) -> None:
    registrar = RedisRegistry(empty.address("registrar"))
    registrar.register(model("a"), **WHO)
    before = registrar.snapshot(SPACE)
    for user in ("worker", "reader", "calibrator"):
        registry = RedisRegistry(empty.address(user))
        with pytest.raises(RegistryForbidden, match=f"refuses user '{user}'"):
            registry.retire(SPACE, "a", **WHO)
        registry.close()
    for user in ("worker", "reader"):
        registry = RedisRegistry(empty.address(user))
        with pytest.raises(RegistryForbidden, match="watch"):
            registry.store_calibration(SPACE, [part("shop", 3)], seen=0, **WHO)
        registry.close()
    assert registrar.snapshot(SPACE) == before
    registrar.close()


# What is wrong ----------------------------------------------------------------------------


def refusal(address: RedisAddress) -> str:
    registry = RedisRegistry(address)
    began = time.monotonic()
    with pytest.raises(RegistryError) as refused:
        registry.spaces()
    assert time.monotonic() - began < 10.0
    assert refused.value.exit_code == 2, refused.value
    registry.close()
    return str(refused.value)


def by(server: SecuredRedis, *, url: str = "", **changed: Any) -> RedisAddress:
    given: dict[str, Any] = {
        "username": "worker",
        "password": SecretStr(PASSWORD),
        "tls_ca_file": server.certificates.authority,
    }
    return RedisAddress(url or server.url, **given | changed)


def test_what_is_wrong_with_the_wire_is_said(server: SecuredRedis) -> None:
    stranger = refusal(by(server, tls_ca_file=server.certificates.stranger))
    assert "not signed by the authority in redis.tls_ca_file" in stranger
    assert "give yours as redis.tls_ca_file" in refusal(by(server, tls_ca_file=None))
    elsewhere = refusal(by(server, url=server.url.replace("127.0.0.1", "localhost")))
    assert "for another host name" in elsewhere
    wrong = refusal(by(server, password=SecretStr("hunter2")))
    assert "refuses user 'worker': invalid username-password pair" in wrong
    assert "hunter2" not in wrong
    nobody = refusal(by(server, username=None, password=None))
    assert "refuses user 'default': Authentication required" in nobody, "the user default is off"
    plain = refusal(by(server, url=server.url.replace("rediss", "redis"), tls_ca_file=None))
    assert "it speaks TLS; the address must begin with rediss://" in plain


def test_without_a_login_the_answer_over_tls_is_the_same_every_time(server: SecuredRedis) -> None:
    """Tickets that TLS sends by itself are no sign of another protocol."""
    address = by(server, username=None, password=None)
    said = {refusal(address).partition("(")[0] for _ in range(20)}
    assert len(said) == 1
    assert "refuses user 'default'" in said.pop()


@pytest.fixture
def wants_certificates(server: SecuredRedis) -> Iterator[None]:
    with server.administrator() as client:
        client.config_set("tls-auth-clients", "yes")
        yield
        client.config_set("tls-auth-clients", "optional")


def test_a_redis_that_wants_certificates_says_which_it_does_not_take(
    server: SecuredRedis, wants_certificates: None, tmp_path: Path
) -> None:
    made = server.certificates
    assert "it wants a certificate of ours" in refusal(by(server))
    expired = refusal(by(server, tls_cert_file=made.client("old", ended=True)))
    assert "it does not take our certificate" in expired
    foreign = Certificates.in_folder(tmp_path).client("worker")
    assert "it does not take our certificate" in refusal(by(server, tls_cert_file=foreign))
    registry = RedisRegistry(by(server, tls_cert_file=made.client("worker")))
    assert registry.revision(SPACE) >= 0
    registry.close()


@pytest.fixture
def serves(server: SecuredRedis) -> Iterator[Callable[[Path, Path], None]]:
    """Has the server show another certificate, and trust another authority, from now on."""

    def serve(certificate: Path, authority: Path) -> None:
        with server.administrator() as client:  # at once, since each alone would not fit the other
            client.execute_command(
                "CONFIG", "SET", "tls-cert-file", str(certificate),
                "tls-key-file", str(certificate), "tls-ca-cert-file", str(authority),
            )  # fmt: skip

    yield serve
    serve(server.certificates.server("redis"), server.certificates.authority)


def test_a_certificate_that_has_expired_is_said(
    server: SecuredRedis, serves: Callable[[Path, Path], None]
) -> None:
    serves(server.certificates.server("expired"), server.certificates.authority)
    assert "its certificate is not valid now" in refusal(by(server))


@pytest.mark.parametrize("database", [0, 3])
def test_a_sentinel_is_refused_by_name(tmp_path: Path, database: int) -> None:
    port = free_port()
    watched = [f"bind {HOST}", f"port {port}", f"sentinel monitor primary {HOST} {free_port()} 1"]
    with launched(tmp_path, watched, "--sentinel"):
        client = redis.Redis(host=HOST, port=port)
        wait_for(lambda: answers(client), "the Sentinel to answer")
        said = refusal(RedisAddress(f"redis://{HOST}:{port}/{database}"))
        client.close()
    assert "is a Sentinel, which keeps no data" in said


# What turns -------------------------------------------------------------------------------


def cut_off(client: Any, user: str) -> None:
    """End the connections of a user, as a restart does."""
    client.execute_command("CLIENT", "KILL", "USER", user)


def test_a_password_that_turns_is_used_for_the_next_connection(
    server: SecuredRedis, tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    registry = RedisRegistry(server.address("worker", SecretFile(file)))
    before = registry.revision(SPACE)
    with server.administrator() as client:
        try:
            client.execute_command("ACL", "SETUSER", "worker", "resetpass", ">turned")
            file.write_text("turned")
            cut_off(client, "worker")
            assert registry.revision(SPACE) == before
            file.write_text("wrong")
            cut_off(client, "worker")
            with pytest.raises(RegistryForbidden, match="invalid username-password pair"):
                registry.revision(SPACE)
            file.unlink()
        finally:
            client.execute_command("ACL", "SETUSER", "worker", "resetpass", f">{PASSWORD}")
    registry.close()


def test_an_authority_and_a_certificate_that_turn_are_used_for_the_next_connection(
    server: SecuredRedis,
    wants_certificates: None,
    serves: Callable[[Path, Path], None],
    tmp_path: Path,
) -> None:
    old, new = server.certificates, Certificates.in_folder(tmp_path)
    authority, own = tmp_path / "trusted.pem", tmp_path / "own.pem"
    authority.write_bytes(old.authority.read_bytes())
    own.write_bytes(old.client("worker").read_bytes())
    registry = RedisRegistry(by(server, tls_ca_file=authority, tls_cert_file=own))
    before = registry.revision(SPACE)
    with server.administrator() as client:
        serves(new.server("redis"), new.authority)
        authority.write_bytes(new.authority.read_bytes())
        own.write_bytes(new.client("worker").read_bytes())
        cut_off(client, "worker")
    assert registry.revision(SPACE) == before
    registry.close()
