"""One git command: an argv list, an environment from nothing, a time limit, and its failure told apart."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from adapters.git import faults
from adapters.git.faults import Fault, GitError
from adapters.system import Ended, ProcessTimeoutError, run
from core.ports import Remote

LOCAL_SECONDS = 60.0
"""The most that a command on our own disk may take."""

REMOTE_SECONDS = 300.0
"""The most that a fetch or a push may take."""

OUTPUT_LIMIT = 20_000_000
"""Bytes of output that are kept; a diff past it is cut, with a line that says so."""

FULL_BYTES = 65_536
"""With less than this free, a git that failed for no reason it gave has failed for lack of space."""

SETTINGS = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.attributesFile", "/dev/null"),
    ("core.excludesFile", "/dev/null"),
    ("core.fsyncMethod", "batch"),
    ("credential.helper", ""),
    ("http.followRedirects", "false"),
    ("submodule.recurse", "false"),
    ("diff.ignoreSubmodules", "all"),
    ("gc.autoDetach", "false"),
)
"""Stronger than any file: git reads these as if they were given on the command line."""

ENVIRONMENT = {
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "SSH_ASKPASS": "",
    "GIT_SSH_COMMAND": "false",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
}

INHERITED = ("HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_FILE", "SSL_CERT_DIR", "GIT_SSL_CAINFO")
"""How this machine reaches the world; nothing else of the bot's own environment is passed on."""

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

NOBODY = "patchbay@localhost"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who commits, and when. `email` empty: nobody's."""

    name: str
    at: datetime
    email: str = ""

    def environment(self) -> dict[str, str]:
        name = re.sub(r"[<>\x00-\x1f]+", " ", self.name).strip() or "Patchbay"
        date = f"@{int(self.at.timestamp())} +0000"
        return {
            f"GIT_{role}_{field}": value
            for role in ("AUTHOR", "COMMITTER")
            for field, value in (("NAME", name), ("EMAIL", self.email or NOBODY), ("DATE", date))
        }


@dataclass(frozen=True, slots=True)
class Git:
    """git over one private git directory, and where it has them its own working tree and index.

    `global_config`: a file of ours that git, and the git it talks to on this machine, reads besides.
    """

    directory: Path
    tree: Path | None = None
    index: Path | None = None
    global_config: Path | None = None

    async def ask(self, *words: str, environment: Mapping[str, str] | None = None, stdin: bytes = b"") -> str:
        """Its output without the line's end."""
        return (await self.run(*words, environment=environment, stdin=stdin)).text.strip()

    async def run(
        self,
        *words: str,
        remote: Remote | None = None,
        stdin: bytes = b"",
        accept: Collection[int] = (0,),
        environment: Mapping[str, str] | None = None,
    ) -> Ended:
        """GitError unless it ends with a code in `accept`. `remote`: the one place it may talk to."""
        where = remote.url if remote else f"git {words[0]}"
        try:
            ended = await run(
                ("git", *words),
                environment={**self._environment(remote), **(environment or {})},
                seconds=REMOTE_SECONDS if remote else LOCAL_SECONDS,
                cwd="/",
                stdin=stdin,
                limit=OUTPUT_LIMIT,
            )
        except FileNotFoundError:
            raise faults.absent() from None
        except ProcessTimeoutError:
            raise faults.slow(where) from None
        if ended.code not in accept:
            said = f"{ended.error.decode(errors='replace')}\n{ended.text}"
            is_full = await asyncio.to_thread(_is_full, self.index or self.directory)
            raise faults.told(said, where, remote.authorization if remote else "", is_full=is_full)
        return ended

    def _environment(self, remote: Remote | None) -> dict[str, str]:
        given = {name: os.environ[name] for name in INHERITED if name in os.environ}
        places = {"GIT_DIR": self.directory, "GIT_WORK_TREE": self.tree, "GIT_INDEX_FILE": self.index}
        if self.global_config is not None:
            given["GIT_CONFIG_GLOBAL"] = str(self.global_config)
        return {
            **ENVIRONMENT,
            **given,
            **{name: str(place) for name, place in places.items() if place is not None},
            "PATH": f"{os.environ.get('PATH', '')}:{SYSTEM_PATH}".lstrip(":"),
            "GIT_ALLOW_PROTOCOL": _protocol(remote.url) if remote else "none",
            **_settings(remote),
        }


def _is_full(path: Path) -> bool:
    folder = next((each for each in (path, *path.parents) if each.is_dir()), Path("/"))
    return shutil.disk_usage(folder).free < FULL_BYTES


def _settings(remote: Remote | None) -> dict[str, str]:
    """The header travels in the environment, bound to this URL: not in argv, not on disk, not to another host."""
    pairs = list(SETTINGS)
    if remote is not None and remote.authorization:
        pairs.append((f"http.{remote.url}.extraheader", f"Authorization: {remote.authorization}"))
    numbered = {f"GIT_CONFIG_KEY_{number}": name for number, (name, _) in enumerate(pairs)}
    values = {f"GIT_CONFIG_VALUE_{number}": value for number, (_, value) in enumerate(pairs)}
    return {"GIT_CONFIG_COUNT": str(len(pairs)), **numbered, **values}


def _protocol(url: str) -> str:
    """The one transport that `url` needs. GitError for what is neither a web address nor an absolute path."""
    if re.fullmatch(r"/[^\x00-\x1f]*", url):
        return "file"
    if found := re.fullmatch(r"(https?)://[A-Za-z0-9.\[\]:-]+(/[A-Za-z0-9._~/+%-]*)?", url):
        return found[1]
    raise GitError(Fault.OTHER, "The repository's address is neither https:// nor a path on this machine. Correct it.")
