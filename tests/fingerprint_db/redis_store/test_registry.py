"""What holds for Redis alone: commands, keys, damage, doubt, reachability, following."""

import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from redis.client import Pipeline

from fingerprint_db import lifecycle
from fingerprint_db.errors import (
    IdTaken,
    NameTaken,
    RegistryForbidden,
    RegistryUnavailable,
    RevisionGap,
    WrongSettings,
)
from fingerprint_db.lifecycle import Step
from fingerprint_db.memory_registry import MemoryRegistry
from fingerprint_db.redis_store import connection as redis_connection
from fingerprint_db.redis_store import registry as redis_registry
from fingerprint_db.redis_store.keys import READER_COMMANDS, WRITER_COMMANDS, SpaceKeys
from fingerprint_db.redis_store.registry import RedisRegistry
from fingerprint_db.snapshot import Snapshot
from fingerprint_db.space_contents import SpaceContents
from tests.fingerprint_db.conftest import Database
from tests.fingerprint_db.photograph_parts import part
from tests.fingerprint_db.samples import SPACE, model
from tests.waiting import wait_for

WHO: dict[str, Any] = {"by": "ada", "reason": "test"}
KEYS = SpaceKeys(SPACE)
# Each word of a command line that is an option, with the Redis version that brought it.
OPTIONS = {
    "XADD": {"MAXLEN": "5.0", "=": "5.0"},
    "XREAD": {"COUNT": "5.0", "BLOCK": "5.0", "STREAMS": "5.0"},
    "XREVRANGE": {"COUNT": "5.0"},
}


def one_model(model_id: str) -> SpaceContents:
    """What a registry with this one model holds."""
    source = MemoryRegistry()
    source.register(model(model_id), **WHO)
    return source.contents(SPACE)


def do_everything(registry: RedisRegistry) -> None:
    """Every method at least once, with and without effect."""
    registry.register(model("a"), **WHO)
    registry.promote(SPACE, "a", **WHO)
    registry.retire(SPACE, "a", **WHO)
    registry.restore(SPACE, "a", **WHO)
    with pytest.raises(IdTaken):
        registry.register(model("a"), **WHO)
    registry.absorb(one_model("b"), **WHO)
    registry.absorb(one_model("b"), **WHO)
    registry.store_calibration(SPACE, [part("shop", 2)], seen=0, **WHO)
    registry.store_calibration(SPACE, [part("news", 2)], forget="shop", seen=1, **WHO)
    read_everything(registry)
    registry.promote(SPACE, "b", **WHO)
    statuses = {model.model_id: model.status for model in registry.snapshot(SPACE).models}
    assert statuses["b"] == "live"


def read_everything(registry: RedisRegistry) -> None:
    """Every method that only reads."""
    snapshot = registry.snapshot(SPACE)
    assert registry.get(SPACE, "a").status == "live"
    assert registry.list(SPACE)
    assert registry.history(SPACE)
    assert registry.spaces()
    assert registry.follow(SPACE, 0, block_s=0.0)
    assert registry.follow(SPACE, snapshot.revision, block_s=0.01, root=snapshot.root) == ()
    assert registry.calibration(SPACE).count == 2
    assert registry.contents(SPACE).revision == registry.revision(SPACE)


def interfere_once(monkeypatch: pytest.MonkeyPatch, interfere: Callable[[], object]) -> None:
    """Calls `interfere` between the reading and the writing of the next registration."""
    pending = [interfere]

    def register_late(*arguments: Any) -> Step:
        if pending:
            pending.pop()()
        return lifecycle.register(*arguments)

    monkeypatch.setattr(redis_registry, "register", register_late)


