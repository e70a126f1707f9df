"""The seccomp filter: a small BPF program that refuses system calls no honest command in a sandbox needs.

It is the second layer: the kernel's young and rarely used parts are where walls of namespaces were broken through.
"""

from __future__ import annotations

import errno
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LOAD, EQUAL, AT_LEAST, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
"""BPF: ld absolute word; jeq, jge, jset constant; ret constant."""
NUMBER, MACHINE = 0, 4
"""Where struct seccomp_data holds them."""
ALLOW, REFUSE = 0x7FFF0000, 0x00050000
"""SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO."""

X32 = 0x40000000
"""On x86-64: numbers of a second, forgotten table of calls."""

NEW_SPACES = 0x7E020000
"""CLONE_NEW… of user, mount, pid, net, ipc, uts and cgroup."""
NEW_TIME = 0x80
"""CLONE_NEWTIME, which only `unshare` takes."""
TYPE_INTO_TERMINAL, PASTE_INTO_CONSOLE = 0x5412, 0x541C
"""TIOCSTI, TIOCLINUX."""
UNIX, INET, INET6, NETLINK = 1, 2, 10, 16
SHARED_BYTES = 1 << 16
"""The largest piece of System V shared memory, which no process's size shows: databases need a few bytes of it."""


@dataclass(frozen=True, slots=True)
class Machine:
    """An architecture: its AUDIT_ARCH_…, and its numbers of the calls that differ."""

    code: int
    calls: Mapping[str, int]


_SAME = {
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsconfig": 431,
    "fsmount": 432,
    "fspick": 433,
    "clone3": 435,
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "memfd_secret": 447,
    "open_tree_attr": 467,
}

_X86_64 = {
    "ioctl": 16,
    "shmget": 29,
    "socket": 41,
    "clone": 56,
    "ptrace": 101,
    "syslog": 103,
    "vhangup": 153,
    "modify_ldt": 154,
    "pivot_root": 155,
    "chroot": 161,
    "acct": 163,
    "settimeofday": 164,
    "mount": 165,
    "umount2": 166,
    "swapon": 167,
    "swapoff": 168,
    "reboot": 169,
    "sethostname": 170,
    "setdomainname": 171,
    "iopl": 172,
    "ioperm": 173,
    "init_module": 175,
    "delete_module": 176,
    "quotactl": 179,
    "clock_settime": 227,
    "kexec_load": 246,
    "add_key": 248,
    "request_key": 249,
    "keyctl": 250,
    "unshare": 272,
    "perf_event_open": 298,
    "fanotify_init": 300,
    "open_by_handle_at": 304,
    "clock_adjtime": 305,
    "setns": 308,
    "process_vm_readv": 310,
    "process_vm_writev": 311,
    "finit_module": 313,
    "kexec_file_load": 320,
    "bpf": 321,
    "userfaultfd": 323,
}

_AARCH64 = {
    "ioctl": 29,
    "umount2": 39,
    "mount": 40,
    "pivot_root": 41,
    "chroot": 51,
    "vhangup": 58,
    "quotactl": 60,
    "acct": 89,
    "unshare": 97,
    "kexec_load": 104,
    "init_module": 105,
    "delete_module": 106,
    "clock_settime": 112,
    "syslog": 116,
    "ptrace": 117,
    "reboot": 142,
    "sethostname": 161,
    "setdomainname": 162,
    "settimeofday": 170,
    "shmget": 194,
    "socket": 198,
    "add_key": 217,
    "request_key": 218,
    "keyctl": 219,
    "clone": 220,
    "swapon": 224,
    "swapoff": 225,
    "perf_event_open": 241,
    "fanotify_init": 262,
    "open_by_handle_at": 265,
    "clock_adjtime": 266,
    "setns": 268,
    "process_vm_readv": 270,
    "process_vm_writev": 271,
    "finit_module": 273,
    "bpf": 280,
    "userfaultfd": 282,
    "kexec_file_load": 294,
}

