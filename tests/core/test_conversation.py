"""The front door: who is heard, what is told to whom, and where an ask goes on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from core.model.chat import ButtonToken, Cause, Halted, Person, PostRef, Pressed, Said, SignKind, ThreadRef
from core.model.codec import to_json
from core.model.errors import StoreError
from core.model.events import TurnAsk, TurnEnd, TurnResult
from core.model.work import RunState
from core.ports import Note
from tests.fakes.agent import for_ever
from tests.whole import MEMBER, STRANGER, WholeBot


def inside(bot: WholeBot, root: str = "t1") -> ThreadRef:
    return replace(bot.platform.thread, root=root)


async def settle(bot: WholeBot) -> None:
    await bot.inbox.until_quiet()
    await bot.posts.until_quiet()


# ------------------------------------------------------------------------------------------- strangers


async def test_a_stranger_is_told_once_and_nothing_happens(bot: WholeBot) -> None:
    await bot.linked()
    count = len(bot.platform.posts)

    await bot.ask("Delete it all", person=STRANGER)
    await bot.ask("/status", person=STRANGER)

    assert len(bot.platform.posts) == count + 1
    assert "your id is `fake:stranger`" in bot.platform.posts[-1].text
    assert bot.agent.turns == []


async def test_a_stranger_from_elsewhere_is_named_with_the_workspace(bot: WholeBot) -> None:
    told = await bot.ask("Hello", person=Person("fake", "away", "x"))

    assert "your id is `fake:away/x`" in told.text


async def test_a_stranger_in_a_group_who_does_not_mean_us_is_not_told(bot: WholeBot) -> None:
    await bot.platform.say("Lunch?", person=STRANGER, is_addressed=False)
    await settle(bot)

    assert bot.platform.posts == []


async def test_a_strangers_press_and_stop_do_nothing(bot: WholeBot) -> None:
    bot.agent.script = [for_ever]
    await bot.linked()
    await bot.said("Mend it")
    await bot.agent.began.wait()

    await bot.platform.press("⏹ Stop", person=STRANGER)
    await bot.platform.halt(person=STRANGER)
    await settle(bot)

    assert [text for _, text in bot.platform.press_answers] == ["You are not on my list."]
    assert (await bot.only_run()).state is RunState.RUNNING


async def test_the_right_code_pairs_an_owner_once(bot: WholeBot) -> None:
    await bot.store.offer_pairing("fake", "123-456", bot.clock.now() + timedelta(minutes=10))

    assert "That code is not right" in (await bot.ask("/start 999-999", person=STRANGER)).text
    group = replace(bot.platform.thread, chat="group")
    await bot.platform.say("/start 123-456", person=STRANGER, is_direct=False, thread=group)
    await settle(bot)
    assert "I work only for the people on my list" in bot.platform.posts[-1].text
    paired = await bot.ask("/start 123-456", person=STRANGER)

    assert paired.text.startswith("🔑 You are now an owner of this bot.")
    assert "Nothing is running here." in (await bot.ask("/status", person=STRANGER)).text


# ------------------------------------------------------------------------------------ what is meant for us


async def test_what_is_not_meant_for_us_is_not_answered(bot: WholeBot) -> None:
    await bot.linked()
    count = len(bot.platform.posts)

    await bot.platform.say("Who has lunch?", is_addressed=False)
    await bot.platform.say("And you?", is_addressed=False, thread=inside(bot))
    await settle(bot)

    assert len(bot.platform.posts) == count
    assert bot.agent.turns == []


async def test_a_thread_with_open_work_needs_no_mention_but_an_aside_stays_one(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("Mend it", thread=inside(bot))

    for text in ("(aside) what do you think, Mia?", "!aside lunch?", "Now the tests"):
        await bot.platform.say(text, is_addressed=False, thread=inside(bot))
        await bot.quiet()

    assert [turn.prompt for turn in bot.agent.turns] == ["Mend it", "Now the tests"]


async def test_empty_words(bot: WholeBot) -> None:
    assert (await bot.ask("  \n ")).text == "Say what you want done, or /help."


async def test_an_unknown_word(bot: WholeBot) -> None:
    assert (await bot.ask("/statsu")).text == "I know no command `/statsu`. Did you mean `/status`?"


async def test_plain_words_that_look_like_a_command_go_to_the_agent(bot: WholeBot) -> None:
    await bot.linked()

    await bot.ask("help me with the login")
    await bot.ask("status")

    assert [turn.prompt for turn in bot.agent.turns] == ["help me with the login"]
    assert "Nothing is running here." in bot.platform.posts[-1].text


async def test_a_long_message_has_a_short_title(bot: WholeBot) -> None:
    await bot.linked()

    await bot.ask("**Mend** `it`,\n" + "please " * 30)

    run = await bot.only_run()
    assert run.title.startswith("Mend 'it', please")
    assert len(run.title) <= 80
    assert run.title.endswith("…")


async def test_signs_say_that_it_was_seen_and_how_it_ended(bot: WholeBot) -> None:
    await bot.linked()
    said = await bot.platform.say("Mend it")
    await settle(bot)
    await bot.quiet()

    kinds = [kind for _, message, kind in bot.platform.signs if message == said.message]
    assert kinds == [SignKind.SEEN, SignKind.WORKING, SignKind.DONE]


# ----------------------------------------------------------------------------------------------- edited


async def test_an_edited_message_corrects_what_has_not_begun(bot: WholeBot) -> None:
    bot.agent.script = [for_ever]
    await bot.linked()
    first = await bot.platform.say("Mend it")
    await bot.agent.began.wait()
    queued = await bot.platform.say("And the tset")

    await bot.platform.say("And the tests", corrects=queued.cause)
    await bot.platform.say("Never said before", corrects=Cause("unheard"))
    await bot.inbox.until_quiet()
    count = len(bot.platform.posts)
    await bot.platform.say("Mend it well", corrects=first.cause)

    await bot.platform.shown("That was taken up before you edited it.")
    run = await bot.only_run()
    assert [turn.text for turn in await bot.store.queued_turns(run.id)] == ["And the tests"]
    assert len(bot.platform.posts) == count + 1


# ----------------------------------------------------------------------------- asks that open a thread


async def test_a_slash_command_that_needs_a_thread_opens_one(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("/create_task DEMO Login")
    since = len(bot.platform.posts)

    await bot.platform.say("/execute DEMO-1", opens_thread=True)
    await bot.platform.shown("done: Login")
    await bot.quiet()

    root = bot.platform.posts[since]
    assert root.text == "▸ **/execute DEMO-1** — asked by Olga"
    assert root.ref.thread == bot.platform.thread
    run = await bot.only_run()
    assert run.thread.root == root.ref.id
    assert all(each.ref.thread == run.thread for each in bot.platform.posts[since + 1 :])


async def test_plain_words_by_slash_open_a_thread_and_commands_do_not(bot: WholeBot) -> None:
    await bot.linked()

    await bot.platform.say("/status", opens_thread=True)
    assert (await bot.platform.shown("Nothing is running here.")).ref.thread.root == ""
    await bot.platform.say("Mend it", opens_thread=True)
    answer = await bot.platform.shown("done: Mend it")

    assert answer.ref.thread.root != ""


async def test_an_ask_that_breaks_in_the_thread_it_opened_is_told_and_the_sender_lives(bot: WholeBot) -> None:
    await bot.linked()

    async def broken(*_: object) -> object:
        raise ZeroDivisionError

    whole, bot.runs.usable_agent = bot.runs.usable_agent, broken  # type: ignore[assignment, method-assign]
    await bot.platform.say("Mend it", opens_thread=True)
    told = await bot.platform.shown("I could not begin that")
    bot.runs.usable_agent = whole  # type: ignore[method-assign]

    assert told.ref.thread.root != ""
    assert (await bot.ask("Mend it")).text.startswith("✅ **Mend it**")


async def test_a_store_that_cannot_write_is_waited_for_when_a_thread_was_opened(bot: WholeBot) -> None:
    await bot.linked()
    tries: list[object] = []

    async def busy(cause: Cause) -> bool:
        tries.append(cause)
        raise StoreError("The disk is full.")

    whole, bot.runs.begun = bot.runs.begun, busy  # type: ignore[method-assign]
    await bot.platform.say("Mend it", opens_thread=True)
    async with asyncio.timeout(5):
        while not tries:  # noqa: ASYNC110 - a fake counts, it tells nobody
            await asyncio.sleep(0.01)
    bot.runs.begun = whole  # type: ignore[method-assign]
    await bot.clock.forward(2)

    await bot.platform.shown("done: Mend it")


# ------------------------------------------------------------------------------ presses and the native Stop


async def test_the_platforms_own_stop_ends_the_run_of_its_thread(bot: WholeBot) -> None:
    bot.agent.script = [for_ever]
    await bot.linked()
    await bot.said("Mend it", thread=inside(bot))
    await bot.agent.began.wait()

    await bot.platform.halt(thread=inside(bot, "other"))
    await bot.platform.shown("Nothing is running here that could be stopped.")
    await bot.platform.halt(thread=inside(bot))
    await bot.platform.shown("Stopped by Olga")
    await bot.quiet()

    assert (await bot.only_run()).state is RunState.CANCELLED


async def test_a_button_that_is_out_of_date(bot: WholeBot) -> None:
    menu = await bot.ask("/settings")
    old = menu.buttons[0]
    await bot.platform.press("Agent")
    await bot.quiet()
    press = Pressed(Cause("p1"), menu.ref.thread, bot.platform.owner, old.token, menu.ref, "h", is_direct=True)

    await bot.platform.deliver(press)
    await bot.quiet()

    assert bot.platform.posts[-1].text == "That button is out of date. Say /status to see what is going on."


async def test_a_button_counts_only_in_its_chat(bot: WholeBot) -> None:
    shown = await bot.ask("/help")
    elsewhere = replace(bot.platform.thread, chat="other")
    press = Pressed(
        Cause("p1"), elsewhere, bot.platform.owner, shown.buttons[0].token, PostRef(elsewhere, "1"), "h", is_direct=True
    )
    unknown = replace(press, cause=Cause("p2"), thread=bot.platform.thread, token=ButtonToken("none"))

    await bot.platform.deliver(press)
    await bot.platform.deliver(unknown)
    await bot.quiet()

    assert [each.text[:26] for each in bot.platform.posts[-2:]] == ["That button is out of date"] * 2


async def test_a_press_is_answered_where_its_button_stands(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("/help", thread=inside(bot))

    await bot.platform.press("Projects", person=MEMBER)
    await bot.quiet()

    assert "**Projects**" in bot.platform.posts[-1].text
    assert bot.platform.posts[-1].ref.thread == inside(bot)
    assert bot.platform.press_answers[-1][1] == ""


async def test_a_press_that_fails_leaves_the_menu(bot: WholeBot) -> None:
    await bot.linked()
    bot.agent.script = [TurnResult("", end=TurnEnd.ASKED, question="Which?", options=("Red",))]
    asked = await bot.ask("Paint it")
    await bot.ask("/cancel")

    await bot.platform.press(asked.buttons[0])
    await bot.quiet()

    assert "That question was settled before: “Paint it” is CANCELLED." in bot.platform.posts[-1].text
    assert "Which?" in asked.text


# ------------------------------------------------------------------------------------- heard again


async def test_heard_again_is_done_once(bot: WholeBot) -> None:
    await bot.linked()
    said = await bot.platform.say("Mend it")
    await bot.quiet()
    count = len(bot.platform.posts)

    await bot.conversation.hear(said)
    await bot.platform.deliver(said)
    await bot.quiet()

    assert len(bot.agent.turns) == 1
    assert len(bot.platform.posts) == count


async def test_what_was_kept_but_never_begun_begins_when_it_is_heard_again(bot: WholeBot) -> None:
    await bot.linked()
    start = bot.engine.start

    async def busy(*_: object) -> None:
        raise StoreError("The database is busy.")

    bot.engine.start = busy  # type: ignore[assignment, method-assign]
    await bot.platform.say("Mend it")
    async with asyncio.timeout(5):
        while not await bot.store.open_runs():  # noqa: ASYNC110 - a row, it tells nobody
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.05)
    bot.engine.start = start  # type: ignore[method-assign]
    await bot.clock.forward(3)
    await bot.quiet()

    assert (await bot.only_run()).state is RunState.COMPLETED
    assert len(bot.agent.turns) == 1


async def test_an_answer_is_not_acknowledged_but_what_is_queued_is(bot: WholeBot) -> None:
    async def first(turn: TurnAsk, note: Note) -> TurnResult:
        await bot.said("And the tests")
        return TurnResult("", end=TurnEnd.ASKED, question="Which?")

    bot.agent.script = [first, TurnResult("", end=TurnEnd.ASKED, question="Really?")]
    await bot.linked()
    await bot.ask("Mend it")
    await bot.ask("Yes")

    assert len([each for each in bot.platform.posts if "Noted" in each.text]) == 1
    assert [turn.prompt for turn in bot.agent.turns] == ["Mend it", "And the tests", "Yes"]


# -------------------------------------------------------------------------------------------- set aside


async def test_what_could_not_be_handled_is_told(bot: WholeBot) -> None:
    said = Said(Cause("c1"), bot.platform.thread, bot.platform.owner, "poison", is_direct=True)

    await bot.conversation.set_aside(said, "c1")
    await bot.conversation.set_aside(replace(said, person=STRANGER), "c2")
    await bot.conversation.set_aside(Halted(Cause("c3"), said.thread, MEMBER, is_direct=True), "c3")
    await bot.quiet()

    kept = [each.text for each in bot.platform.posts]
    assert [text.partition("It is kept as ")[2][:4] for text in kept] == ["`c1`", "`c3`"]


async def test_an_ask_may_go_on_after_a_restart(bot: WholeBot) -> None:
    await bot.linked()
    said = Said(Cause("c9"), bot.platform.thread, bot.platform.owner, "Mend it", opens_thread=True)

    await bot.conversation.opened(to_json(said), PostRef(bot.platform.thread, "77"))
    await bot.quiet()

    assert (await bot.only_run()).thread.root == "77"
