"""Ways to others: the network, sockets, processes, their environment, and a life after the end."""

# ruff: noqa: E501 - a script is shown as it runs

from __future__ import annotations

from tests.adapters.escapes.case import Escape

CONNECT = "#py\ns = socket.socket({family}, {kind})\ns.settimeout(3)\n{act}\nprint(os.environ['WON'])"

NETWORK = {
    "TCP to this machine": "#py\ns = socket.create_connection(('127.0.0.1', int(os.environ['TCP'])), 3)\ns.send(b'x')",
    "TCP over IPv6": "#py\ns = socket.create_connection(('::1', int(os.environ['TCP6'])), 3)\ns.send(b'x')",
    "TCP by bash": "exec 3<> /dev/tcp/127.0.0.1/$TCP; echo x >&3",
    "TCP by curl": "curl -s -m 3 http://127.0.0.1:$TCP/ || #\nexec 3<> /dev/tcp/127.0.0.1/$TCP; echo x >&3",
    "TCP to all addresses of this machine": (
        "#py\ns = socket.create_connection(('0.0.0.0', int(os.environ['TCP'])), 3)\ns.send(b'x')"
    ),
    "TCP to another loopback address": (
        "#py\ns = socket.create_connection(('127.0.0.1', int(os.environ['TCP'])), 3, ('127.0.0.2', 0))\ns.send(b'x')"
    ),
    "UDP to this machine": (
        "#py\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', int(os.environ['UDP'])))"
    ),
    "UDP by bash": "echo x > /dev/udp/127.0.0.1/$UDP",
    "a name asked of a resolver": (
        "#py\nquery = bytes.fromhex('1234010000010000000000000473746f6c07696e76616c69640000010001')\n"
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(query, ('127.0.0.1', int(os.environ['UDP'])))"
    ),
    "a socket by its path": "#py\ns = socket.socket(socket.AF_UNIX)\ns.connect(os.environ['OUT'] + '/trap')\ns.send(b'x')",
    "a datagram socket by its path": (
        "#py\ns = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\ns.sendto(b'x', os.environ['OUT'] + '/trap-datagram')"
    ),
    "an abstract socket": "#py\ns = socket.socket(socket.AF_UNIX)\ns.connect('\\0' + os.environ['ABSTRACT'])\ns.send(b'x')",
    "a link to a socket": (
        "#py\nos.symlink(os.environ['OUT'] + '/trap', 'l')\ns = socket.socket(socket.AF_UNIX)\ns.connect('l')\ns.send(b'x')"
    ),
}
"""Each reaches a trap where nothing holds it."""

