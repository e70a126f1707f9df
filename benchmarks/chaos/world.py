"""Everything around the bot, in another process than it: the platforms, the model, the forge, and where people talk."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Container, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid4, uuid5

from tests.fakes.git_http import GitHttp
from tests.fakes.github import FakeGithub, Repo
from tests.fakes.llm import Entry, FakeLLM, Request, Use, Words
from tests.fakes.local_slack import free_port
from tests.fakes.slack import ACK_SECONDS, FakeSlack
from tests.fakes.telegram import FakeTelegram
from tests.fakes.watch import DONE
from tests.repositories import git, has_branch, make_bare

REPO = "acme/shop"
PEOPLE = range(11, 17)
"""On Telegram, each in a direct chat."""
GROUP, TOPICS = -1001, (5, 6)
OWNER, CHANNELS, DIRECT = "U0ADA", ("C0ONE", "C0TWO", "C0THREE", "C0FOUR"), "D0ADA"
LOOK_SECONDS = 0.02

MARK = re.compile(r"\bmk\d+x\d+\b")
"""A word that is said once in the world, so that whatever holds it can be counted."""

ASK = "ask"
"""Said to the model, it asks back."""

TOOK = "took.txt"
"""To which the recipe that must not be repeated adds a line each time it is run."""
SCRIPTS = {
    "append.sh": f'echo "$*" >> {TOOK}; sleep 0.05; echo done\n'.encode(),
    "write.sh": b'for word; do case $word in mk*) echo done > "$word.txt";; esac; done; sleep 0.03\n',
}
"""Of the repository: as `sh -c` with words of their own the policy could not read them, and would refuse them."""


class EagerSlack(FakeSlack):
    """Brings a delivery again as soon as the socket that had it is gone, and until it is taken."""

    async def correct(self, ts: str, text: str) -> None:
        """With the message's own id, as Slack tells it; `say` was given it as `own_id(ts)`."""
        old = self.message(ts)
        inner = {"type": "message", "user": old.user, "ts": ts, "team": self.team, "client_msg_id": own_id(ts)}
        inner |= {"thread_ts": old.thread_ts} if old.thread_ts else {}
        event = {"type": "message", "subtype": "message_changed", "hidden": True, "channel": old.channel}
        event |= {"message": inner | {"text": text, "edited": {"user": old.user, "ts": self.new_ts()}}}
        event |= {"previous_message": inner | {"text": old.text}, "channel_type": "channel", "ts": self.new_ts()}
        old.text = text
        await self.deliver("events_api", self.event(event))

    async def deliver(self, kind: str, body: dict[str, Any], wait_seconds: float = 0.0) -> bool:
        del wait_seconds
        for attempt in count():
            if self.sockets and await self._by_socket(kind, body, attempt):
                break
            await asyncio.sleep(LOOK_SECONDS)
        return True

    async def _by_socket(self, kind: str, body: dict[str, Any], attempt: int) -> bool:
        envelope, socket = str(uuid4()), self.sockets[next(self._count) % len(self.sockets)]
        sent = {"envelope_id": envelope, "type": kind, "payload": body, "retry_attempt": attempt}
        self._acks[envelope] = asyncio.Event()
        try:
            await socket.send_json(sent | {"accepts_response_payload": kind != "events_api"})
            await self.watch("slack:delivery", DONE)
            async with asyncio.timeout(ACK_SECONDS):
                while socket in self.sockets and not self._acks[envelope].is_set():
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._acks[envelope].wait(), LOOK_SECONDS)
        except (TimeoutError, ConnectionError):
            pass
        is_acked = self._acks.pop(envelope).is_set()
        self.acked += [envelope] * is_acked
        return is_acked


