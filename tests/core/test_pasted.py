"""A secret that is pasted in a chat: nowhere stored in clear, deleted there, told in private, kept only where asked."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from core.model.chat import Cause, Delivery, ThreadRef
from core.model.errors import ChatError
from core.model.secrets import PASTED, Cleaned, SecretRef, of_bot, of_person, of_project
from core.model.work import ProjectKey
from core.pasted import has_mask, masked, value_in
from core.ports import Find
from tests.whole import MEMBER, STRANGER, WholeBot

GROUP = ThreadRef("fake", "home", "group")


def github() -> str:
    return "ghp_" + (uuid4().hex * 2)[:36]


def finds(*secrets: str) -> Find:
    return lambda text: [each for each in secrets if each in text]


async def rows(bot: WholeBot) -> str:
    """Everything that any table holds."""
    client = bot.store._database.client
    tables = await client.execute_query_dict("SELECT name FROM sqlite_master WHERE type = 'table'")
    return str([await client.execute_query_dict(f"SELECT * FROM {each['name']}") for each in tables])


# --------------------------------------------------------------------------------------- a pasted token


async def test_a_pasted_token_is_deleted_and_told_and_nowhere_to_be_found(bot: WholeBot) -> None:
    await bot.linked()
    token = github()
    said = await bot.platform.say(f"use {token} to log in")
    await bot.quiet()

    assert bot.platform.deleted == [(said.thread, said.message)]
    told = bot.platform.find_shown("I deleted your message")
    assert told is not None
    assert "I have not kept it" in told.text
    (turn,) = bot.agent.turns
    assert turn.prompt == f"use ⟪{'·' * (len(token) - 2)}⟫ to log in"
    assert token not in await rows(bot)
    assert token not in str([each.history for each in bot.platform.posts])


async def test_without_the_mask_the_same_token_is_stored_and_reaches_the_agent(bot: WholeBot) -> None:
    """The negative control."""
    await bot.linked()
    bot.inbox.clean_by(_as_it_is)
    token = github()
    await bot.ask(f"use {token} to log in")

    assert token in await rows(bot)
    assert token in bot.agent.turns[0].prompt


async def _as_it_is(_source: object, delivery: Delivery, _event: object) -> Cleaned:
    return Cleaned(delivery)


def reachable(bot: WholeBot, *, refuses: bool = False) -> ThreadRef:
    """The platform can write to a person first from now on; where."""
    alone = ThreadRef("fake", "home", "direct:owner")

    async def direct(_person: str) -> ThreadRef:
        if refuses:
            raise ChatError("blocked")
        return alone

    setattr(bot.platform, "direct", direct)  # noqa: B010 - only some platforms can
    return alone


async def test_who_cannot_be_reached_alone_is_told_in_the_thread(bot: WholeBot) -> None:
    reachable(bot, refuses=True)
    await bot.platform.say(f"look: {github()}", thread=GROUP, is_direct=False, is_addressed=False)
    await bot.quiet()

    told = bot.platform.find_shown("I deleted your message")
    assert told is not None
    assert told.ref.thread == GROUP


async def test_what_was_said_without_a_message_needs_no_deleting(bot: WholeBot) -> None:
    """A slash command is seen by nobody else."""
    said = await bot.platform.say("hello")
    await bot.platform.deliver(replace(said, cause=Cause("fake:home:slash"), text=f"look: {github()}", message=""))
    await bot.quiet()

    assert bot.platform.find_shown("I deleted your message")
    assert bot.platform.deleted == []


async def test_where_nothing_can_be_deleted_the_person_is_asked_to(bot: WholeBot) -> None:
    other = ThreadRef("elsewhere", "home", "room")
    pastes = bot.conversation._pastes
    assert pastes is not None
    said = await bot.platform.say("hello", is_direct=False)

    assert not await pastes._delete(replace(said, thread=other))
    assert await pastes._alone(replace(said, thread=other)) == other


async def test_what_is_not_to_be_read_any_more_without_its_secret_is_not_taken(bot: WholeBot) -> None:
    said = await bot.platform.say("hello")
    await bot.quiet()
    posts = len(bot.platform.posts)
    whole = bot.platform.read
    bot.platform.read = lambda raw: None if "⟪".encode() in raw or b"u27ea" in raw else whole(raw)  # type: ignore[method-assign]
    await bot.platform.deliver(replace(said, cause=Cause("fake:home:other"), text=f"look: {github()}"))
    await bot.quiet()

    assert len(bot.platform.posts) == posts


async def test_in_a_group_the_notice_is_private(bot: WholeBot) -> None:
    alone = reachable(bot)
    await bot.platform.say(f"look: {github()}", thread=GROUP, is_direct=False, is_addressed=False)
    await bot.quiet()

    told = bot.platform.find_shown("I deleted your message")
    assert told is not None
    assert told.ref.thread == alone
    assert bot.platform.in_thread(GROUP) == []


async def test_what_cannot_be_deleted_is_for_the_person_to_delete(bot: WholeBot) -> None:
    bot.platform.fail("delete", ChatError("not allowed"))
    await bot.ask(f"look: {github()}")

    assert bot.platform.find_shown("**delete it yourself**")


async def test_a_secret_of_a_stranger_is_masked_and_nothing_else_happens(bot: WholeBot) -> None:
    token = github()
    await bot.said(f"/secret set X {token}", person=STRANGER)
    await bot.quiet()

    assert bot.platform.deleted == []
    assert not bot.platform.find_shown("secret")
    assert token not in await rows(bot)
    assert await bot.store.all_sealed() == []


async def test_a_live_secret_is_known_without_any_shape(bot: WholeBot) -> None:
    bot.redactor.add("correct horse battery")
    await bot.linked()
    await bot.ask("my word is correct horse battery, use it")

    assert bot.agent.turns[0].prompt == "my word is ⟪···················⟫, use it"


async def test_after_a_crash_the_masked_message_is_handled(bot: WholeBot) -> None:
    await bot.linked()
    token = github()
    said = await bot.platform.say(f"use {token}")
    await bot.restart()
    await bot.quiet()

    assert (said.thread, said.message) in bot.platform.deleted
    assert token not in await rows(bot)
    assert len([each for each in bot.platform.posts if "I deleted" in each.text]) == 1


# ------------------------------------------------------------------------------------------- /secret


async def test_what_is_given_to_keep_is_sealed_under_the_person(bot: WholeBot) -> None:
    value = uuid4().hex
    said = await bot.platform.say(f"/secret set NPM {value}", person=MEMBER)
    await bot.quiet()

    assert await bot.vault.get(of_person(MEMBER, "NPM")) == value
    assert bot.platform.deleted == [(said.thread, said.message)]
    assert bot.platform.find_shown("Kept, sealed, as `NPM`")
    assert await bot.store.sealed(SecretRef(PASTED, str(said.cause))) is None
    assert value not in await rows(bot)
    assert bot.redactor(value) == "[redacted]"


async def test_it_is_listed_and_forgotten(bot: WholeBot) -> None:
    assert (await bot.ask("/secret")).text == "You have given me no secrets."
    await bot.ask(f"/secret set NPM {uuid4().hex}")
    assert "- `NPM`, since 20" in (await bot.ask("/secret list")).text
    assert (await bot.ask("/secret list", person=MEMBER)).text == "You have given me no secrets."
    assert "You have no secret" in (await bot.ask("/secret forget NPM", person=MEMBER)).text
    assert (await bot.ask("/secret forget NPM")).text == "🔒 Forgotten: `NPM`."
    assert "You have no secret" in (await bot.ask("/secret forget NPM")).text


async def test_in_a_group_the_answer_is_private(bot: WholeBot) -> None:
    alone = reachable(bot)
    await bot.platform.say(f"/secret set NPM {uuid4().hex}", thread=GROUP, is_direct=False)
    await bot.quiet()

    kept = bot.platform.find_shown("Kept, sealed")
    assert kept is not None
    assert kept.ref.thread == alone
    assert "NPM" not in str([each.text for each in bot.platform.in_thread(GROUP)])


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("/secret set NPM", "Say what it is as well"),
        ("/secret set NPM a b", "I could not keep it: it is too short"),
        ("/secret set 1NPM abcdefgh", "A name is a letter"),
        ("/secret show NPM", "best to me in private"),
        ("/secret forget", "best to me in private"),
        ("/secret forget A B", "best to me in private"),
        ("/secret list all", "best to me in private"),
    ],
)
async def test_what_is_wrong_is_said(bot: WholeBot, text: str, answer: str) -> None:
    assert answer in (await bot.ask(text)).text
    assert await bot.store.all_sealed() == []


async def test_a_short_value_is_not_kept_but_masked(bot: WholeBot) -> None:
    await bot.ask("/secret set PIN 1234")

    assert "PIN 1234" not in await rows(bot)


async def test_without_a_key_the_value_is_masked_and_not_kept(bot: WholeBot) -> None:
    value = uuid4().hex
    await bot.store.reseal("lost", lambda row: row.words, bot.clock.now())
    bot.vault._open = {}
    shown = await bot.ask(f"/secret set X {value}")

    assert "my key is missing" in shown.text
    assert value not in await rows(bot)


# ------------------------------------------------------------------------------------------- the mask


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("/secret set A value", "value"),
        ("secret set A two words ", "two words"),
        ("/secret@our_bot set A value", "value"),
        ("<@U0BOT> secret set A value", "value"),
        ("@our_bot: /secret set A value", "value"),
        ("/SECRET SET A value", "value"),
        ("/secret set A", ""),
        ("the secret set A value", ""),
        ("/secret forget A value", ""),
    ],
)
def test_the_value_of_a_command(text: str, value: str) -> None:
    assert value_in(text) == value


def test_positions_in_the_text_stay_right() -> None:
    secret = "s3cr3t-🔑-token"
    raw = json.dumps({"text": f"{secret} @bot", "entities": [{"offset": 15, "length": 4}]}).encode()
    text = json.loads(masked(raw, finds(secret)))["text"]

    assert has_mask(text)
    assert len(text.encode("utf-16-le")) == len(f"{secret} @bot".encode("utf-16-le"))
    assert text.endswith(" @bot")


def test_a_secret_goes_wherever_it_stands() -> None:
    secret = uuid4().hex
    tree = {"a": [secret, {"b": f"x{secret}y"}, 7, None, True], "c": f"/secret set N {secret}"}

    assert secret not in masked(json.dumps(tree).encode(), finds(), secret).decode()
    assert secret.encode() not in masked(f"no json {secret}".encode(), finds(secret))


def test_as_slack_escapes_it_too() -> None:
    tree = {"text": "and use a&amp;b&lt;c!", "blocks": ["a&b<c!"]}

    shown = json.loads(masked(json.dumps(tree).encode(), finds(), "a&b<c!"))
    assert shown == {"text": f"and use ⟪{'·' * 11}⟫", "blocks": ["⟪····⟫"]}


@pytest.mark.parametrize("raw", [b'{ "a": "b" }', b"no json", b"\xff\xfe", b"[" * 100_000, b'"x"'])
def test_what_holds_no_secret_stays_byte_for_byte(raw: bytes) -> None:
    assert masked(raw, finds("secret")) is raw


def test_a_masked_command_is_not_masked_again() -> None:
    raw = json.dumps({"text": "/secret set N ⟪····⟫"}).encode()

    assert masked(raw, finds()) is raw


RECORDINGS = sorted((Path(__file__).parents[1] / "recordings").rglob("*.json"))


@pytest.mark.parametrize("path", RECORDINGS[:200], ids=lambda path: path.name)
def test_what_platforms_send_is_not_taken_for_secrets(path: Path) -> None:
    from adapters.secrets import Redactor  # noqa: PLC0415

    raw = path.read_bytes()
    assert masked(raw, Redactor().find) is raw


def test_a_name_counts_in_one_scope() -> None:
    scopes = [each.scope for each in (of_bot("X"), of_person(MEMBER, "X"), of_project(ProjectKey("DEMO"), "X"))]

    assert scopes == ["bot", "person:fake:home:member", "project:DEMO"]
