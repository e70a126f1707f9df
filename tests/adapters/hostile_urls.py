"""Addresses that nobody should be able to make a git clone, by class. `{port}`, `{trap}`, `{private}` are filled in.

`spared`: why a naive clone comes to no harm by it; empty where it does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    text: str
    spared: str = ""


NO_NAMES = "there are no names to look up here"
MENDED = "mended: git refuses it by itself"
NO_SSH = "there is no ssh to call it with"
ELSEWHERE = "nobody listens there on this machine"

ADDRESSES: Mapping[str, tuple[Address, ...]] = {
    "files of the machine": (
        Address("file://{private}"),
        Address("file://localhost{private}"),
        Address("FILE://{private}", "git knows the word in small letters only"),
        Address("file:{private}", NO_SSH),
        Address("{private}/../private"),
        Address("{private}/.git"),
        Address("/proc/self/cwd{private}", "no such folder"),
        Address("bundle:{private}", NO_SSH),
    ),
    "programs": (
        Address("ext::{trap}%20%S", MENDED),
        Address("ext::sh -c {trap}", MENDED),
        Address("fd::17", "nobody is at its other end"),
        Address("fd::0,1/x", "nobody is at its other end"),
        Address("evil::http://127.0.0.1:{port}/x", "there is no such helper"),
        Address("http::http://127.0.0.1:{port}/x.git"),
        Address("ftp::http://127.0.0.1:{port}/x.git"),
    ),
    "options": (
        Address("--upload-pack={trap}"),
        Address("-u{trap}", "clone alone knows it, and wants an address besides"),
        Address("--config=core.fsmonitor={trap}", "wants an address besides"),
        Address("--template=/tmp", "wants an address besides"),
        Address("-oProxyCommand={trap}", "wants an address besides"),
        Address("ssh://-oProxyCommand={trap}/x", MENDED),
        Address("ssh://git@-oProxyCommand={trap}/x", MENDED),
        Address("-oProxyCommand={trap}:x/y", "wants an address besides"),
    ),
    "loopback in odd forms": (
        Address("http://127.0.0.1:{port}/a/b.git"),
        Address("http://127.1:{port}/a/b.git"),
        Address("http://127.0.1:{port}/a/b.git"),
        Address("http://0x7f000001:{port}/a/b.git"),
        Address("http://0x7f.0.0.1:{port}/a/b.git"),
        Address("http://2130706433:{port}/a/b.git"),
        Address("http://017700000001:{port}/a/b.git"),
        Address("http://0177.0.0.1:{port}/a/b.git"),
        Address("http://0:{port}/a/b.git"),
        Address("http://0.0.0.0:{port}/a/b.git"),
        Address("http://localhost:{port}/a/b.git"),
        Address("http://LOCALHOST.:{port}/a/b.git", NO_NAMES),
        Address("http://[::ffff:127.0.0.1]:{port}/a/b.git"),
        Address("http://[::ffff:7f00:1]:{port}/a/b.git"),
        Address("http://127.0.0.1.nip.io:{port}/a/b.git", NO_NAMES),
        Address("git://127.0.0.1:{port}/a/b.git"),
        Address("http://169.254.169.254/latest/meta-data", ELSEWHERE),
        Address("http://[fd00:ec2::254]/latest", ELSEWHERE),
    ),
    "another host behind a name": (
        Address("https://github.com@127.0.0.1:{port}/a/b"),
        Address("http://github.com:x@127.0.0.1:{port}/a/b"),
        Address("http://github.com%2f@127.0.0.1:{port}/a/b"),
        Address("http://127.0.0.1:{port}/github.com/a/b"),
        Address("http://127.0.0.1:{port}#@github.com/a/b"),
        Address("http://127.0.0.1:{port}?@github.com/a/b"),
        Address("https://github.com.evil.example/a/b", NO_NAMES),
        Address("https://evil.example/github.com/a/b", NO_NAMES),
        Address("https://github.com:443@evil.example/a/b", NO_NAMES),
        Address("https://github.com\\@evil.example/a/b", NO_NAMES),
        Address("git@evil.example:a/b.git", NO_SSH),
        Address("git@github.com.evil.example:a/b.git", NO_SSH),
        Address("ssh://git@127.0.0.1:{port}/a/b", NO_SSH),
        Address("https://token:x@github.com/a/b", NO_NAMES),
    ),
    "letters that look like others": (
        Address("https://g\u0456thub.com/a/b", NO_NAMES),
        Address("https://github\u3002com/a/b", NO_NAMES),
        Address("https://github.com\u2215a/b", NO_NAMES),
        Address("https://\u24d6ithub.com/a/b", NO_NAMES),
        Address("https://github.com/\u0430cme/shop", NO_NAMES),
        Address("https://github.com/acme/sh\u200bop", NO_NAMES),
        Address("https://github.com/acme/shop\u202e", NO_NAMES),
        Address("http://\u2460\u2461\u2466.0.0.1:{port}/a/b", NO_NAMES),
    ),
    "paths that climb or break": (
        Address("https://github.com/../a/b", NO_NAMES),
        Address("https://github.com/a/..", NO_NAMES),
        Address("https://github.com/a/b/../../c", NO_NAMES),
        Address("https://github.com/a/%2e%2e", NO_NAMES),
        Address("https://github.com//a/b", NO_NAMES),
        Address("https://github.com/a/b?x=1", NO_NAMES),
        Address("https://github.com/a/b#x", NO_NAMES),
        Address("https://github.com/a/b;id", NO_NAMES),
        Address("https://github.com/a/$(id)", NO_NAMES),
        Address("https://github.com/a/`id`", NO_NAMES),
        Address("a/b/c", "no such folder"),
        Address("-a/b", "no such folder"),
        Address("a/..", "no such folder"),
        Address("..\\..\\a/b", "no such folder"),
    ),
}

LEAST: Mapping[str, int] = {
    "files of the machine": 6,
    "programs": 6,
    "options": 6,
    "loopback in odd forms": 15,
    "another host behind a name": 12,
    "letters that look like others": 6,
    "paths that climb or break": 10,
}

BROKEN = (
    "https://github.com/a/b\n--upload-pack=x",
    "https://github.com/a\0/b",
    "a/b\r\nHost: x",
    "a/b\t/c",
    "a /b\x1b[0m",
)
"""In pieces: no chat command has them in one word, so they are given to the forges alone."""