def test_a_writer_who_was_overtaken_starts_again_from_what_is_there_now(
    stored: RedisRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    interfere_once(monkeypatch, lambda: stored.absorb(one_model("a"), **WHO))
    assert stored.register(model("b"), **WHO).revision == 2
    interfere_once(monkeypatch, lambda: stored.absorb(one_model("c"), **WHO))
    with pytest.raises(NameTaken, match="the name 'C' belongs to model 'c'"):
        stored.register(model("d", name="C"), **WHO)
    assert [entry.model_id for entry in stored.list(SPACE)] == ["a", "b", "c"]


def test_only_commands_and_options_of_redis_6_2_are_sent(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = RedisRegistry(database.url)
    rival = RedisRegistry(database.url)
    interfere_once(monkeypatch, lambda: rival.absorb(one_model("c"), **WHO))
    lines: list[list[str]] = []
    with database.client.monitor() as monitor:
        do_everything(registry)
        database.client.echo("the end")
        while True:
            command = monitor.next_command()["command"].split(" ")
            if command[0] == "ECHO":
                break
            lines.append(command)
    registry.close()
    rival.close()
    versions = {**READER_COMMANDS, **WRITER_COMMANDS}
    lines = [line for line in lines if line[0] != "ACL"]  # 6.2 does not show it
    sent = {line[0].upper() for line in lines}
    assert sent == set(versions) - {"ACL WHOAMI"}, "keys.py lists exactly what is sent"
    assert max(tuple(map(int, v.split("."))) for v in versions.values()) <= (6, 2)
    options = {(line[0].upper(), word) for line in lines for word in line[1:] if word.isupper()}
    options |= {(line[0].upper(), "=") for line in lines if "=" in line}
    assert all(word in OPTIONS.get(name, {}) for name, word in options), options


def test_the_server_saw_no_command_that_the_monitor_does_not_show(
    redis_62_database: Database,
) -> None:
    redis_62_database.client.config_resetstat()
    registry = RedisRegistry(redis_62_database.url)
    do_everything(registry)
    registry.close()
    stats = redis_62_database.client.info("commandstats")
    counted = {name.removeprefix("cmdstat_").upper() for name in stats}
    ours = {"CONFIG", "INFO"}  # this test's own
    known = {*READER_COMMANDS, *WRITER_COMMANDS, "ACL"}  # 6.2 counts ACL WHOAMI as ACL
    assert counted - ours <= known


def test_a_user_with_the_reader_commands_can_read_and_follow_but_not_write(
    database: Database,
) -> None:
    writer = RedisRegistry(database.url)
    do_everything(writer)
    writer.close()
    allowed = [f"+{name.lower()}" for name in READER_COMMANDS]
    database.client.execute_command(
        "ACL", "SETUSER", "worker", "on", ">secret", "~latentprint:*", "-@all", *allowed
    )
    try:
        host = urlsplit(database.url)
        reader = RedisRegistry(f"redis://worker:secret@{host.netloc}{host.path}")
        read_everything(reader)
        with pytest.raises(RegistryForbidden, match="refuses") as refused:
            reader.retire(SPACE, "b", **WHO)
        reader.close()
    finally:
        database.client.execute_command("ACL", "DELUSER", "worker")
    assert "secret" not in str(refused.value)


def test_a_wrong_password_is_a_matter_of_settings_and_is_not_shown(database: Database) -> None:
    host = urlsplit(database.url)
    registry = RedisRegistry(f"redis://worker:hunter2@{host.netloc}{host.path}")
    with pytest.raises(RegistryForbidden) as refused:
        registry.snapshot(SPACE)
    assert "worker:***@" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_redis_that_is_not_there_is_unavailable_for_every_call() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        registry = RedisRegistry(f"redis://127.0.0.1:{reserved.getsockname()[1]}/0")
        for attempt in (
            lambda: registry.snapshot(SPACE),
            lambda: registry.follow(SPACE, 0, block_s=1.0),
            lambda: registry.register(model("a"), **WHO),
            lambda: registry.history(SPACE),
            lambda: registry.spaces(),
        ):
            with pytest.raises(RegistryUnavailable, match="cannot be reached"):
                attempt()


def test_a_redis_that_accepts_and_never_answers_is_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(redis_connection, "SOCKET_TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        registry = RedisRegistry(f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        with pytest.raises(RegistryUnavailable, match="cannot be reached"):
            registry.snapshot(SPACE)


def test_an_address_that_is_no_redis_url_is_a_matter_of_settings() -> None:
    with pytest.raises(WrongSettings, match="expected redis://HOST:PORT/DATABASE"):
        RedisRegistry("http://127.0.0.1:6379")


def test_a_block_never_outlasts_the_socket() -> None:
    assert redis_connection.BLOCK_SLICE_S * 2 <= redis_connection.SOCKET_TIMEOUT_S


def test_a_change_whose_reply_was_lost_is_reported_as_done_and_done_once(
    stored: RedisRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute = Pipeline.execute
    lost: list[Any] = []

    def execute_and_lose_the_reply(self: Any, raise_on_error: bool = True) -> Any:
        writes = any(arguments[0] == "XADD" for arguments, _ in self.command_stack)
        reply = execute(self, raise_on_error)
        if writes and not lost:
            lost.append(reply)
            try:
                raise redis.ConnectionError("the reply was lost")
            except redis.ConnectionError:  # as redis-py does when a watched connection dies
                raise redis.WatchError("while watching")  # noqa: B904 (implicit, as there)
        return reply

    monkeypatch.setattr(Pipeline, "execute", execute_and_lose_the_reply)
    change = stored.register(model("a"), **WHO)
    assert lost
    assert (change.revision, stored.history(SPACE)) == (1, (change,))


def test_a_trimmed_stream_is_a_gap_and_a_new_snapshot_closes_it(database: Database) -> None:
    registry = RedisRegistry(database.url, changes_kept=3)
    for name in "abcde":
        registry.register(model(name), **WHO)
    assert database.client.xlen(KEYS.changes) == 3
    assert len(registry.follow(SPACE, 2, block_s=0.0)) == 3
    with pytest.raises(RevisionGap, match="changes 2 to 5 are no longer all in the stream"):
        registry.follow(SPACE, 1, block_s=0.0)
    held = registry.snapshot(SPACE)
    assert registry.follow(SPACE, held.revision, block_s=0.0, root=held.root) == ()
    database.client.delete(KEYS.changes)
    with pytest.raises(RevisionGap, match="holds 0 of 1"):
        registry.follow(SPACE, 4, block_s=0.0)
    registry.register(model("f"), **WHO)
    assert [c.model_id for c in registry.follow(SPACE, 5, block_s=0.0)] == ["f"]
    registry.close()


def test_a_registry_emptied_while_followed_is_a_gap_at_once(
    database: Database, stored: RedisRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_registry, "BLOCK_SLICE_S", 0.05)
    stored.register(model("a"), **WHO)
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(stored.follow, SPACE, 1, block_s=60.0)
        wait_for(
            lambda: any(c["cmd"].startswith("xread") for c in database.client.client_list()),
            "a blocked XREAD",
            deadline_s=10.0,
        )
        database.client.flushdb()
        with pytest.raises(RevisionGap, match="revision 1 is held, the registry is at 0"):
            following.result(timeout=10)
    assert stored.snapshot(SPACE) == Snapshot.empty(SPACE)


def test_a_registry_emptied_and_refilled_past_the_held_revision_is_a_gap(
    database: Database, stored: RedisRegistry
) -> None:
    stored.register(model("a"), **WHO)
    held = stored.snapshot(SPACE)
    database.client.flushdb()
    for name in "xyz":
        stored.register(model(name), **WHO)
    with pytest.raises(RevisionGap, match="it was replaced"):
        stored.follow(SPACE, held.revision, block_s=0.0, root=held.root)


def test_a_snapshot_reads_the_entries_in_portions_and_a_refresh_reads_only_new_ones(
    database: Database, stored: RedisRegistry
) -> None:
    source = MemoryRegistry()
    for number in range(70):
        source.register(model(f"m{number}"), **WHO)
    stored.absorb(source.contents(SPACE), **WHO)

    def reads() -> int:
        stats = database.client.info("commandstats")
        return int(stats.get("cmdstat_mget", {}).get("calls", 0))

    before = reads()
    first = stored.snapshot(SPACE)
    assert reads() - before == 3  # 32 + 32 + 6 entries
    stored.promote(SPACE, "m0", **WHO)
    second = stored.snapshot(SPACE)
    assert reads() - before == 3
    assert second.models[1] is first.models[1]
    stored.register(model("new"), **WHO)
    assert len(stored.snapshot(SPACE).models) == 71
    assert reads() - before == 4
