"""Public mistakes of bots like this one, replayed through the doors of both platforms. Without the gate each works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bot.config import BadConfigError
from bot.tables import load_config
from core.authority import Listed, Role
from core.model.chat import Button, ChatRef, Post, PostKey, ThreadRef
from core.model.people import EVERYWHERE, Grant, HeardChat, Standing, in_chat
from core.model.work import Link, ProjectKey
from tests import doors
from tests.doors import BOT, TEAM, DoorBot, door_bot, open_gate

OWNER, EVE = "U0OWNER", "U0EVE"
CHANNEL, GROUP = "C0TEAM", -1001
TASK = "/create_task DEMO pwned"
PEOPLE = {
    Role.OWNER: [Listed("slack", TEAM, OWNER), Listed("telegram", "", "7")],
    Role.DEVELOPER: [Listed("slack", TEAM, "U0DEV")],
}
Gate = Callable[[DoorBot], None] | None


async def furnish(bot: DoorBot) -> None:
    """A project, and a chat on each platform that is approved and linked to it."""
    await bot.linked()
    for platform, tenant, chat in (("slack", TEAM, CHANNEL), ("telegram", BOT, str(GROUP))):
        room = ChatRef(platform, tenant, chat)
        await bot.store.put_chat(HeardChat(room, Standing.APPROVED, "", "test", bot.clock.now()))


async def tasks_after(folder: Path, gate: Gate, *bodies: tuple[str, doors.Body]) -> int:
    """How many tasks there are once these have come."""
    async with door_bot(folder, PEOPLE) as bot:
        await furnish(bot)
        if gate is not None:
            gate(bot)
        for platform, body in bodies:
            await bot.bring(platform, body)
            await bot.quiet()
        return len(await bot.store.tasks(ProjectKey("DEMO")))


async def test_cve_2026_28392_a_slash_command_by_any_direct_sender(tmp_path: Path) -> None:
    bodies = [
        ("slack", doors.slack_slash(EVE, "D0EVE", TASK)),
        ("slack", doors.slack_said(EVE, "D0EVE", TASK.removeprefix("/"))),
        ("telegram", doors.telegram_said(666, 666, TASK)),
    ]

    assert await tasks_after(tmp_path / "guarded", None, *bodies) == 0
    assert await tasks_after(tmp_path / "open", open_gate, *bodies) == len(bodies)


def edited(event: doors.Body, subtype: str) -> doors.Body:
    base = {"type": "message", "subtype": subtype, "channel": CHANNEL, "channel_type": "channel", "ts": "9.1"}
    return doors.slack_event(base | event)


async def test_cve_2026_32895_subtypes_without_a_check_of_who_sends_them(tmp_path: Path) -> None:
    words = f"<@U0BOT> {TASK.removeprefix('/')}"
    inner = {"type": "message", "user": EVE, "text": words, "ts": "9.0", "team": TEAM}
    broadcast = doors.slack_said(EVE, CHANNEL, TASK.removeprefix("/"), type="message", subtype="thread_broadcast")
    by_nobody = doors.slack_said(OWNER, CHANNEL, TASK.removeprefix("/"), type="message", subtype="message_replied")
    changed = edited(
        {"message": inner | {"edited": {"user": EVE, "ts": "9.2"}}, "previous_message": {}}, "message_changed"
    )
    never = [
        changed,
        edited({"deleted_ts": "9.0", "previous_message": inner | {"user": OWNER}}, "message_deleted"),
        edited({"message": inner | {"user": OWNER}, "previous_message": inner}, "message_changed"),
        by_nobody,
    ]

    assert await tasks_after(tmp_path / "a", None, ("slack", broadcast), *(("slack", each) for each in never)) == 0
    assert await tasks_after(tmp_path / "b", open_gate, ("slack", broadcast)) == 1
    assert await tasks_after(tmp_path / "c", open_gate, *(("slack", each) for each in never)) == 0


async def test_cve_2026_32895_an_edit_by_another_than_the_author_corrects_nothing(tmp_path: Path) -> None:
    """Neither who edits it, nor who pretends that it was theirs."""
    async with door_bot(tmp_path, PEOPLE) as bot:
        await furnish(bot)
        texts = []
        for author, editor in ((OWNER, "U0DEV"), ("U0DEV", "U0DEV"), (OWNER, OWNER)):
            queued = await queue(bot)
            body = doors.slack_edit(author, CHANNEL, "<@U0BOT> and push to main", queued, editor=editor)
            await bot.bring("slack", body)
            await bot.quiet()
            turn = await bot.store.turn_of(doors.slack_cause(CHANNEL, queued))
            assert turn is not None
            texts.append(turn.text)

    assert texts == ["harmless", "harmless", "and push to main"]


async def queue(bot: DoorBot) -> str:
    """A turn of the owner's that has not begun; the ts of its message."""
    ts = f"77.{doors.number():06d}"
    await bot.queue_turn(doors.slack_cause(CHANNEL, ts), OWNER, "harmless")
    return ts