@dataclass
class World:
    folder: Path
    telegram: FakeTelegram
    slack: EagerSlack
    llm: FakeLLM
    github: FakeGithub
    git: GitHttp
    port: int

    @property
    def bare(self) -> Path:
        return self.git.folder / f"{REPO}.git"

    @property
    def pulls(self) -> Sequence[Mapping[str, Any]]:
        return self.github.repos[REPO].pulls

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def config(self, database_url: str = "") -> dict[str, Any]:
        loop = {"type": "anthropic", "model": "scripted", "api_key": f"key-{uuid4()}"}
        recipe = {"type": "command"}
        slack = {"mode": "socket", "bot_token": self.slack.bot_token, "app_token": self.slack.app_token}
        return {
            "data": str(self.data),
            "database_url": database_url,
            "access": {
                "owners": [f"slack:{OWNER}", *(f"telegram:{each}" for each in PEOPLE)],
                "chats": [f"telegram:{GROUP}", *(f"slack:{each}" for each in CHANNELS)],
            },
            "telegram": {"token": self.telegram.token, "api_base": self.telegram.base, "mode": "polling"},
            "slack": slack | {"api_base": self.slack.base},
            "github": {"token": self.github.token, "api_base": self.github.base, "git_base": self.git.base},
            "agents": {
                "claude": loop | {"base_url": self.llm.anthropic_base},
                "append": recipe | {"steps": [["sh", "append.sh", "{words}"]]},
                "write": recipe | {"steps": [["sh", "write.sh", "{words}"]], "repeatable": True},
            },
            "http": {"port": self.port},
        }


@asynccontextmanager
async def world(folder: Path, template: Path | None = None) -> AsyncIterator[World]:
    """`template`: a folder of an earlier world, whose data and repository are where this one begins."""
    token = f"ghp_{uuid4().hex}"
    served = folder / "git"
    bare = served / f"{REPO}.git"
    bare.parent.mkdir(parents=True)
    if template is None:
        make_bare(bare, {"calc.py": b"def add(a, b):\n    return a - b\n", **SCRIPTS})
        git(bare, "config", "http.receivepack", "true")
    else:
        shutil.copytree(template / "git" / f"{REPO}.git", bare)
        shutil.copytree(template / "data", folder / "data")
    async with (
        FakeTelegram() as telegram,
        EagerSlack() as slack,
        FakeLLM() as llm,
        GitHttp(served, token) as server,
        FakeGithub(token, has_branch=lambda path, branch: has_branch(served / f"{path}.git", branch)) as github,
    ):
        github.repos[REPO] = Repo()
        llm.always = think
        slack.people[OWNER] = "Ada"
        yield World(folder, telegram, slack, llm, github, server, free_port())


def think(asked: Request) -> Entry:
    """What the model says: told by the newest message with a mark in it, and by what was done since."""
    messages = asked.body["messages"]
    at = max((n for n, each in enumerate(messages) if each["role"] == "user" and MARK.search(_text(each))), default=0)
    words = _text(messages[at])
    mark = (MARK.findall(words) or ["mk0x0"])[-1]
    words = MARK.split(words)[-2:][0]  # a message may hold an earlier one that was never answered
    taken = json.dumps(messages[at + 1 :]).count('"tool_result"')
    if ASK in words.split():
        if taken == 0:
            return Use("ask_user", question=f"Which way for {mark}?", options=["left", "right"])
        taken -= 1
    if taken == 0:
        return Use("edit", path=f"{mark}.txt", old="", new="done\n")
    if taken == 1:
        return Use("bash", command="sleep 0.03; ls")
    return Words(f"It is in {mark}.txt.")


def _text(message: Mapping[str, Any]) -> str:
    content = message["content"]
    if isinstance(content, str):
        return content
    return " ".join(str(each.get("text", "")) for each in content if each.get("type") == "text")


def own_id(ts: str) -> str:
    """The id that Slack's client gives a message."""
    return str(uuid5(NAMESPACE_URL, ts))


# ------------------------------------------------------------------------------------------- places


@dataclass
class Seen:
    """A post of the bot as it stands. `first` is what it said when it was posted."""

    id: str
    text: str
    first: str
    buttons: Mapping[str, str]
    """By label: what a press of it brings."""


