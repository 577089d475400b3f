"""What a confined process tries is refused by the kernel."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="these measures are Linux's")

ATTEMPTS = """
import json, mmap, os, resource, signal
from worker.decoder.confinement import OPTIONAL, confine, prepare
posture = confine(prepare(True), memory_bytes=64 * 1024 * 1024, cpu_s=60)
posture = {name: holds for name, holds in posture.items() if name not in OPTIONAL}
outcome = {"posture": posture}
def attempt(name, action):
    try:
        action()
    except BaseException as error:
        outcome[name] = type(error).__name__
    else:
        outcome[name] = "done"
attempt("read a file", lambda: open("/etc/passwd"))
attempt("write a file", lambda: open("/dev/shm/latentprint-escape", "w"))
attempt("list a folder", lambda: os.listdir("/"))
attempt("open a pipe", os.pipe)
attempt("make code", lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC))
attempt("catch a signal", lambda: signal.signal(signal.SIGXCPU, signal.SIG_IGN))
attempt("set a timer", lambda: signal.setitimer(signal.ITIMER_PROF, 0))
attempt("kill its parent", lambda: os.kill(os.getppid(), 0))
attempt("raise a limit", lambda: resource.setrlimit(resource.RLIMIT_AS, (-1, -1)))
attempt("allocate 200 MB", lambda: bytearray(200_000_000))
attempt("allocate 10 MB", lambda: bytearray(10_000_000))
os.write(1, json.dumps(outcome).encode())
"""


def test_a_confined_process_can_compute_and_nothing_else() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPTS],
        cwd=ROOT,
        capture_output=True,
        env={"OPENBLAS_NUM_THREADS": "1"},
        check=True,
        timeout=60,
    )
    outcome = json.loads(done.stdout)
    assert all(outcome.pop("posture").values())
    assert outcome == {
        "read a file": "PermissionError",
        "write a file": "PermissionError",
        "list a folder": "PermissionError",
        "open a pipe": "PermissionError",
        "make code": "PermissionError",
        "catch a signal": "PermissionError",
        "set a timer": "itimer_error",
        "kill its parent": "PermissionError",
        "raise a limit": "ValueError",
        "allocate 200 MB": "MemoryError",
        "allocate 10 MB": "done",
    }


@pytest.mark.parametrize(
    "attempt",
    [
        "libc.fork()",
        "libc.execve(b'/bin/true', None, None)",
        "libc.ptrace(0, 0, 0, 0)",
        "libc.socket(2, 1, 0)",
        "libc.unshare(0x10000000)",
        "libc.memfd_create(b'', 0)",
        "libc.setuid(0)",
        "libc.mount(b'', b'/', b'', 0, None)",
    ],
)
def test_what_only_an_intruder_tries_ends_the_process(attempt: str) -> None:
    code = (
        "import ctypes; from worker.decoder.confinement import confine, prepare\n"
        "libc = ctypes.CDLL(None)\n"
        "assert confine(prepare(True), memory_bytes=1 << 26, cpu_s=60)['seccomp']\n"
        f"{attempt}"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=60)
    assert done.returncode == -signal.SIGSYS


def test_the_processor_time_of_a_whole_life_is_bounded_by_the_kernel() -> None:
    code = (
        "from worker.decoder.confinement import confine, prepare\n"
        "assert confine(prepare(True), memory_bytes=1 << 26, cpu_s=0.1)['processor_time']\n"
        "while True: pass"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL


def test_landlock_holds_where_the_kernel_has_it() -> None:
    code = (
        "import os; from worker.decoder.confinement import prepare\n"
        "held = prepare(True).held['landlock']\n"
        "try: os.listdir('/'); seen = True\n"
        "except PermissionError: seen = False\n"
        "assert seen != held, (seen, held)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=60)
    assert done.returncode == 0


def test_in_namespaces_of_its_own_a_process_has_no_network() -> None:
    code = (
        "import socket; from worker.decoder.confinement import own_namespaces\n"
        "held = own_namespaces()\n"
        "devices = [name for _, name in socket.if_nameindex()]\n"
        "try: socket.create_connection(('127.0.0.1', 9)); refused = 0\n"
        "except OSError as error: refused = error.errno\n"
        "unreachable = 101\n"
        "assert not held or (devices, refused) == (['lo'], unreachable), (devices, refused)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False, timeout=60)
    assert done.returncode == 0


def test_the_child_imports_neither_torch_nor_kafka_nor_redis() -> None:
    code = "import sys, worker.decoder.child; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True, text=True
    )
    roots = {name.split(".")[0] for name in done.stdout.split()}
    assert {"numpy", "PIL", "worker"} <= roots
    assert not roots & {"torch", "kafka", "redis", "pydantic", "torchvision", "fingerprint_db"}


def test_children_end_with_a_parent_that_was_killed() -> None:
    code = (
        "import os, sys; from worker.decoder.decode import DecodeLimits; "
        "from worker.decoder.pool import DecoderPool; pool = DecoderPool(DecodeLimits(), 2); "
        "pool.start(); print(*pool.pids(), flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        parent.kill()
    assert len(pids) == 2
    wait_for(lambda: not any(_runs(pid) for pid in pids), "the orphans to end")


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX" and os.path.exists(f"/proc/{pid}")