@pytest.mark.parametrize("kind", ["reaction_added", "reaction_removed", "pin_added", "pin_removed", "star_added"])
async def test_cve_2026_32899_reactions_and_pins(tmp_path: Path, kind: str) -> None:
    """Not one of them is an event at all, whoever does it and with whatever words."""
    async with door_bot(tmp_path, PEOPLE) as bot:
        await furnish(bot)
        open_gate(bot)
        for user in (EVE, OWNER):
            item = {"type": "message", "channel": CHANNEL, "ts": "9.0", "text": TASK}
            event = {"type": kind, "user": user, "channel": CHANNEL, "channel_id": CHANNEL, "item": item, "text": TASK}
            await bot.bring("slack", doors.slack_event(event))
            update = {"message_reaction": {"chat": {"id": GROUP}, "user": {"id": 7}, "message_id": 1, "text": TASK}}
            await bot.bring("telegram", update)
        await bot.quiet()

        assert await bot.store.tasks(ProjectKey("DEMO")) == []
        assert bot.slack.posts == bot.telegram.posts == []


async def test_cve_2026_100575_a_group_direct_message_is_a_group(tmp_path: Path) -> None:
    """It needs an approval as a channel does, and lets in nobody who is in it beside an owner."""
    async with door_bot(tmp_path, PEOPLE) as bot:
        await furnish(bot)
        for user in (EVE, OWNER):
            fields = {"type": "message", "channel_type": "mpim"}
            await bot.bring("slack", doors.slack_said(user, "G0MPIM", TASK.removeprefix("/"), **fields))
            await bot.quiet()
        assert ["don't know this chat" in each.text for each in bot.slack.posts] == [True]
        assert await bot.store.tasks(ProjectKey("DEMO")) == []

        open_gate(bot)
        await bot.bring("slack", doors.slack_said(EVE, "G0MPIM", TASK.removeprefix("/"), **fields))
        await bot.quiet()
        assert len(await bot.store.tasks(ProjectKey("DEMO"))) == 1


async def test_cve_2026_35652_a_button_is_weighed_before_it_is_dispatched(tmp_path: Path) -> None:
    for name, gate, expected in (("guarded", None, 0), ("open", open_gate, 2)):
        async with door_bot(tmp_path / name, PEOPLE) as bot:
            await furnish(bot)
            for platform, tenant, chat in (("slack", TEAM, CHANNEL), ("telegram", BOT, str(GROUP))):
                place = ThreadRef(platform, tenant, chat)
                await bot.posts.say(PostKey(f"b-{platform}"), place, Post("?", ((Button("Go", TASK),),)))
            await bot.quiet()
            if gate is not None:
                gate(bot)
            await bot.bring("slack", doors.slack_press(EVE, CHANNEL, bot.slack.posts[0].buttons[0].token))
            await bot.bring("telegram", doors.telegram_press(666, GROUP, bot.telegram.posts[0].buttons[0].token))
            await bot.quiet()

            assert len(await bot.store.tasks(ProjectKey("DEMO"))) == expected
            if gate is None:
                assert [text for _, text in bot.telegram.press_answers] == ["You are not on my list."]


async def test_cve_2026_35620_the_list_is_changed_by_admins_alone(tmp_path: Path) -> None:
    """By nobody who is not one; and by an admin not beyond what an admin may give."""
    for name, gate in (("guarded", None), ("open", open_gate)):
        async with door_bot(tmp_path / name, PEOPLE) as bot:
            await furnish(bot)
            admin = Grant(doors.slack_person("U0ADMIN"), EVERYWHERE, Role.ADMIN, "test", bot.clock.now())
            await bot.store.put_grant(admin)
            if gate is not None:
                gate(bot)
            for user in (EVE, "U0DEV", "U0ADMIN"):
                await bot.bring("slack", doors.slack_slash(user, CHANNEL, f"grant slack:{user} owner"))
                await bot.bring("slack", doors.slack_slash(user, CHANNEL, f"revoke slack:{TEAM}/{OWNER}"))
                await bot.quiet()

            given = {str(each.person): each.role for each in await bot.store.grants()}
            mine = {str(doors.slack_person("U0ADMIN")): Role.ADMIN}
            assert (given == mine) is (gate is None)
            owners = {"slack:T0HOME:U0EVE", "slack:T0HOME:U0DEV", "slack:T0HOME:U0ADMIN"}
            assert {who for who, role in given.items() if role is Role.OWNER} == (set() if gate is None else owners)


