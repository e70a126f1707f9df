"""A message that was edited: it corrects what has not begun; what has begun is offered as a follow-up, once."""

from __future__ import annotations

import pytest

from core.model.chat import Cause, Said
from core.model.work import RunState
from tests.fakes.agent import for_ever
from tests.fakes.platform import ShownPost
from tests.whole import WholeBot

OFFER = "That was taken up before you edited it."
DO, LEAVE = "Do the new version as a follow-up", "Leave it"


async def edited(bot: WholeBot, original: Said, text: str) -> ShownPost:
    await bot.platform.say(text, corrects=original.cause)
    await bot.quiet()
    return bot.platform.posts[-1]


async def mended(bot: WholeBot) -> Said:
    """A message whose run is over."""
    await bot.linked()
    said = await bot.platform.say("Mend it")
    await bot.quiet()
    return said


async def test_the_new_version_becomes_a_run_on_the_same_work_once_however_often_it_is_pressed(bot: WholeBot) -> None:
    offer = await edited(bot, await mended(bot), "Mend it\n\n  and well")
    assert offer.text == OFFER
    assert offer.labels == [DO, LEAVE]
    says = offer.buttons[0].says

    await bot.platform.press(DO)
    await bot.quiet()
    await bot.ask(says)

    assert [turn.prompt for turn in bot.agent.turns] == ["Mend it", "Mend it\n\n  and well"]
    runs = await bot.store.runs_of(bot.platform.thread.room, 5)
    assert [run.state for run in runs] == [RunState.COMPLETED] * 2
    assert len({run.work for run in runs}) == 1
    assert runs[0].title == "Mend it and well"
    assert offer.text == "▸ Taken up as a follow-up: “Mend it and well”"
    assert offer.labels == []


async def test_an_edit_that_leaves_the_words_as_they_are_offers_nothing(bot: WholeBot) -> None:
    said = await mended(bot)
    before = len(bot.platform.posts)

    await edited(bot, said, "Mend it")

    assert len(bot.platform.posts) == before


async def test_while_the_run_works_the_new_version_is_its_next_turn(bot: WholeBot) -> None:
    bot.agent.script = [for_ever]
    await bot.linked()
    said = await bot.platform.say("Mend it")
    await bot.agent.began.wait()
    await bot.platform.say("Mend it well", corrects=said.cause)
    offer = await bot.platform.shown(OFFER)
    says = offer.buttons[0].says

    await bot.platform.press(DO)
    await bot.said(says)

    run = await bot.only_run()
    assert [turn.text for turn in await bot.store.queued_turns(run.id)] == ["Mend it well"]


async def test_each_edit_is_an_offer_of_its_own(bot: WholeBot) -> None:
    said = await mended(bot)
    first = await edited(bot, said, "Mend it well")
    second = await edited(bot, said, "Mend it very well")

    await bot.platform.press(second.buttons[0])
    await bot.quiet()

    assert [turn.prompt for turn in bot.agent.turns] == ["Mend it", "Mend it very well"]
    assert first.text == OFFER


async def test_it_may_be_left_as_it_was(bot: WholeBot) -> None:
    offer = await edited(bot, await mended(bot), "Mend it well")

    await bot.platform.press(LEAVE)
    await bot.quiet()

    assert offer.text == "Left as it was taken up."
    assert offer.labels == []
    assert len(bot.agent.turns) == 1


async def test_without_a_link_the_offer_stays_and_the_projects_are_offered(bot: WholeBot) -> None:
    offer = await edited(bot, await mended(bot), "Mend it well")
    await bot.ask("/unlink")

    await bot.platform.press(DO)
    await bot.quiet()

    assert "I don't know yet which code" in bot.platform.posts[-1].text
    assert offer.labels == [DO, LEAVE]


@pytest.mark.parametrize("text", ["/status", "/nonsense", "status"])
async def test_an_edited_command_is_not_taken_up(bot: WholeBot, text: str) -> None:
    answer = await edited(bot, await mended(bot), text)

    assert answer.text == "I don't take up an edited command. Send it anew."


@pytest.mark.parametrize(("text", "original"), [("", None), ("Mend it well", "unheard")])
async def test_what_says_nothing_or_was_never_heard_is_left(bot: WholeBot, text: str, original: str | None) -> None:
    said = await mended(bot)
    count = len(bot.platform.posts)

    await bot.platform.say(text, corrects=Cause(original) if original else said.cause)
    await bot.quiet()

    assert len(bot.platform.posts) == count


async def test_the_button_says_what_it_needs(bot: WholeBot) -> None:
    await bot.linked()

    assert "Say in plain words" in (await bot.ask("/followup x")).text
