"""/people, /pair, /grant, /revoke and /approve_chat, as people say and press them."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from core.model.chat import Cause, Joined, Mention, Person, ThreadRef
from core.model.errors import ChatError
from core.model.people import EVERYWHERE, Grant, Role, Standing, in_chat, in_project
from core.model.work import ProjectKey
from tests.fakes.platform import ShownPost
from tests.whole import ADMIN, MEMBER, REVIEWER, STRANGER, VIEWER, WholeBot

CODE = re.compile(r"/start ([A-Za-z0-9_-]{43})\n")


def group(bot: WholeBot, chat: str = "group") -> ThreadRef:
    return replace(bot.platform.thread, chat=chat)


async def in_group(
    bot: WholeBot, text: str, person: Person | None = None, chat: str = "group", **fields: object
) -> None:
    await bot.platform.say(text, person=person, thread=group(bot, chat), is_direct=False, **fields)  # type: ignore[arg-type]
    await bot.quiet()


async def a_code(bot: WholeBot, words: str = "/pair developer", person: Person | None = None) -> str:
    found = CODE.search((await bot.ask(words, person=person)).text + "\n")
    assert found is not None
    return found[1]


def own_chat(person: Person) -> ThreadRef:
    return ThreadRef("fake", "home", f"direct-{person.id}")


async def start(bot: WholeBot, code: str, person: Person = STRANGER) -> ShownPost:
    return await bot.ask(f"/start {code}", person=person, thread=own_chat(person))


async def role_of(bot: WholeBot, person: Person) -> Role:
    return (await bot.desk.roles.rights(person, "home")).everywhere


# ----------------------------------------------------------------------------------------------- codes


async def test_a_code_lets_in_who_was_meant_once_its_maker_has_seen_the_account(bot: WholeBot) -> None:
    code = await a_code(bot)

    said = await start(bot, code, replace(STRANGER, name="**Sam**\n`x` <@U1>"))

    assert await role_of(bot, STRANGER) is Role.STRANGER
    asked = bot.platform.posts[-2]
    assert said.text.startswith("🔑 Thank you.")
    assert "**Sam x @U1** said your code, to become a developer. The account is `fake:home/stranger`." in asked.text
    assert asked.ref.thread == bot.platform.thread
    await bot.platform.press("Let in")
    await bot.quiet()
    assert await role_of(bot, STRANGER) is Role.DEVELOPER
    assert "is now a developer" in asked.text
    assert bot.platform.in_thread(own_chat(STRANGER))[-1].text.startswith("🔑 You are in, as a developer.")


async def test_who_was_not_meant_stays_out_and_the_code_is_spent(bot: WholeBot) -> None:
    code = await a_code(bot)
    await start(bot, code)

    await bot.platform.press("Refuse")
    await bot.quiet()

    assert await role_of(bot, STRANGER) is Role.STRANGER
    assert "That code is not right" in (await start(bot, code)).text
    assert "was not meant for you" in bot.platform.in_thread(own_chat(STRANGER))[-2].text


async def test_a_code_is_good_for_one_person_and_ten_minutes(bot: WholeBot) -> None:
    code, late = await a_code(bot), await a_code(bot)
    other = replace(STRANGER, id="other")

    await start(bot, code)
    assert "That code is not right" in (await start(bot, code, other)).text
    await bot.clock.forward(601)
    assert "That code is not right" in (await start(bot, late, other)).text


async def test_only_who_made_a_code_confirms_it_and_not_after_a_day(bot: WholeBot) -> None:
    code = await a_code(bot, person=ADMIN)
    await start(bot, code)

    await bot.platform.press("Let in")
    await bot.quiet()
    assert bot.platform.posts[-1].text == "Only who made that code can say whom it was meant for."
    await bot.clock.forward(86_400 + 601)
    await bot.platform.press("Let in", person=ADMIN)
    await bot.quiet()
    assert bot.platform.posts[-1].text == "That code is too old. /pair makes a new one."
    assert await role_of(bot, STRANGER) is Role.STRANGER


async def test_who_may_no_longer_let_people_in_confirms_nothing(bot: WholeBot) -> None:
    boss = replace(STRANGER, id="boss")
    await bot.store.put_grant(Grant(boss, EVERYWHERE, Role.OWNER, "me", bot.clock.now()))
    code = await a_code(bot, "/pair admin", person=boss)
    await start(bot, code)

    for role, words in ((Role.ADMIN, "Only an owner may make"), (Role.DEVELOPER, "Only an admin may do that here")):
        await bot.store.put_grant(Grant(boss, EVERYWHERE, role, "me", bot.clock.now()))
        await bot.platform.press("Let in", person=boss)
        await bot.quiet()
        assert words in bot.platform.posts[-1].text
    assert await role_of(bot, STRANGER) is Role.STRANGER


async def test_pressed_again_is_settled_before(bot: WholeBot) -> None:
    code = await a_code(bot)
    await start(bot, code)
    asked = bot.platform.posts[-2]
    yes, no = asked.buttons
    await bot.platform.press(yes)
    await bot.quiet()

    for said in (yes.says, no.says):
        assert (await bot.ask(said)).text == "That was settled before."
    assert await role_of(bot, STRANGER) is Role.DEVELOPER


async def test_a_code_takes_nothing_from_who_has_more(bot: WholeBot) -> None:
    await bot.store.put_grant(Grant(STRANGER, EVERYWHERE, Role.ADMIN, "me", bot.clock.now()))
    await start(bot, await a_code(bot, "/pair"))

    await bot.platform.press("Let in")
    await bot.quiet()

    assert await role_of(bot, STRANGER) is Role.ADMIN


async def test_guessing_ends_after_five_tries_in_an_hour_and_is_told_once(bot: WholeBot) -> None:
    code = await a_code(bot)
    for _ in range(5):
        assert "That code is not right" in (await start(bot, "x" * 43)).text
    count = len(bot.platform.posts)

    for _ in range(3):
        assert "Those were too many codes" in (await start(bot, code)).text

    assert len(bot.platform.posts) == count + 1
    await bot.clock.forward(601)
    fresh = await a_code(bot)
    await bot.clock.forward(3_000)
    assert "That code is not right" in (await start(bot, fresh)).text


async def test_an_admin_lets_in_up_to_developer_and_nobody_below_lets_anybody_in(bot: WholeBot) -> None:
    refused = await bot.ask("/pair admin", person=ADMIN)

    assert refused.text == "Only an owner may make somebody an admin; an admin may up to developer."
    assert "Only an admin" in (await bot.ask("/pair viewer", person=MEMBER)).text
    assert "to become a viewer" in (await bot.ask("/pair", person=ADMIN)).text


async def test_in_a_group_a_code_is_told_in_private(bot: WholeBot) -> None:
    await in_group(bot, "/pair developer")

    note, told = bot.platform.posts
    assert (note.text, note.ref.thread) == ("🔒 That is private: I answer you in our direct chat.", group(bot))
    assert CODE.search(told.text + "\n")
    assert told.ref.thread == own_chat(bot.platform.owner)
    invite = await bot.store.invite(str(Cause("fake:home:m1")))
    assert invite is not None
    assert invite.room == own_chat(bot.platform.owner).room


@pytest.mark.parametrize("words", ["/pair", "/people"])
async def test_what_is_private_is_told_nowhere_where_it_cannot_be(
    bot: WholeBot, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unreachable(_person: str) -> ThreadRef:
        raise ChatError("no")

    monkeypatch.setattr(bot.platform, "direct", unreachable)
    await in_group(bot, words)

    assert bot.platform.texts() == ["That is private. Say it to me in a direct chat."]


async def test_a_code_heard_again_after_a_crash_stays_the_one_that_was_told(bot: WholeBot) -> None:
    said = await bot.platform.say("/pair")
    await bot.quiet()
    code = CODE.search(bot.platform.posts[-1].text + "\n")
    assert code is not None

    await bot.conversation.hear(said)

    assert (await start(bot, code[1])).text.startswith("🔑 Thank you.")


@pytest.mark.parametrize("words", ["/let_in", "/let_in gone", "/keep_out a b", "/pair king", "/pair a b"])
async def test_codes_that_are_not_said_right(bot: WholeBot, words: str) -> None:
    told = (await bot.ask(words)).text

    assert told in {
        "The button says this.",
        "That code is too old. /pair makes a new one.",
        "`king` is no role. There are viewer, reviewer, developer, admin, owner.",
        "Say `/pair`, or `/pair developer`.",
    }


# ---------------------------------------------------------------------------------------------- grants


async def test_a_grant_counts_at_once_and_is_taken_back_at_once(bot: WholeBot) -> None:
    given = await bot.ask("/grant fake:stranger developer")
    assert given.text == "🔑 **stranger** (`fake:home/stranger`) is now a developer everywhere."
    assert "Nothing is running here." in (await bot.ask("/status", person=STRANGER)).text

    taken = await bot.ask("/revoke fake:stranger")

    assert taken.text == "**stranger** (`fake:home/stranger`) has no role everywhere any more."
    count = len(bot.platform.posts)
    await bot.ask("/status", person=STRANGER)
    assert "I work only for the people on my list" in bot.platform.posts[count].text


async def test_here_and_in_a_project(bot: WholeBot) -> None:
    await bot.linked()
    await in_group(bot, "/grant fake:stranger reviewer here")
    assert "is now a reviewer in this chat" in bot.platform.posts[-1].text
    assert "is now a developer in DEMO" in (await bot.ask("/grant fake:stranger developer DEMO")).text

    grants = {each.scope: each.role for each in await bot.store.grants_of(STRANGER)}
    assert grants == {
        in_chat(group(bot).room): Role.REVIEWER,
        in_project(ProjectKey("DEMO")): Role.DEVELOPER,
    }
    assert "What is left: developer in DEMO." in (await revoke_here(bot)).text
    assert "had nothing granted everywhere" in (await bot.ask("/revoke fake:stranger")).text
    assert "There is no project `NONE`" in (await bot.ask("/grant fake:stranger viewer NONE")).text
    assert "has no role in DEMO any more" in (await bot.ask("/revoke fake:stranger DEMO")).text


async def revoke_here(bot: WholeBot) -> ShownPost:
    await in_group(bot, "/revoke fake:stranger here")
    return bot.platform.posts[-1]


async def test_a_person_is_named_by_a_true_mention_or_a_reply(bot: WholeBot) -> None:
    bob = Mention("Bob B.", replace(STRANGER, id="bob"))
    await bot.platform.say("/grant Bob B. viewer", mentions=(bob, bob))
    await bot.platform.say("/grant reviewer", answers=replace(STRANGER, id="ray", name="Ray"))
    await bot.platform.say("/revoke", answers=replace(STRANGER, id="ray", name="Ray"))
    await bot.quiet()

    assert bot.platform.texts() == [
        "🔑 **Sam** (`fake:home/bob`) is now a viewer everywhere.",
        "🔑 **Ray** (`fake:home/ray`) is now a reviewer everywhere.",
        "**Ray** (`fake:home/ray`) has no role everywhere any more.",
    ]


@pytest.mark.parametrize(
    "words",
    ["/grant @bob viewer", "/grant bob viewer", "/grant viewer", "/grant other:1 viewer", "/revoke @bob", "/revoke"],
)
async def test_a_name_is_not_enough(bot: WholeBot, words: str) -> None:
    told = (await bot.ask(words)).text

    assert "names can be changed and taken by others" in told
    assert await bot.store.grants() == []


async def test_two_people_under_one_name_are_none(bot: WholeBot) -> None:
    both = tuple(Mention("@bob", replace(STRANGER, id=each)) for each in ("b1", "b2"))
    await bot.platform.say("/grant @bob owner", mentions=both)
    await bot.quiet()

    assert "I can't tell for certain who `@bob` is." in bot.platform.posts[-1].text
    assert await bot.store.grants() == []


@pytest.mark.parametrize("words", ["/grant", "/grant fake:x", "/grant fake:x king", "/grant fake:x viewer here now"])
async def test_a_grant_that_is_not_said_right(bot: WholeBot, words: str) -> None:
    assert "Say `/grant <person> <role> [here|KEY]`; roles are viewer, " in (await bot.ask(words)).text


async def test_an_admin_changes_nothing_of_who_has_more(bot: WholeBot) -> None:
    await bot.store.put_grant(Grant(STRANGER, EVERYWHERE, Role.ADMIN, "me", bot.clock.now()))

    for words in ("/grant fake:stranger viewer", "/revoke fake:stranger"):
        told = (await bot.ask(words, person=ADMIN)).text
        assert told == "Only an owner may change that: stranger is an admin."
    assert "Only an owner may make somebody an owner" in (await bot.ask("/grant fake:x owner", person=ADMIN)).text
    assert "is now a developer" in (await bot.ask("/grant fake:x developer", person=ADMIN)).text
    assert await role_of(bot, STRANGER) is Role.ADMIN


async def test_what_the_configuration_gives_is_said(bot: WholeBot) -> None:
    given = (await bot.ask("/grant fake:member viewer")).text
    taken = (await bot.ask("/revoke fake:member")).text

    assert given.endswith("The configuration makes them a developer, which counts as well.")
    assert "take them out of `access` there" in taken


async def test_the_only_owner_stays(bot: WholeBot, monkeypatch: pytest.MonkeyPatch) -> None:
    await bot.ask("/grant fake:stranger owner")
    monkeypatch.setattr(bot.desk.roles, "listed", list)

    assert "That is the only owner of this bot." in (await bot.ask("/revoke fake:stranger")).text
    await bot.ask("/grant fake:other owner")
    assert "has no role everywhere" in (await bot.ask("/revoke fake:stranger")).text


async def test_the_admin_of_a_chat_grants_there_and_nowhere_else(bot: WholeBot) -> None:
    """Neither for the whole bot, nor for the project of the chat, which may be that of others."""
    await bot.ask("/create_project DEMO Demo", thread=group(bot))
    await bot.store.put_grant(Grant(STRANGER, in_chat(group(bot).room), Role.ADMIN, "me", bot.clock.now()))

    for words in ("/grant fake:x viewer", "/grant fake:x viewer DEMO", "/people", "/pair"):
        await in_group(bot, words, STRANGER)
        assert "Only an admin may do that here" in bot.platform.posts[-1].text, words
    await in_group(bot, "/grant fake:x viewer here", STRANGER)
    assert "is now a viewer in this chat" in bot.platform.posts[-1].text


async def test_the_admin_of_a_project_grants_for_it_alone(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("/create_project SITE Site", thread=group(bot, "other"))
    await bot.store.put_grant(Grant(STRANGER, in_project(ProjectKey("DEMO")), Role.ADMIN, "me", bot.clock.now()))

    for words in ("/grant fake:x viewer", "/grant fake:x viewer here", "/grant fake:x viewer SITE"):
        told = (await bot.ask(words, person=STRANGER)).text
        assert "what you were granted does not count here" in told, words
    assert "is now a viewer in DEMO" in (await bot.ask("/grant fake:x viewer DEMO", person=STRANGER)).text


async def test_who_was_let_in_to_one_project_sees_that_one(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("/create_project SITE Site", thread=group(bot, "other"))
    await bot.store.put_grant(Grant(STRANGER, in_project(ProjectKey("SITE")), Role.VIEWER, "me", bot.clock.now()))

    told = (await bot.ask("/projects", person=STRANGER)).text

    assert "SITE" in told
    assert "DEMO" not in told
    assert "**DEMO**" in (await bot.ask("/projects", person=VIEWER)).text


# --------------------------------------------------------------------------------- roles in what they do


@pytest.mark.parametrize(
    ("person", "words", "told"),
    [
        (VIEWER, "/settings language de", "Only an admin"),
        (VIEWER, "/settings language", "**Language**"),
        (VIEWER, "/digest off", "Only an admin"),
        (VIEWER, "/digest", "No digest is planned here."),
        (REVIEWER, "Mend it", "Only a developer may do that here; you are a reviewer."),
        (MEMBER, "/unlink", "Only an admin"),
        (ADMIN, "/unlink", "no longer linked"),
    ],
)
async def test_what_a_role_may_do(bot: WholeBot, person: Person, words: str, told: str) -> None:
    await bot.linked()

    assert told in (await bot.ask(words, person=person)).text


async def test_a_viewer_sees_a_pull_request_and_opens_none(bot: WholeBot) -> None:
    bot.workspaces.changes = {"a.py": "1"}
    await bot.linked()
    await bot.ask("Mend it")

    assert "#1" in (await bot.ask("/pr", person=VIEWER)).text


# ----------------------------------------------------------------------------------------------- chats


async def test_a_chat_that_nobody_knows_waits_for_an_admin(bot: WholeBot) -> None:
    for person, words in ((STRANGER, "hello"), (None, "/help"), (MEMBER, "/status"), (MEMBER, "/approve_chat")):
        await in_group(bot, words, person, "new", chat_title="News")

    [line] = bot.platform.posts
    assert "`/approve_chat`" in line.text
    waiting = await bot.store.chat(group(bot, "new").room)
    assert waiting is not None
    assert (waiting.standing, waiting.title) == (Standing.WAITING, "News")
    await in_group(bot, "/approve_chat", ADMIN, "new")
    assert bot.platform.posts[-1].text.startswith("👋 This chat is approved.")
    await in_group(bot, "/status", MEMBER, "new")
    assert "Nothing is running here." in bot.platform.posts[-1].text


async def test_one_press_of_an_admin_approves_and_of_nobody_else(bot: WholeBot) -> None:
    added = Joined(Cause("j1"), group(bot, "new"), STRANGER, "News")
    await bot.platform.deliver(added)
    await bot.platform.deliver(replace(added, cause=Cause("j2")))
    await bot.quiet()
    assert len(bot.platform.posts) == 1

    for person in (STRANGER, MEMBER):
        await bot.platform.press("Approve", person=person, is_direct=False)
        await bot.quiet()
        assert (await bot.authority.knows(replace(added, cause=Cause("j3")))) is False
    await bot.platform.press("Approve", person=ADMIN, is_direct=False)
    await bot.quiet()

    chat = await bot.store.chat(group(bot, "new").room)
    assert chat is not None
    assert (chat.standing, chat.title, chat.by) == (Standing.APPROVED, "News", str(ADMIN))
    assert await bot.authority.knows(replace(added, cause=Cause("j4"), person=MEMBER))
    await bot.platform.deliver(replace(added, cause=Cause("j4"), person=MEMBER))
    await bot.quiet()
    assert len(bot.platform.posts) == 2


async def test_a_chat_that_was_refused_stays_silent_until_an_admin_approves(bot: WholeBot) -> None:
    await in_group(bot, "hello", None, "new")
    await bot.platform.press("Refuse", is_direct=False)
    await bot.quiet()
    count = len(bot.platform.posts)

    await in_group(bot, "/help", None, "new")
    await bot.platform.halt(thread=group(bot, "new"), is_direct=False)
    await bot.quiet()
    assert len(bot.platform.posts) == count
    await in_group(bot, "/approve_chat", None, "new")
    assert "approved" in bot.platform.posts[-1].text


async def test_a_chat_with_a_link_is_known(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("/link DEMO", thread=group(bot, "linked"))

    await in_group(bot, "/status", MEMBER, "linked")

    assert "Nothing is running here." in bot.platform.posts[-1].text
    chat = await bot.store.chat(group(bot, "linked").room)
    assert chat is not None
    assert chat.by == "a link"


async def test_a_bare_word_that_grants_nothing_is_no_command(bot: WholeBot) -> None:
    await bot.linked()
    for words in ("revoke", "grant developer", "pair programming"):
        await bot.ask(words)

    assert [turn.prompt for turn in bot.agent.turns] == ["revoke", "grant developer", "pair programming"]


async def test_a_private_answer_needs_a_platform_that_reaches(bot: WholeBot) -> None:
    object.__setattr__(bot.desk, "platforms", {"fake": object()})

    await in_group(bot, "/people")

    assert bot.platform.texts() == ["That is private. Say it to me in a direct chat."]


@pytest.mark.parametrize("words", ["/approve_chat", "/refuse_chat"])
async def test_a_direct_chat_needs_no_approval(bot: WholeBot, words: str) -> None:
    assert (await bot.ask(words)).text.startswith("A direct chat needs no approval")


async def test_an_old_button_in_a_chat_that_is_not_approved_says_nothing(bot: WholeBot) -> None:
    await bot.ask("/help", thread=group(bot))
    button = bot.platform.posts[-1].buttons[0]
    pressed = await bot.platform.press(button, is_direct=False)
    await bot.quiet()
    count = len(bot.platform.posts)

    await bot.platform.deliver(replace(pressed, cause=Cause("p9"), thread=group(bot, "new")))
    await bot.quiet()

    assert len(bot.platform.posts) == count


# --------------------------------------------------------------------------------------------- /people


async def test_people_are_listed_in_private(bot: WholeBot) -> None:
    await bot.ask("/grant fake:x developer", person=ADMIN)
    await bot.store.offer_pairing("fake", "ABCDEFGHJK", bot.clock.now() + timedelta(hours=1))
    await start(bot, "ABCDEFGHJK")
    await in_group(bot, "hello", None, "new", chat_title="New *s*")

    await in_group(bot, "/people", ADMIN)

    told = bot.platform.posts[-1]
    assert told.ref.thread == own_chat(ADMIN)
    assert "- owner: `fake:owner` · configuration" in told.text
    assert "- developer everywhere: **x** (`fake:home/x`) · by `fake:home:admin`" in told.text
    assert "- owner everywhere: **Sam** (`fake:home/stranger`) · by the bot's machine" in told.text
    assert "- waiting: `fake:home:new` New s" in told.text
    assert (await bot.ask("/people all")).text == "Say `/people`."
    assert "Only an admin" in (await bot.ask("/people", person=MEMBER)).text
