"""/settings by presses and by words; /digest as people say it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.model.events import TurnAsk, TurnResult
from core.ports import Note
from tests.fakes.agent import for_ever
from tests.whole import WholeBot


async def test_settings_by_presses_are_one_post(bot: WholeBot) -> None:
    await bot.linked()
    menu = await bot.ask("/settings")
    count = len(bot.platform.posts)
    assert "- Project: DEMO\n- Agent: default\n- Model: default\n- Language of answers: English" in menu.text
    assert menu.labels == ["Agent", "Model", "Language", "Quiet", "Zone"]

    await bot.platform.press("Agent")
    await bot.quiet()
    assert "**Agent** is `default`." in menu.text
    assert menu.labels == ["scripted", "default", "◀ Back"]
    await bot.platform.press("scripted")
    await bot.quiet()
    assert "- Agent: scripted" in menu.text
    await bot.platform.press("Language")
    await bot.quiet()
    await bot.platform.press("Deutsch")
    await bot.quiet()
    assert "- Language of answers: Deutsch" in menu.text
    await bot.platform.press("Model")
    await bot.quiet()
    assert "Say `/settings model <name>`" in menu.text
    await bot.platform.press("◀ Back")
    await bot.quiet()

    assert menu.text.startswith("**Settings of this chat**")
    assert len(bot.platform.posts) == count


@pytest.mark.parametrize(
    ("field", "value", "line"),
    [
        ("agent", "scripted", "- Agent: scripted"),
        ("model", "claude-x:1/b", "- Model: claude-x:1/b"),
        ("language", "de", "- Language of answers: Deutsch"),
        ("quiet", "21:30-06:30", "- Quiet hours: 21:30-06:30"),
        ("zone", "Europe/Paris", "- Time zone: Europe/Paris"),
    ],
)
async def test_settings_by_words(bot: WholeBot, field: str, value: str, line: str) -> None:
    assert "- Project: none" in (await bot.ask("/settings")).text

    assert line in (await bot.ask(f"/settings {field} {value}")).text
    assert f"is `{value}`" in (await bot.ask(f"/settings {field}")).text
    assert line not in (await bot.ask(f"/settings {field} default")).text


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("agent scriptde", "There is no agent `scriptde`. Did you mean `scripted`?"),
        ("model -rm", "`-rm` cannot be the name of a model."),
        ("language xx", "I know no language `xx`. Choose one of en, de"),
        ("quiet 25:00-07:00", "Quiet hours look like `22:00-07:00`."),
        ("zone Berlin", "`Berlin` is no time zone I know; they look like `Europe/Berlin`."),
        ("zone ../etc/passwd", "is no time zone I know"),
    ],
)
async def test_settings_that_cannot_be(bot: WholeBot, said: str, words: str) -> None:
    assert words in (await bot.ask(f"/settings {said}")).text
    assert "- Time zone: UTC" in (await bot.ask("/settings")).text


async def test_what_was_chosen_is_what_the_agent_gets(bot: WholeBot) -> None:
    await bot.linked()
    for said in ("agent scripted", "model m-1", "language de"):
        await bot.ask(f"/settings {said}")

    await bot.ask("Mend it")

    assert (bot.agent.turns[0].model, bot.agent.turns[0].language) == ("m-1", "de")


async def test_posts_make_no_sound_in_quiet_hours(bot: WholeBot) -> None:
    await bot.ask("/settings quiet 08:00-10:00")

    assert (await bot.ask("/status")).post.silent


# ------------------------------------------------------------------------------------------------ digest


async def test_a_digest_is_planned_shown_and_dropped(bot: WholeBot) -> None:
    assert "No digest is planned here. Say `/digest now`" in (await bot.ask("/digest")).text
    assert (await bot.ask("/digest off")).text == "There was no digest planned here."

    planned = await bot.ask("/digest weekdays 09:00 Europe/Berlin")
    assert planned.text == "📋 The digest comes at `0 9 * * 1-5` (Europe/Berlin), next on Tue 03 Mar 09:00."
    assert planned.labels == ["Now", "Off"]
    assert (await bot.ask("/digest")).text == planned.text
    await bot.platform.press("Off")
    await bot.quiet()

    assert bot.platform.posts[-1].text == "No more digests here."


async def test_a_digest_in_the_zone_of_the_chat_and_in_its_thread(bot: WholeBot) -> None:
    await bot.ask("/settings zone America/New_York")
    thread = replace(bot.platform.thread, root="t1")

    planned = await bot.ask("/digest daily 18:30", thread=thread)

    assert "`30 18 * * *` (America/New_York)" in planned.text
    plan = await bot.store.digest(thread.room)
    assert plan is not None
    assert plan.thread == thread


async def test_a_digest_now(bot: WholeBot) -> None:
    empty = await bot.ask("/digest now")
    assert empty.text == (
        "📋 **Digest** · Mon 02 Mar 09:00 (UTC)\n\nNothing has happened since the last one, and nothing is open."
    )


async def test_a_digest_while_a_run_works_names_it(bot: WholeBot) -> None:
    bot.agent.script = [for_ever]
    await bot.linked()
    await bot.said("Mend it")
    await bot.agent.began.wait()

    await bot.said("/digest now")

    assert "**At work** (1)\n\n- Mend it · scripted" in (await bot.platform.shown("**Digest**")).text


async def test_settings_said_during_a_run_do_not_disturb_it(bot: WholeBot) -> None:
    async def play(turn: TurnAsk, note: Note) -> TurnResult:
        await bot.said("/settings model m-2")
        return TurnResult("done")

    bot.agent.script = [play]
    await bot.linked()
    await bot.ask("Mend it")

    assert len(bot.agent.turns) == 1
