"""Take away from this process all that decoding an image does not need.

In two steps. `prepare` is called once by the decoder's template, after its imports: what it gives
up its children never had. `confine` is called by each child before its image: what a template needs
and a child does not, above all every system call beyond a short list. Each measure is tried on its
own, and the posture says which of them hold: a kernel without one of them still gets the rest, and
the operator can see it (`DecoderPool.posture()`).
"""

import contextlib
import ctypes
import math
import os
import platform
import resource
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

OPTIONAL: Final = frozenset({"landlock", "namespaces"})
"""Measures that are a second wall behind another one; a kernel may lack them."""

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 4, 22, 38
_SECCOMP_MODE_FILTER: Final = 2
_RET_KILL_PROCESS, _RET_ERRNO, _RET_ALLOW = 0x80000000, 0x00050000, 0x7FFF0000
_EPERM: Final = 1
_PROT_EXEC: Final = 4

# What a decode needs: its socket, memory, and to end. No open, no socket, no exec, no clone, no
# kill, no timer, no signal handler. In order: read write close fstat lseek mmap mprotect munmap brk
# rt_sigreturn readv writev sched_yield mremap madvise getpid exit gettimeofday getrusage futex
# restart_syscall clock_gettime exit_group getrandom.
_X86_64_CALLS: Final = (
    *(0, 1, 3, 5, 8, 9, 10, 11, 12, 15, 19, 20, 24, 25, 28, 39),
    *(60, 96, 98, 202, 219, 228, 231, 318),
)
_AARCH64_CALLS: Final = (
    *(63, 64, 57, 80, 62, 222, 226, 215, 214, 139, 65, 66, 124, 216, 233, 172),
    *(93, 169, 165, 98, 128, 113, 94, 278),
)
# What no decoder tries and an intruder tries first: the process ends at once, so that it is seen.
# Networks, processes, other processes' memory, privileges, namespaces, mounts, the kernel itself.
# Not abort's tgkill. In order: socket connect accept sendto sendmsg bind listen socketpair clone
# fork vfork execve ptrace setuid setgid setreuid setresuid capset personality pivot_root chroot
# mount umount2 init_module add_key request_key keyctl unshare accept4 perf_event_open fanotify_init
# open_by_handle_at sendmmsg setns process_vm_readv process_vm_writev kcmp finit_module seccomp
# memfd_create kexec_file_load bpf execveat userfaultfd pkey_mprotect; from pidfd_send_signal on
# both machines have the same numbers.
_NEWER_ALARMS: Final = (
    *(424, 425, 426, 427, 428, 429, 430, 434, 435, 437, 438, 440),
    *(442, 444, 445, 446, 448),
)
_X86_64_ALARMS: Final = (
    *(41, 42, 43, 44, 46, 49, 50, 53, 56, 57, 58, 59, 101, 105, 106, 113, 117, 126, 135, 155, 161),
    *(165, 166, 175, 248, 249, 250, 272, 288, 298, 300, 304, 307, 308, 310, 311, 312, 313, 317),
    *(319, 320, 321, 322, 323, 329),
    *_NEWER_ALARMS,
)
_AARCH64_ALARMS: Final = (
    *(198, 203, 202, 206, 211, 200, 201, 199, 220, 221, 117, 146, 144, 145, 147, 91, 92, 41, 51),
    *(40, 39, 105, 217, 218, 219, 97, 242, 241, 262, 265, 269, 268, 270, 271, 272, 273, 277),
    *(279, 294, 280, 281, 282, 288),
    *_NEWER_ALARMS,
)
# By machine: the kernel's number for the architecture, the calls allowed, and those that alarm.
_CALLS: Final[dict[str, tuple[int, tuple[int, ...], tuple[int, ...]]]] = {
    "x86_64": (0xC000003E, _X86_64_CALLS, _X86_64_ALARMS),
    "aarch64": (0xC00000B7, _AARCH64_CALLS, _AARCH64_ALARMS),
}
_CLONE_NEWUTS, _CLONE_NEWIPC = 0x04000000, 0x08000000
_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000
_LANDLOCK_CREATE_RULESET, _LANDLOCK_RESTRICT_SELF = 444, 446
# By version of Landlock's interface: how many bits of files, of the network and of scopes it has.
_LANDLOCK_BITS: Final = ((13, 0, 0), (14, 0, 0), (15, 0, 0), (15, 2, 0), (16, 2, 0), (16, 2, 2))


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