FAR = {
    "the cloud's metadata": CONNECT.format(family=2, kind=1, act="s.connect(('169.254.169.254', 80))"),
    "another cloud's metadata": CONNECT.format(family=2, kind=1, act="s.connect(('100.100.100.200', 80))"),
    "a third cloud's metadata": CONNECT.format(family=2, kind=1, act="s.connect(('168.63.129.16', 80))"),
    "metadata over IPv6": CONNECT.format(family=10, kind=1, act="s.connect(('fd00:ec2::254', 80))"),
    "an address on the internet": CONNECT.format(family=2, kind=1, act="s.connect(('192.0.2.1', 443))"),
    "a resolver on the internet": CONNECT.format(family=2, kind=2, act="s.sendto(b'x', ('192.0.2.53', 53))"),
    "a name": "#py\nprint(socket.getaddrinfo('example.com', 80), os.environ['WON'])",
    "a broadcast": CONNECT.format(
        family=2, kind=2, act="s.setsockopt(1, 6, 1)\ns.sendto(b'x', ('255.255.255.255', 9))"
    ),
    "a multicast": CONNECT.format(family=2, kind=2, act="s.sendto(b'x', ('224.0.0.251', 5353))"),
    "raw packets": CONNECT.format(family=2, kind=3, act="s = socket.socket(2, 3, 1)"),
    "packets of the link": CONNECT.format(family=17, kind=3, act="pass"),
    "netlink of events": CONNECT.format(family=16, kind="3, 15", act="pass"),
    "netlink of the audit": CONNECT.format(family=16, kind="3, 9", act="pass"),
    "netlink of filters": CONNECT.format(family=16, kind="3, 12", act="pass"),
    "netlink of families": CONNECT.format(family=16, kind="3, 16", act="pass"),
    "virtual machine's sockets": CONNECT.format(family=40, kind=1, act="pass"),
    "the kernel's cryptography": CONNECT.format(family=38, kind="5, 0", act="pass"),
    "bluetooth": CONNECT.format(family=31, kind=3, act="pass"),
    "the radio bus": CONNECT.format(family=29, kind=3, act="pass"),
    "TIPC": CONNECT.format(family=30, kind=1, act="pass"),
    "an interface of its own": "ip link add x type dummy && ip link set x up && echo $WON; ip tuntap add t mode tun && echo $WON",
    "docker's socket": "for s in /var/run/docker.sock /run/docker.sock /run/containerd/containerd.sock; do [ -e $s ] && echo $WON; done",
    "the system's bus": "for s in /run/dbus/system_bus_socket /var/run/dbus/system_bus_socket; do [ -e $s ] && echo $WON; done",
    "a session's bus": "for s in /run/user/*/bus /tmp/dbus-*; do [ -e $s ] && echo $WON; done",
    "the keys' agent": 'ls /tmp/ssh-*/agent.* 2> /dev/null && echo $WON; [ -n "$SSH_AUTH_SOCK" ] && echo $WON',
    "the display": 'ls /tmp/.X11-unix/* && echo $WON; [ -n "$DISPLAY$WAYLAND_DISPLAY" ] && echo $WON',
    "the journal": "[ -e /run/systemd/journal/socket ] && echo $WON; [ -e /dev/log ] && echo $WON",
}

PROCESSES = {
    "SIGKILL to a process": ("kill -9 $VICTIM", True),
    "SIGSTOP to a process": ("kill -STOP $VICTIM", True),
    "signals to every number around it": (
        "for n in $(seq $((VICTIM - 20)) $((VICTIM + 2))); do [ $n = $VICTIM ] && kill -9 $n; done",
        True,
    ),
    "a signal by a descriptor of the process": (
        "#py\nimport signal\nsignal.pidfd_send_signal(os.pidfd_open(int(os.environ['VICTIM'])), 9)",
        True,
    ),
    "a signal to its group": ("kill -9 -- -$VICTIM", True),
    "a signal to everybody": ("kill -9 -1", False),
    "another's memory": ("head -c 9 /proc/$VICTIM/mem && echo $WON", False),
    "another's priority": ("renice 19 $VICTIM && echo $WON", True),
    "another's limits": ("prlimit --pid $VICTIM --nofile=3:3 && echo $WON", True),
    "another's processors": ("taskset -p 1 $VICTIM && echo $WON", True),
    "another's working folder": ("cat /proc/$VICTIM/cwd/patchbay.db", True),
    "another's root": ("cat /proc/$VICTIM/root$OUT/patchbay.db", True),
    "another's open files": ("cat /proc/$VICTIM/fd/0", True),
    "another's words": ("tr '\\0' '\\n' < /proc/$VICTIM/cmdline | grep -q . && echo $WON", True),
    "tracing of another": (
        "#py\nassert libc.ptrace(0x4206, int(os.environ['VICTIM']), None, None) == 0\nprint(os.environ['WON'])",
        True,
    ),
    "another's descriptor": (
        "#py\nat = os.pidfd_open(int(os.environ['VICTIM']))\nassert libc.syscall(438, at, 0, 0) >= 0\nprint(os.environ['WON'])",
        True,
    ),
    "another's memory by a call": (
        (
            "#py\nclass V(ctypes.Structure):\n    _fields_ = [('at', ctypes.c_void_p), ('n', ctypes.c_size_t)]\n"
            "b = ctypes.create_string_buffer(8)\nl, r = V(ctypes.addressof(b), 8), V(0x400000, 8)\n"
            "d = libc.process_vm_readv(int(os.environ['VICTIM']), ctypes.byref(l), 1, ctypes.byref(r), 1, 0)\n"
            "if ctypes.get_errno() not in (3, 1, 38): print(os.environ['WON'])"
        ),
        True,
    ),
    "shared memory of System V": (
        "#py\nimport re\nif re.search(r'^ +\\d+ ', open('/proc/sysvipc/shm').read(), re.M): print(os.environ['WON'])",
        False,
    ),
    "message queues": ("ls /dev/mqueue/* && echo $WON", False),
}

