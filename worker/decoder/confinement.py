"""Take away from this process all that decoding an image does not need.

Called once by the decoder's child, after its imports and before its first image. Each measure is
tried on its own, and `confine` says which of them hold: a kernel without one of them still gets the
rest, and the operator can see it (`DecoderPool.posture()`).
"""

import ctypes
import os
import platform
import resource
import signal
import socket
import sys
from pathlib import Path
from typing import Final

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SECCOMP_MODE_FILTER: Final = 2
_RET_KILL_PROCESS, _RET_ERRNO, _RET_ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_EPERM: Final = 1

# What a decode needs: its pipes, memory, a timer on itself, and to end. No open, no socket, no
# exec, no clone, no kill, no ptrace. In order: read write close fstat lseek mmap mprotect munmap
# brk rt_sigaction rt_sigprocmask rt_sigreturn readv sched_yield mremap madvise setitimer getpid
# exit gettimeofday getrusage futex restart_syscall clock_gettime exit_group getrandom.
_X86_64_CALLS: Final = (
    *(0, 1, 3, 5, 8, 9, 10, 11, 12, 13, 14, 15, 19, 24, 25, 28, 38, 39),
    *(60, 96, 98, 202, 219, 228, 231, 318),
)
_AARCH64_CALLS: Final = (
    *(63, 64, 57, 80, 62, 222, 226, 215, 214, 134, 135, 139, 65, 124, 216, 233, 103, 172),
    *(93, 169, 165, 98, 128, 113, 94, 278),
)
# By machine: the kernel's number for the architecture, and the calls allowed.
_ALLOWED: Final[dict[str, tuple[int, tuple[int, ...]]]] = {
    "x86_64": (0xC000003E, _X86_64_CALLS),
    "aarch64": (0xC00000B7, _AARCH64_CALLS),
}


class _Instruction(ctypes.Structure):
    """struct sock_filter: one instruction of classic BPF."""

    _fields_ = (
        ("code", ctypes.c_ushort),
        ("jump_true", ctypes.c_ubyte),
        ("jump_false", ctypes.c_ubyte),
        ("k", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.POINTER(_Instruction)))


def die_with_parent(parent_pid: int) -> bool:
    """Ask the kernel to kill this process when its parent ends; say whether that holds.

    The signal is tied to the parent's *thread* that started us, so that thread must live as long
    as the pool does. Exits at once if the parent is gone already.
    """
    held = _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(0)
    return held


def confine(memory_bytes: int) -> dict[str, bool]:
    """Confine this process for good; return each measure and whether it holds.

    `memory_bytes` is what may be allocated beyond the address space in use now. The measures:
    no_new_privs, not_dumpable (no core, no ptrace by the same user), memory (RLIMIT_AS), files (no
    further descriptor, no byte written to a file, no core file), processes (RLIMIT_NPROC; root is
    exempt), seccomp (an allow-list of system calls; verified by trying to open a file and a
    socket). Nothing may be imported lazily afterwards.
    """
    posture = {
        "no_new_privs": _prctl(_PR_SET_NO_NEW_PRIVS, 1),
        "not_dumpable": False,
        "memory": False,
        "files": False,
        "processes": False,
        "seccomp": False,
    }
    in_use = _address_space()  # before /proc/self closes with dumpable
    posture["not_dumpable"] = _prctl(_PR_SET_DUMPABLE, 0)
    if in_use is not None:
        posture["memory"] = _limit(resource.RLIMIT_AS, in_use + memory_bytes)
    files = ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NOFILE, 3))
    held = [_limit(which, value) for which, value in files]  # each is set, even after a failure
    posture["files"] = all(held)
    posture["processes"] = _limit(resource.RLIMIT_NPROC, 0)
    posture["seccomp"] = _allow_only_needed_calls() and _cannot_open()
    return posture


def _prctl(option: int, argument: int) -> bool:
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    unsigned = ctypes.c_ulong
    return bool(libc.prctl(option, unsigned(argument), unsigned(0), unsigned(0), unsigned(0)) == 0)


def _address_space() -> int | None:
    """Return the bytes of address space in use, or None where the system does not say."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return pages * resource.getpagesize()


def _limit(which: int, value: int) -> bool:
    """Lower one resource limit, soft and hard, to `value` or to what is already less."""
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    try:
        resource.setrlimit(which, (value, value))
    except (OSError, ValueError):
        return False
    return True


def _allow_only_needed_calls() -> bool:
    """Install the seccomp filter: a listed call is allowed, any other fails with EPERM."""
    if sys.platform != "linux" or platform.machine() not in _ALLOWED:
        return False
    architecture, calls = _ALLOWED[platform.machine()]
    load, jump_if_equal, give = 0x20, 0x15, 0x06
    rows = [
        (load, 0, 0, 4),  # seccomp_data.arch
        (jump_if_equal, 1, 0, architecture),
        (give, 0, 0, _RET_KILL_PROCESS),
        (load, 0, 0, 0),  # seccomp_data.nr
        *((jump_if_equal, len(calls) - index, 0, call) for index, call in enumerate(calls)),
        (give, 0, 0, _RET_ERRNO | _EPERM),
        (give, 0, 0, _RET_ALLOW),
    ]
    instructions = (_Instruction * len(rows))(*(_Instruction(*row) for row in rows))
    program = _Program(len(rows), ctypes.cast(instructions, ctypes.POINTER(_Instruction)))
    libc = ctypes.CDLL(None, use_errno=True)
    mode = ctypes.c_ulong(_SECCOMP_MODE_FILTER)
    return bool(libc.prctl(_PR_SET_SECCOMP, mode, ctypes.byref(program)) == 0)


def _cannot_open() -> bool:
    """Say whether opening a directory and a socket are both refused as not permitted."""
    refused = 0
    try:
        os.close(os.open("/", os.O_RDONLY))
    except PermissionError:
        refused += 1
    except OSError:
        pass
    try:
        socket.socket().close()
    except PermissionError:
        refused += 1
    except OSError:
        pass
    return refused == 2