class _Seccomp:
    """The filter of system calls, built before the fork: each page a child touches costs it time.

    A listed call is allowed, any other fails with EPERM. Of mmap and mprotect, a wish for
    executable memory fails too; a call that only an intruder makes ends the process with SIGSYS.
    """

    def __init__(self, rows: list[tuple[int, int, int, int]]) -> None:
        self._instructions = (_Instruction * len(rows))(*(_Instruction(*row) for row in rows))
        self._program = _Program(
            len(rows), ctypes.cast(self._instructions, ctypes.POINTER(_Instruction))
        )
        self._pointer = ctypes.byref(self._program)
        self._prctl = ctypes.CDLL(None, use_errno=True).prctl
        self._mode = ctypes.c_ulong(_SECCOMP_MODE_FILTER)

    @classmethod
    def for_this_machine(cls) -> "_Seccomp | None":
        """The filter in this machine's numbers, or None where they are not known."""
        known = _CALLS.get(platform.machine())
        if sys.platform != "linux" or known is None:
            return None
        architecture, calls, alarms = known
        load, jump_if_equal, jump_if_set, give = 0x20, 0x15, 0x45, 0x06
        number, first_word_of_arg_2 = 0, 16 + 2 * 8  # in struct seccomp_data
        mapping = (9, 10) if platform.machine() == "x86_64" else (222, 226)  # mmap, mprotect
        others = [call for call in calls if call not in mapping]
        end = len(others) + len(alarms)  # rows between the two lists and what they jump to
        rows = [
            (load, 0, 0, 4),  # seccomp_data.arch
            (jump_if_equal, 1, 0, architecture),
            (give, 0, 0, _RET_KILL_PROCESS),
            (load, 0, 0, number),
            *((jump_if_equal, end + 2 - at, 0, call) for at, call in enumerate(mapping)),
            *((jump_if_equal, end + 3 - at, 0, call) for at, call in enumerate(others)),
            *((jump_if_equal, len(alarms) + 4 - at, 0, call) for at, call in enumerate(alarms)),
            (give, 0, 0, _RET_ERRNO | _EPERM),
            (load, 0, 0, first_word_of_arg_2),
            (jump_if_set, 0, 1, _PROT_EXEC),
            (give, 0, 0, _RET_ERRNO | _EPERM),
            (give, 0, 0, _RET_ALLOW),
            (give, 0, 0, _RET_KILL_PROCESS),
        ]
        return cls(rows)

    def install(self) -> bool:
        """Put the filter in force for good; say whether it holds."""
        return bool(self._prctl(_PR_SET_SECCOMP, self._mode, self._pointer) == 0)


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a template has given up already, and what it looked up for its children."""

    held: dict[str, bool]
    address_space: int | None
    seccomp: _Seccomp | None


def die_with_parent(parent_pid: int) -> bool:
    """Ask the kernel to kill this process when its parent ends; say whether that holds.

    The signal is tied to the parent's *thread* that started us, so that thread must live as long
    as the pool does. Exits at once if the parent is gone already.
    """
    held = _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(0)
    return held


def own_namespaces() -> bool:
    """Leave the machine's network, its shared memory and its users; say whether that holds.

    A second wall: in here there is no network device, not even loopback, and no privilege over
    anything outside. Needs a process of one thread, and a kernel that lets users make namespaces.
    Must come before `die_with_parent`, which a change of users may undo.
    """
    if sys.platform != "linux":
        return False
    apart = _CLONE_NEWNET | _CLONE_NEWIPC | _CLONE_NEWUTS
    # As root the second is tried where users may make no namespaces.
    return any(_libc.unshare(flags) == 0 for flags in (_CLONE_NEWUSER | apart, apart))


def prepare(dies_with_parent: bool, own_namespaces: bool = False) -> Prepared:
    """Give up for good what neither this process nor its children need.

    The measures: no_new_privs; not_dumpable (no core, no ptrace by the same user);
    no_capabilities (root is no more than another user); killed_first (where memory runs out, the
    kernel ends a decoder and not the worker); landlock (a second wall before files, the network
    and signals; see OPTIONAL). `dies_with_parent` and `own_namespaces` are what the functions of
    these names said.
    """
    held = {
        "dies_with_parent": dies_with_parent,
        "namespaces": own_namespaces,
        "no_new_privs": _prctl(_PR_SET_NO_NEW_PRIVS, 1),
        "killed_first": _be_killed_first(),
        "no_capabilities": _drop_capabilities(),
    }
    in_use = _address_space()  # before /proc/self closes with dumpable
    held["not_dumpable"] = _prctl(_PR_SET_DUMPABLE, 0)
    held["landlock"] = _restrict_by_landlock()
    return Prepared(held, in_use, _Seccomp.for_this_machine())


def confine(prepared: Prepared, *, memory_bytes: int, cpu_s: float) -> dict[str, bool]:
    """Confine this process for good; return each measure and whether it holds.

    `memory_bytes` is what may be allocated beyond the address space of the template, `cpu_s` the
    processor time of its whole life. The measures, beside those of `prepare`: memory (RLIMIT_AS),
    processor_time (RLIMIT_CPU, which ends the process by SIGKILL), files (no further descriptor, no
    byte written to a file, no core file), processes (RLIMIT_NPROC; root is exempt), seccomp (an
    allow-list of system calls without executable memory; verified by trying to open a folder and a
    pipe). Nothing may be imported lazily afterwards.
    """
    posture = dict(prepared.held)
    posture["memory"] = prepared.address_space is not None and _limit(
        resource.RLIMIT_AS, prepared.address_space + memory_bytes
    )
    posture["processor_time"] = _limit(resource.RLIMIT_CPU, math.ceil(cpu_s) + 1)
    files = ((resource.RLIMIT_CORE, 0), (resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_NOFILE, 3))
    held = [_limit(which, value) for which, value in files]  # each is set, even after a failure
    posture["files"] = all(held)
    posture["processes"] = _limit(resource.RLIMIT_NPROC, 0)
    posture["seccomp"] = (
        prepared.seccomp is not None and prepared.seccomp.install() and _cannot_open()
    )
    return posture


def give_up_privileges() -> dict[str, bool]:
    """What a process can do without that still needs files and the network; what of it holds.

    It gains no privileges and has none, is killed first where memory runs out, leaves no core, and
    writes no byte into any file.
    """
    held = {
        "no_new_privs": _prctl(_PR_SET_NO_NEW_PRIVS, 1),
        "killed_first": _be_killed_first(),
        "no_capabilities": _drop_capabilities(),
        "not_dumpable": _prctl(_PR_SET_DUMPABLE, 0),
    }
    limits = [_limit(which, 0) for which in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE)]
    return held | {"files": all(limits)}


_libc: Final = ctypes.CDLL(None, use_errno=True)


def _prctl(option: int, argument: int) -> bool:
    if sys.platform != "linux":
        return False
    libc = _libc
    unsigned = ctypes.c_ulong
    return bool(libc.prctl(option, unsigned(argument), unsigned(0), unsigned(0), unsigned(0)) == 0)


def _be_killed_first() -> bool:
    """Ask the kernel to take this process first where memory runs out; children inherit it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
        return True
    return False