ENVIRONMENT = {
    "the environment of another": "tr '\\0' '\\n' < /proc/$VICTIM/environ",
    "every environment": "cat /proc/[0-9]*/environ | tr '\\0' '\\n'",
    "every environment of every task": "cat /proc/[0-9]*/task/*/environ | tr '\\0' '\\n'",
    "by Python": "#py\nimport glob\nfor each in glob.glob('/proc/[0-9]*/environ'):\n    try:\n        print(open(each, 'rb').read())\n    except OSError:\n        pass",
    "what descriptors were left open": "for fd in /proc/self/fd/*; do case $(readlink $fd) in $OUT/*) cat $fd;; esac; done; cat /proc/$VICTIM/fd/0",
    "strings in every file of the processes": "grep -a -s -h $PREFIX /proc/[0-9]*/environ /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -v '^[A-Z]*='; grep -a -h $PREFIX /proc/$VICTIM/environ",
}

READY = "while [ ! -e ready ]; do sleep 0.05; done"
"""What lives on has left its group by then; else it would end with it on any machine."""

PERSISTENCE = {
    "a daemon": f'(setsid bash -c "touch ready; exec -a $MARK sleep 600" > /dev/null 2>&1 < /dev/null &); {READY}',
    "forked twice": (
        "#py\nimport time\nif not os.fork():\n    os.setsid()\n    if not os.fork():\n"
        "        os.dup2(os.open('/dev/null', 2), 1)\n        os.dup2(1, 2)\n        open('ready', 'w').close()\n"
        "        os.execvp('sleep', [os.environ['MARK'], '600'])\n    os._exit(0)\n"
        "while not os.path.exists('ready'):\n    time.sleep(0.05)"
    ),
    "deaf to hanging up": 'nohup bash -c "exec -a $MARK sleep 600" > /dev/null 2>&1 &',
    "disowned": 'bash -c "exec -a $MARK sleep 600" > /dev/null 2>&1 & disown',
    "deaf to every signal": (
        "(trap '' HUP INT QUIT TERM; setsid bash -c \"trap '' HUP INT QUIT TERM; touch ready; exec -a $MARK sleep 600\""
        f" > /dev/null 2>&1 &); {READY}"
    ),
    "the schedule of the system": "echo '* * * * * root id' > /etc/cron.d/x && echo $WON; crontab -l 2>/dev/null; [ -w /var/spool/cron ] && echo $WON",
    "a unit of the system": "mkdir -p /etc/systemd/system && touch /etc/systemd/system/x.service && echo $WON",
    "a shell's start": "touch /etc/profile.d/x.sh && echo $WON; [ -w /etc/bash.bashrc ] && echo $WON",
    "a program of the system replaced": "touch /usr/bin/x && echo $WON; cp /bin/true /usr/local/bin/git && echo $WON",
    "a module of the bot's Python": "touch $PREFIXES/lib/x.pth && echo $WON; find $PREFIXES -maxdepth 4 -name site-packages -exec touch {}/x.pth \\; -exec echo $WON \\; 2>/dev/null",
}
LIVING = ("a daemon", "forked twice", "deaf to every signal")
"""These only live on. The others change the machine, or end with their group in any case."""

CASES = (
    *(Escape("network", name, script) for name, script in NETWORK.items()),
    *(Escape("network", name, script, is_harmless=False) for name, script in FAR.items()),
    *(Escape("processes", name, script, is_harmless=harmless) for name, (script, harmless) in PROCESSES.items()),
    *(
        Escape("environment", name, script, is_harmless="[0-9]*" not in script and "glob" not in script)
        for name, script in ENVIRONMENT.items()
    ),
    *(Escape("life after the end", name, script, is_harmless=name in LIVING) for name, script in PERSISTENCE.items()),
)