MACHINES: Mapping[str, Machine] = {
    "x86_64": Machine(0xC000003E, {**_SAME, **_X86_64}),
    "aarch64": Machine(0xC00000B7, {**_SAME, **_AARCH64}),
}

ABSENT = ("io_uring_setup", "io_uring_enter", "io_uring_register", "clone3", "memfd_secret")
"""Said not to exist: programs then use what is older, and what the filter can look into."""
LOOKED_AT = ("clone", "unshare", "socket", "ioctl", "shmget")
TRACING = ("ptrace", "process_vm_readv", "process_vm_writev")
"""Debuggers need them. Landlock keeps them to the agent's own processes; without it they are refused."""

Instruction = tuple[int, int, int, int]
"""Code, jump if true, jump if false, constant."""


def build_filter(*, has_landlock: bool, machine: str = "") -> bytes:
    """The program, ready for the kernel; empty: the numbers of this architecture's calls are not known here."""
    known = MACHINES.get(machine or platform.machine())
    if known is None:
        return b""
    program: list[Instruction] = [(LOAD, 0, 0, MACHINE), (EQUAL, 1, 0, known.code), _refused(errno.ENOSYS)]
    program += [(LOAD, 0, 0, NUMBER), (AT_LEAST, 0, 1, X32), _refused(errno.ENOSYS)]
    for name, number in known.calls.items():
        if name not in LOOKED_AT and not (has_landlock and name in TRACING):
            program += [(EQUAL, 0, 1, number), _refused(errno.ENOSYS if name in ABSENT else errno.EPERM)]
    for name, look in _LOOKS.items():
        program += [(EQUAL, 0, len(look), known.calls[name]), *look]
    program.append((RETURN, 0, 0, ALLOW))
    return b"".join(_packed(*each) for each in program)


def _refused(number: int) -> Instruction:
    return RETURN, 0, 0, REFUSE | number


def _packed(code: int, if_true: int, if_false: int, constant: int) -> bytes:
    """As in struct sock_filter; both architectures are little endian."""
    return code.to_bytes(2, "little") + bytes((if_true, if_false)) + constant.to_bytes(4, "little")


def _argument(index: int, *, is_high: bool = False) -> Instruction:
    """Load one half of an argument."""
    return LOAD, 0, 0, 16 + 8 * index + 4 * is_high


_YES: Instruction = (RETURN, 0, 0, ALLOW)

_LOOKS: Mapping[str, Sequence[Instruction]] = {
    "clone": ((_argument(0)), (ANY_BIT, 0, 1, NEW_SPACES), _refused(errno.EPERM), _YES),
    "unshare": ((_argument(0)), (ANY_BIT, 0, 1, NEW_SPACES | NEW_TIME), _refused(errno.EPERM), _YES),
    # Of netlink only the routes, which in here are those of the loopback: programs list their addresses with it.
    "socket": (
        _argument(0),
        (EQUAL, 5, 0, UNIX),
        (EQUAL, 4, 0, INET),
        (EQUAL, 3, 0, INET6),
        (EQUAL, 0, 3, NETLINK),
        _argument(2),
        (EQUAL, 0, 1, 0),
        _YES,
        _refused(errno.EAFNOSUPPORT),
    ),
    "ioctl": (
        _argument(1),
        (EQUAL, 1, 0, TYPE_INTO_TERMINAL),
        (EQUAL, 0, 1, PASTE_INTO_CONSOLE),
        _refused(errno.EPERM),
        _YES,
    ),
    "shmget": (
        _argument(1, is_high=True),
        (EQUAL, 0, 2, 0),
        _argument(1),
        (AT_LEAST, 0, 1, SHARED_BYTES + 1),
        _refused(errno.EINVAL),
        _YES,
    ),
}
"""Calls that are refused for some of their arguments. Each look ends by deciding."""
