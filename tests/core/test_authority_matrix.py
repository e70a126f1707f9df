"""Who may do what where, cell by cell: payloads of both platforms against a table that was written by hand.

A cell is a person of their own, in a chat of their own, who does one thing. Whether it was done is seen by what it
leaves behind, never by asking the code that decides.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import pytest

from core.authority import Listed, Role
from core.authority.verdict import Decision, Why
from core.model.chat import Button, Cause, ChatRef, Person, Post, PostKey, ThreadRef
from core.model.people import EVERYWHERE, Grant, HeardChat, Scope, Standing, in_chat, in_project
from core.model.work import Link, ProjectKey, Run, RunId, Turn, Work, WorkId
from tests import doors
from tests.doors import AWAY, BOT, TEAM, DoorBot, door_bot, open_gate, shut_gate

ROLES = ("stranger", "viewer", "reviewer", "developer", "admin", "owner")
RANK = {role: rank for rank, role in enumerate(ROLES)}

NEED = {
    "help": "viewer",
    "status": "viewer",
    "settings": "admin",
    "task": "developer",
    "run": "developer",
    "board elsewhere": "viewer",
    "task elsewhere": "developer",
    "link elsewhere": "admin",
    "people": "admin",
    "disk": "owner",
    "stop": "developer",
    "correct": "developer",
}
"""The smallest role for each class of command."""

SCOPES = ("configuration", "bot", "this chat", "another chat", "project", "another project")

COUNTS = {
    # In a chat that is linked to the project DEMO; SITE is the other.
    ("group", "help"): set(SCOPES),
    ("group", "status"): {"configuration", "bot", "this chat", "project"},
    ("group", "settings"): {"configuration", "bot", "this chat", "project"},
    ("group", "task"): {"configuration", "bot", "this chat", "project"},
    ("group", "run"): {"configuration", "bot", "this chat", "project"},
    ("group", "board elsewhere"): {"configuration", "bot", "another project"},
    ("group", "task elsewhere"): {"configuration", "bot", "another project"},
    ("group", "link elsewhere"): {"configuration", "bot"},
    ("group", "people"): {"configuration", "bot"},
    ("group", "disk"): {"configuration", "bot"},
    ("group", "stop"): {"configuration", "bot", "this chat", "project"},
    ("group", "correct"): {"configuration", "bot", "this chat", "project"},
    # In a direct chat that is linked to nothing: a chat's grant is then for no project, a project's for its own alone.
    ("direct", "help"): set(SCOPES),
    ("direct", "status"): {"configuration", "bot", "this chat"},
    ("direct", "settings"): {"configuration", "bot", "this chat"},
    ("direct", "task"): {"configuration", "bot", "project"},
    ("direct", "board elsewhere"): {"configuration", "bot", "another project"},
    ("direct", "task elsewhere"): {"configuration", "bot", "another project"},
    ("direct", "link elsewhere"): {"configuration", "bot", "another project"},
    ("direct", "people"): {"configuration", "bot"},
    ("direct", "disk"): {"configuration", "bot"},
    # In a chat that nobody has approved nothing counts.
    **{("unapproved", command): set() for command in NEED},
}
"""Which grants count, by where it is done and what."""

SLACK_AUTHORS = {
    # Of people whose grant names no tenant, then of those whose grant does.
    "person": (True, True),
    "guest": (False, True),
    "single-channel guest": (False, True),
    "guest by the message": (False, True),
    "external": (False, False),
    "external who is granted": (False, True),
    "stranger by users.info": (False, True),
    "nobody vouches": (False, True),
    "shared channel, nobody's": (False, False),
    "bot": (False, False),
    "bot_message": (False, False),
    "unknown subtype": (False, False),
    "hidden": (False, False),
    "us": (False, False),
}
TELEGRAM_AUTHORS = {
    "person": (True, True),
    "bot": (False, False),
    "anonymous admin": (False, False),
    "sent as a channel": (False, False),
    "Telegram itself": (False, False),
    "forwarded": (False, False),
    "forwarded, old form": (False, False),
    "via a bot": (False, False),
    "business": (False, False),
    "another person": (False, False),
}
"""May an owner do it, where the author is such a one?"""

SLASHED = ("help", "status", "task", "settings", "link elsewhere", "people")
MINIMUM = {"role": 1_200, "chat": 500, "event": 300, "author": 90}
DEMO, SITE = ProjectKey("DEMO"), ProjectKey("SITE")
PLATFORMS = ("slack", "telegram")
Row = tuple[str, ...]


@dataclass(frozen=True)
class Cell:
    number: int
    platform: str
    role: str
    scope: str
    chat: str
    event: str
    command: str
    author: str = "person"

    @property
    def tenant(self) -> str:
        return TEAM if self.platform == "slack" else BOT

    @property
    def person(self) -> Person:
        if self.platform == "telegram":
            return Person("telegram", "", str(1_000 + self.number))
        home = AWAY if self.author == "external who is granted" else TEAM
        return Person("slack", home, f"U{self.number}")

    @property
    def room(self) -> ChatRef:
        if self.platform == "slack":
            return ChatRef("slack", TEAM, f"{'D' if self.chat == 'direct' else 'C'}{self.number}")
        return ChatRef("telegram", BOT, str((1 if self.chat == "direct" else -1) * (1_000 + self.number)))

    @property
    def text(self) -> str:
        return {
            "help": "/help",
            "status": "/status",
            "settings": "/settings language de",
            "task": f"/create_task DEMO t{self.number}",
            "run": f"Mend cell {self.number} now",
            "board elsewhere": "/tasks SITE",
            "task elsewhere": f"/create_task SITE t{self.number}",
            "link elsewhere": "/link SITE",
            "people": "/people",
            "disk": f"/create_project K{self.number} Name /repos/r{self.number}",
            "stop": "/cancel",
            "correct": f"corrected {self.number}",
        }[self.command]

    @property
    def is_allowed(self) -> bool:
        """By the tables above."""
        authors = SLACK_AUTHORS if self.platform == "slack" else TELEGRAM_AUTHORS
        if not authors[self.author][0 if self.scope == "configuration" else 1]:
            return False
        return RANK[self.role] >= RANK[NEED[self.command]] and self.scope in COUNTS[self.chat, self.command]

    def __str__(self) -> str:
        where = f"{self.platform}, {self.author}, {self.event} in {self.chat}"
        return f"{self.role} by {self.scope}, {where}: {self.command}"


def cells() -> list[tuple[str, Cell]]:
    """Each with its class."""
    rows = [*said(), *pressed(), *happened(), *written()]
    return [(kind, Cell(index, *fields)) for index, (kind, *fields) in enumerate(rows, 1)]


def said() -> Iterator[Row]:
    commands = [each for each in NEED if each not in {"stop", "correct"}]
    for platform, role, scope, command in product(PLATFORMS, ROLES, SCOPES, commands):
        yield ("role", platform, role, scope, "group", "message", command)
        if ("direct", command) in COUNTS:
            yield ("role", platform, role, scope, "direct", "message", command)
    for platform, role, scope, command in product(PLATFORMS, ROLES, SCOPES[:3], commands):
        yield ("chat", platform, role, scope, "unapproved", "message", command)


def pressed() -> Iterator[Row]:
    for platform, role, command in product(PLATFORMS, ROLES, ("help", "task", "settings", "disk")):
        for chat, scope in product(("group", "unapproved"), ("configuration", "project", "another chat")):
            yield ("chat", platform, role, scope, chat, "press", command)


def happened() -> Iterator[Row]:
    for role, scope, command in product(ROLES, SCOPES, SLASHED):
        yield ("event", "slack", role, scope, "group", "slash", command)
    for role, scope, chat in product(ROLES, SCOPES, ("group", "unapproved")):
        yield ("event", "slack", role, scope, chat, "stop", "stop")
    for platform, role, scope in product(PLATFORMS, ROLES, SCOPES):
        yield ("event", platform, role, scope, "group", "edit", "correct")


def written() -> Iterator[Row]:
    for platform, authors in (("slack", SLACK_AUTHORS), ("telegram", TELEGRAM_AUTHORS)):
        for author, scope, command in product(authors, ("configuration", "bot"), ("help", "task", "disk")):
            yield ("author", platform, "owner", scope, "group", "message", command, author)


# ------------------------------------------------------------------------------------------- playing


def listed(some: Sequence[Cell]) -> dict[Role, list[Listed]]:
    found: dict[Role, list[Listed]] = {}
    for cell in some:
        if cell.scope == "configuration" and cell.role != "stranger":
            found.setdefault(Role[cell.role.upper()], []).append(Listed(cell.platform, "", cell.person.id))
    return found


async def prepare(bot: DoorBot, cell: Cell) -> None:
    scope = {
        "bot": EVERYWHERE,
        "this chat": in_chat(cell.room),
        "another chat": in_chat(replace(cell.room, chat=f"{cell.room.chat}0")),
        "project": in_project(DEMO),
        "another project": in_project(SITE),
    }.get(cell.scope, Scope("none"))
    now = bot.clock.now()
    if cell.scope != "configuration" and cell.role != "stranger":
        await bot.store.put_grant(Grant(cell.person, scope, Role[cell.role.upper()], "test", now))
    place = ThreadRef(cell.room.platform, cell.room.tenant, cell.room.chat)
    if cell.chat == "group":
        await bot.store.put_chat(HeardChat(cell.room, Standing.APPROVED, "", "test", now))
        await bot.store.put_link(Link(place, DEMO))
    elif cell.chat == "unapproved":
        await bot.store.put_chat(HeardChat(cell.room, Standing.WAITING, "", "test", now))
    if cell.event == "press":
        await bot.posts.say(PostKey(f"b{cell.number}"), place, Post("?", ((Button("Do it", cell.text),),)))
    if cell.event == "edit":
        run, cause = f"r{cell.number}", Cause(message_cause(cell))
        work = Work(WorkId(run), DEMO, f"task/{run}", place)
        begun = Run(RunId(run), work.id, place, "fake", cell.person, "t", now)
        await bot.store.start_run(begun, work, Turn(RunId(run), 1, cause, "before", cell.person))
    if cell.platform == "slack":
        bot.slack.users[cell.person.id] = USERS.get(cell.author, {})


USERS: dict[str, doors.Body | None] = {
    "guest": {"is_restricted": True},
    "single-channel guest": {"is_restricted": True, "is_ultra_restricted": True},
    "stranger by users.info": {"is_stranger": True},
    "nobody vouches": None,
}


def message_cause(cell: Cell) -> str:
    if cell.platform == "slack":
        return f"slack:{TEAM}:{cell.room.chat}:5.{cell.number:06d}"
    return f"telegram:{BOT}:{cell.room.chat}:5"


async def act(bot: DoorBot, cell: Cell) -> None:
    await bot.bring(cell.platform, await (slack_body if cell.platform == "slack" else telegram_body)(bot, cell))


async def slack_body(bot: DoorBot, cell: Cell) -> doors.Body:
    user, room, text = cell.person.id, cell.room.chat, cell.text.removeprefix("/")
    match cell.event:
        case "slash":
            return doors.slack_slash(user, room, text)
        case "stop":
            return doors.slack_stop(user, room)
        case "press":
            return doors.slack_press(user, room, await token(bot, cell))
        case "edit":
            return doors.slack_edit(user, room, f"<@U0BOT> {text}", f"5.{cell.number:06d}")
    return by_author(cell, doors.slack_said(user, room, text, team=cell.person.tenant))


def by_author(cell: Cell, body: doors.Body) -> doors.Body:
    by_kind: dict[str, doors.Body] = {
        "guest by the message": {"user_profile": {"is_ultra_restricted": True}},
        "external": {"team": AWAY, "user_team": AWAY, "source_team": AWAY},
        "bot": {"bot_id": "B0OTHER"},
        "bot_message": {"type": "message", "subtype": "bot_message", "channel_type": "channel"},
        "unknown subtype": {"type": "message", "subtype": "brand_new", "channel_type": "channel"},
        "hidden": {"hidden": True},
        "us": {"user": "U0BOT"},
    }
    body["event"] |= by_kind.get(cell.author, {})
    if cell.author == "shared channel, nobody's":
        body["is_ext_shared_channel"] = True
        body["event"] = {key: each for key, each in body["event"].items() if key not in {"team", "user_team"}}
    return body


async def telegram_body(bot: DoorBot, cell: Cell) -> doors.Body:
    user, chat = int(cell.person.id), int(cell.room.chat)
    match cell.event:
        case "press":
            return doors.telegram_press(user, chat, await token(bot, cell))
        case "edit":
            return doors.telegram_edit(user, chat, f"@patchbay_bot {cell.text}", 5, entities=[MENTION])
    words = cell.text if cell.text.startswith("/") else f"@patchbay_bot {cell.text}"
    body = doors.telegram_said(user, chat, words)
    if not cell.text.startswith("/"):
        body["message"]["entities"] = [MENTION]
    by_kind: dict[str, doors.Body] = {
        "bot": {"from": {"id": user, "is_bot": True, "first_name": "B"}},
        "anonymous admin": {"from": {"id": 1087968824, "is_bot": True}, "sender_chat": {"id": chat}},
        "sent as a channel": {"sender_chat": {"id": -1009, "type": "channel"}},
        "Telegram itself": {"from": {"id": 777000, "is_bot": False, "first_name": "Telegram"}},
        "forwarded": {"forward_origin": {"type": "user", "date": 1}},
        "forwarded, old form": {"forward_date": 1},
        "via a bot": {"via_bot": {"id": 9, "is_bot": True}},
        "business": {"business_connection_id": "b"},
        "another person": {"from": {"id": user + 500_000, "is_bot": False, "first_name": "Ada"}},
    }
    body["message"] |= by_kind.get(cell.author, {})
    return body


MENTION = {"type": "mention", "offset": 0, "length": 13}


async def token(bot: DoorBot, cell: Cell) -> str:
    found = await bot.store.outgoing(PostKey(f"b{cell.number}"))
    assert found is not None
    return found.post.buttons[0][0].token


ANSWERED = {
    "help": "What I understand",
    "status": "Nothing is running here",
    "stop": "Nothing is running here that could be stopped",
    "board elsewhere": "**SITE**",
    "people": "**People**",
}


async def is_done(bot: DoorBot, cell: Cell) -> bool:
    rooms = (cell.room.chat, f"direct-{cell.person.id}")
    texts = [each.text for room in rooms for each in bot.posts_in(cell.platform, room)]
    if cell.command in ANSWERED:
        return any(ANSWERED[cell.command] in text for text in texts)
    match cell.command:
        case "settings":
            return (await bot.store.settings(cell.room)).language == "de"
        case "task" | "task elsewhere":
            tasks = await bot.store.tasks(DEMO if cell.command == "task" else SITE)
            return any(each.title == f"t{cell.number}" for each in tasks)
        case "run":
            return any(each.prompt == cell.text for each in bot.agent.turns)
        case "link elsewhere":
            link = await bot.store.link(ThreadRef(cell.room.platform, cell.room.tenant, cell.room.chat))
            return link is not None and link.project == SITE
        case "disk":
            return await bot.store.project(ProjectKey(f"K{cell.number}")) is not None
    turn = await bot.store.turn_of(Cause(message_cause(cell)))
    is_late = any("That was taken up before you edited it." in text for text in texts)
    return is_late or (turn is not None and turn.text == cell.text)


@dataclass
class Played:
    wrong_allows: list[str]
    wrong_denies: list[str]
    done: int


async def play(folder: Path, some: Sequence[Cell], gate: Callable[[DoorBot], None] | None = None) -> Played:
    """All at once; what each left behind is looked at when nothing moves any more."""
    async with door_bot(folder, listed(some)) as bot:
        if gate is not None:
            gate(bot)
        setup = bot.platform.thread
        for key, name, thread in (("DEMO", "Demo", setup), ("SITE", "Site", replace(setup, chat="other"))):
            project, _ = await bot.desk.projects.create(
                ProjectKey(key), name, None, Cause(key), thread, may_change=True
            )
            assert project.key == key
        await asyncio.gather(*(prepare(bot, cell) for cell in some))
        await bot.posts.until_quiet()
        await asyncio.gather(*(act(bot, cell) for cell in some))
        await bot.quiet()
        played = Played([], [], 0)
        for cell in some:
            done = await is_done(bot, cell)
            played.done += done
            if done is not cell.is_allowed:
                (played.wrong_allows if done else played.wrong_denies).append(str(cell))
        return played


def told(text: str) -> None:
    sys.stdout.write(f"{text}\n")


@pytest.mark.timeout(300)
async def test_every_cell_is_as_the_table_says(tmp_path: Path) -> None:
    some = cells()
    counts = Counter(kind for kind, _ in some)

    played = await play(tmp_path, [cell for _, cell in some])

    allowed = sum(cell.is_allowed for _, cell in some)
    wrong = len(played.wrong_allows) + len(played.wrong_denies)
    right = f"{len(some) - wrong} of {len(some)} cells are right ({allowed} allow, {len(some) - allowed} deny)"
    told(f"{right}: {', '.join(f'{kind} {count}' for kind, count in counts.items())}")
    assert played.wrong_allows == []
    assert played.wrong_denies == []
    assert len(some) >= 1_500
    assert allowed >= 300
    assert all(counts[kind] >= least for kind, least in MINIMUM.items()), counts


@pytest.mark.timeout(300)
async def test_without_the_gate_the_matrix_is_red(tmp_path: Path) -> None:
    """The guard off: what is not dropped by the readers is done, whoever asks."""
    some = [cell for kind, cell in cells() if cell.number % 5 == 0 and cell.command != "run"]

    played = await play(tmp_path, some, open_gate)

    told(f"without the gate {len(played.wrong_allows)} of {len(some)} cells are wrong")
    assert len(played.wrong_allows) >= 200
    assert played.wrong_denies == []


@pytest.mark.timeout(300)
async def test_nothing_is_done_but_through_the_gate(tmp_path: Path) -> None:
    """The gate shut: no command, no run, no link, no post, whatever comes in, even of owners."""
    some = [cell for _, cell in cells() if cell.is_allowed]

    played = await play(tmp_path, some, shut_gate)

    told(f"{len(played.wrong_denies)} of {len(some)} allowed cells do nothing while the gate is shut")
    assert len(played.wrong_denies) == len(some)
    assert played.done == 0


@pytest.mark.parametrize("event", [None, object(), "said", {"text": "/status"}, Post("x")])
async def test_an_unknown_kind_of_event_is_dropped(tmp_path: Path, event: object) -> None:
    async with door_bot(tmp_path) as bot:
        verdict = await bot.authority.authorise(event)

    assert (verdict.decision, verdict.why) == (Decision.DROP, Why.UNKNOWN_KIND)