class Place(ABC):
    """One thread, as a person in it sees and uses it."""

    def __init__(self, world: World) -> None:
        self.world = world

    @abstractmethod
    async def say(self, text: str, *, times: int = 1) -> str:
        """The platform's id of the message. Slack: returns when it was taken."""

    @abstractmethod
    async def edit(self, message: str, text: str) -> None: ...

    @abstractmethod
    async def press(self, post: Seen, label: str, *, times: int = 1) -> None: ...

    @abstractmethod
    def seen(self) -> list[Seen]:
        """Every post of the bot here, oldest first."""

    def everything(self) -> list[Seen]:
        """In the whole chat."""
        return self.seen()


class TelegramPlace(Place):
    def __init__(self, world: World, chat: int, topic: int | None = None) -> None:
        super().__init__(world)
        self.chat, self.topic = chat, topic
        self.sender = chat if chat > 0 else PEOPLE[0]

    async def say(self, text: str, *, times: int = 1) -> str:
        del times  # an update has one id, under which it comes again and again
        mention = "" if self.chat > 0 or text.startswith("/") else f"@{self.world.telegram.username} "
        number = self.world.telegram.say(self.chat, mention + text, sender=self.sender, topic=self.topic)
        return str(number)

    async def edit(self, message: str, text: str) -> None:
        mention = "" if self.chat > 0 else f"@{self.world.telegram.username} "
        self.world.telegram.say(self.chat, mention + text, sender=self.sender, topic=self.topic, edit=int(message))

    async def press(self, post: Seen, label: str, *, times: int = 1) -> None:
        for _ in range(times):
            self.world.telegram.press(self.chat, post.buttons[label], message=int(post.id), sender=self.sender)

    def seen(self) -> list[Seen]:
        return self._in({self.topic})

    def everything(self) -> list[Seen]:
        return self._in({None, *TOPICS})

    def _in(self, topics: Container[int | None]) -> list[Seen]:
        found: dict[int, Seen] = {}
        for each in self.world.telegram.posts:
            if each.chat != self.chat or each.thread not in topics:
                continue
            keys = {key["text"]: key["callback_data"] for row in each.buttons for key in row if "callback_data" in key}
            old = found.get(each.message)
            found[each.message] = Seen(str(each.message), each.text, old.first if old else each.text, keys)
        return list(found.values())


class SlackPlace(Place):
    """The thread that the first thing said opens, in a direct chat too; without a `root` the next one opens another."""

    def __init__(self, world: World, channel: str) -> None:
        super().__init__(world)
        self.channel, self.root = channel, ""

    async def say(self, text: str, *, times: int = 1) -> str:
        """A command is said as a mention: `/status` would be Slack's own."""
        slack, ts = self.world.slack, self.world.slack.new_ts()
        root, self.root = self.root, self.root or ts
        await slack.say(self.channel, OWNER, text.removeprefix("/"), root, times=times, ts=ts, client_msg_id=own_id(ts))
        return ts

    async def edit(self, message: str, text: str) -> None:
        await self.world.slack.correct(message, f"<@{self.world.slack.bot_user}> {text}")

    async def press(self, post: Seen, label: str, *, times: int = 1) -> None:
        await self.world.slack.press(post.id, label, OWNER, times)

    def seen(self) -> list[Seen]:
        return self._in({self.root})

    def everything(self) -> list[Seen]:
        return self._in({each.root for each in self.world.slack.posts})

    def _in(self, roots: Container[str]) -> list[Seen]:
        return [
            Seen(each.ts, each.markdown, (each.edits or [each.text])[0], {label: label for label in each.buttons})
            for each in self.world.slack.posts
            if each.channel == self.channel and each.root in roots
        ]


class SlackCorner(SlackPlace):
    """Where a slash command is given: it carries no thread, so what it starts opens one."""

    async def say(self, text: str, *, times: int = 1) -> str:
        del times
        await self.world.slack.slash(self.channel, OWNER, text.removeprefix("/"))
        return ""

    def seen(self) -> list[Seen]:
        return self.everything()