def _drop_capabilities() -> bool:
    """Give up every capability, the effective, permitted and inheritable ones."""
    if sys.platform != "linux":
        return False
    version_3, this_process = 0x20080522, 0
    header = (ctypes.c_uint32 * 2)(version_3, this_process)
    none = (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.capset(header, none) == 0)


def _restrict_by_landlock() -> bool:
    """Deny every access that Landlock knows, by a ruleset without a rule; needs no_new_privs."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    size, flag = ctypes.c_size_t, ctypes.c_uint32
    version = libc.syscall(_LANDLOCK_CREATE_RULESET, None, size(0), flag(1))
    if version < 1:
        return False
    bits = _LANDLOCK_BITS[min(version, len(_LANDLOCK_BITS)) - 1]
    handled = (ctypes.c_uint64 * 3)(*((1 << count) - 1 for count in bits))
    used = size(8 * (3 if bits[2] else 2 if bits[1] else 1))
    ruleset = libc.syscall(_LANDLOCK_CREATE_RULESET, ctypes.byref(handled), used, flag(0))
    if ruleset < 0:
        return False
    restricted = libc.syscall(_LANDLOCK_RESTRICT_SELF, ruleset, flag(0)) == 0
    os.close(ruleset)
    return bool(restricted)


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


def _cannot_open() -> bool:
    """Say whether opening a directory and a pipe are both refused as not permitted."""
    refused = 0
    for attempt in (lambda: os.open("/", os.O_RDONLY), os.pipe):
        try:
            attempt()
        except PermissionError:
            refused += 1
        except OSError:
            pass
    return refused == 2