async def test_cve_2026_31991_what_was_approved_in_private_counts_in_no_group(tmp_path: Path) -> None:
    """Neither somebody who was let in there, nor a button that was shown there."""
    for name, gate, expected in (("guarded", None, 1), ("open", open_gate, 2)):
        async with door_bot(tmp_path / name, PEOPLE) as bot:
            await furnish(bot)
            direct = ChatRef("telegram", BOT, "55")
            person = doors.telegram_person(55)
            await bot.store.put_grant(Grant(person, in_chat(direct), Role.DEVELOPER, "test", bot.clock.now()))
            await bot.store.put_link(Link(ThreadRef("telegram", BOT, "55"), ProjectKey("DEMO")))
            if gate is not None:
                gate(bot)
            for chat in (55, GROUP):
                await bot.bring("telegram", doors.telegram_said(55, chat, f"{TASK} {chat}"))
                await bot.quiet()

            assert len(await bot.store.tasks(ProjectKey("DEMO"))) == expected


async def test_cve_2026_31991_a_button_shown_in_private_does_nothing_in_a_group(tmp_path: Path) -> None:
    async with door_bot(tmp_path, PEOPLE) as bot:
        await furnish(bot)
        place = ThreadRef("slack", TEAM, "D0OWNER")
        await bot.posts.say(PostKey("private"), place, Post("Approve?", ((Button("Go", TASK),),)))
        await bot.quiet()
        token = bot.slack.posts[0].buttons[0].token
        for user in (EVE, OWNER):
            await bot.bring("slack", doors.slack_press(user, CHANNEL, token))
            await bot.quiet()
        assert await bot.store.tasks(ProjectKey("DEMO")) == []

        await bot.bring("slack", doors.slack_press(OWNER, "D0OWNER", token))
        await bot.quiet()
        assert len(await bot.store.tasks(ProjectKey("DEMO"))) == 1


async def test_ghsa_f693_a_chat_that_has_moved_takes_no_trust_along(tmp_path: Path) -> None:
    """A group that became a supergroup has another id: it is a chat that an admin must approve."""
    moved = doors.telegram_said(7, -100_777, "x", migrate_from_chat_id=GROUP)
    claim = doors.telegram_said(666, GROUP, "x", migrate_to_chat_id=-100_777)
    asked = doors.telegram_said(7, -100_777, TASK)
    bodies = [("telegram", each) for each in (claim, moved, asked)]

    assert await tasks_after(tmp_path / "guarded", None, *bodies) == 0
    assert await tasks_after(tmp_path / "open", open_gate, ("telegram", asked)) == 1


def test_ghsa_f693_an_older_list_is_an_error_and_not_for_everybody(tmp_path: Path) -> None:
    file = tmp_path / "config.yaml"
    file.write_text("console: {}\naccess: {people: ['*']}\n")
    with pytest.raises(BadConfigError, match="unknown key"):
        load_config(file, {})

    for wildcard in ("'*'", "all", "'telegram:*'", "'@everyone'"):
        file.write_text(f"console: {{}}\ntelegram: {{token: '1:x'}}\naccess: {{developers: [{wildcard}]}}\n")
        with pytest.raises(BadConfigError):
            load_config(file, {})


@pytest.mark.parametrize("platform", ["slack", "telegram"])
async def test_openclaw_issue_13161_an_empty_list_is_nobody(tmp_path: Path, platform: str) -> None:
    body = doors.slack_slash(EVE, "D0EVE", TASK) if platform == "slack" else doors.telegram_said(666, 666, TASK)
    for name, gate, expected in (("guarded", None, 0), ("open", open_gate, 1)):
        async with door_bot(tmp_path / name, {}) as bot:
            await furnish(bot)
            if gate is not None:
                gate(bot)
            await bot.bring(platform, body)
            await bot.quiet()

            assert len(await bot.store.tasks(ProjectKey("DEMO"))) == expected
