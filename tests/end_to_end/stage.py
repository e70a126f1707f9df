"""Everything around a bot process that can be told to fail or to wait: our own fakes, behind one configuration."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from tests.end_to_end.process import BotProcess
from tests.fakes.git_http import GitHttp
from tests.fakes.github import FakeGithub, Repo
from tests.fakes.llm import FakeLLM
from tests.fakes.local_slack import free_port
from tests.fakes.slack import FakeSlack
from tests.fakes.telegram import FakeTelegram
from tests.repositories import git, has_branch, make_bare

REPO = "acme/shop"
ADA = 11
"""The owner on Telegram, and her direct chat."""
OWNER, ROOM = "U0ADA", "C0ROOM"
GROUP = -1001
"""The owner on Slack, and a channel."""

FILES: Mapping[str, str | bytes] = {"calc.py": b"def add(a, b):\r\n    return a - b\r\n"}


@dataclass
class Stage:
    folder: Path
    telegram: FakeTelegram
    slack: FakeSlack
    llm: FakeLLM
    github: FakeGithub
    git: GitHttp
    agents: dict[str, Any] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)
    """Further keys of the configuration."""
    port: int = field(default_factory=free_port)

    @property
    def bare(self) -> Path:
        return self.git.folder / f"{REPO}.git"

    @property
    def repo(self) -> Repo:
        return self.github.repos[REPO]

    def bot(self, *platforms: str, telegram_mode: str = "polling", slack_mode: str = "socket") -> BotProcess:
        """Not yet started."""
        telegram = {"token": self.telegram.token, "api_base": self.telegram.base, "mode": telegram_mode}
        if telegram_mode == "webhook":
            telegram |= {"webhook_url": f"http://127.0.0.1:{self.port}", "webhook_secret": uuid4().hex}
        sections: dict[str, Any] = {"telegram": telegram}
        by_mode = {"socket": {"app_token": self.slack.app_token}, "http": {"signing_secret": self.slack.signing_secret}}
        sections["slack"] = {"mode": slack_mode, "bot_token": self.slack.bot_token, "api_base": self.slack.base}
        sections["slack"] |= by_mode[slack_mode]
        if slack_mode == "http":
            self.slack.events_url = f"http://127.0.0.1:{self.port}/slack/events"
        loop = {"type": "anthropic", "model": "scripted", "api_key": f"key-{uuid4()}"}
        config = {
            "access": {
                "owners": [f"telegram:{ADA}", f"slack:{OWNER}"],
                "chats": [f"telegram:{GROUP}", f"slack:{ROOM}"],
            },
            "github": {"token": self.github.token, "api_base": self.github.base, "git_base": self.git.base},
            "agents": {"claude": loop | {"base_url": self.llm.anthropic_base}, **self.agents},
            "http": {"port": self.port},
            **{name: sections[name] for name in platforms},
            **self.more,
        }
        return BotProcess(self.folder / "bot", config)


@asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    token = f"ghp_{uuid4().hex}"
    served = folder / "git"
    (served / REPO).parent.mkdir(parents=True)
    bare = make_bare(served / f"{REPO}.git", FILES)
    git(bare, "config", "http.receivepack", "true")
    async with (
        FakeTelegram() as telegram,
        FakeSlack() as slack,
        FakeLLM() as llm,
        GitHttp(served, token) as server,
        FakeGithub(token, has_branch=lambda path, branch: has_branch(served / f"{path}.git", branch)) as github,
    ):
        github.repos[REPO] = Repo()
        yield Stage(folder, telegram, slack, llm, github, server)
        assert slack.violations == []


class Gate:
    """A watch that holds the calls of one name, from the first that comes on, until it is opened."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.reached, self._open = asyncio.Event(), asyncio.Event()

    async def __call__(self, name: str, phase: str) -> bool:
        if name == self._name and phase == "in":
            self.reached.set()
            await self._open.wait()
        return False

    def open(self) -> None:
        self._open.set()


async def until_running(words: str, *, wanted: bool = True, seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while is_running(words) is not wanted:  # noqa: ASYNC110 - nobody tells of another's processes
            await asyncio.sleep(0.01)


def is_running(words: str) -> bool:
    """Whether a process on this machine is this command: not a shell or a sandbox that is about to start it."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal() and int(folder.name) != os.getpid():
            try:
                line = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if line.replace(b"\0", b" ").strip() == words.encode():
                return True
    return False
