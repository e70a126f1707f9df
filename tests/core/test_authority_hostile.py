"""A member of one chat against the runs of another: by ids typed by hand, and what a hostile agent has named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from core.model.chat import ThreadRef
from core.model.events import PlanShown, TurnAsk, TurnEnd, TurnResult
from core.model.work import Run, RunState
from core.ports import Note
from tests.fakes.agent import for_ever
from tests.whole import ADMIN, MEMBER, STRANGER, WholeBot, whole_bot

BY_ID = ("diff", "pr", "merge", "cancel", "publish", "resume", "discard")


async def elsewhere(bot: WholeBot) -> ThreadRef:
    """Another chat, linked to the same project."""
    thread = replace(bot.platform.thread, chat="elsewhere")
    await bot.ask("/link DEMO", thread=thread)
    return thread


async def run_of_the_room(bot: WholeBot) -> Run:
    bot.workspaces.changes = {"secret.py": "1"}
    await bot.linked()
    await bot.ask("Plan our surprise")
    return await bot.only_run()


@pytest.mark.parametrize("command", BY_ID)
async def test_a_run_of_another_chat_is_not_known_by_its_id(bot: WholeBot, command: str) -> None:
    run = await run_of_the_room(bot)
    thread = await elsewhere(bot)

    for name in (run.id, run.id[:8], run.work):
        answer = await bot.ask(f"/{command} {name}", person=MEMBER, thread=thread)

        assert "secret.py" not in answer.text
        assert "Plan our surprise" not in answer.text
        assert "Only an admin" in answer.text if command == "merge" else "I know no run" in answer.text
    assert bot.forge.pulls[0].state == "open"


async def test_a_run_at_work_in_another_chat_goes_on(bot: WholeBot) -> None:
    bot.agent.script = [for_ever]
    await bot.linked()
    await bot.said("Work for ever")
    await bot.agent.began.wait()
    run = await bot.only_run()
    thread = await elsewhere_while_at_work(bot)

    for said in (f"/cancel {run.id}", f"/discard {run.id}", f"/answer {run.id} yes"):
        since = len(bot.platform.posts)
        await bot.said(said, person=MEMBER, thread=thread)
        await bot.platform.shown("I know no run", since=since)

    now = await bot.store.run(run.id)
    assert now is not None
    assert now.state is RunState.RUNNING
    assert await bot.store.queued_turns(run.id) == []


async def elsewhere_while_at_work(bot: WholeBot) -> ThreadRef:
    thread = replace(bot.platform.thread, chat="elsewhere")
    await bot.said("/link DEMO", thread=thread)
    return thread


async def test_in_its_own_chat_a_member_may_name_it(bot: WholeBot) -> None:
    run = await run_of_the_room(bot)

    assert "secret.py" in (await bot.ask(f"/diff {run.id[:8]}", person=MEMBER)).text


async def test_an_owner_may_look_from_anywhere(bot: WholeBot) -> None:
    run = await run_of_the_room(bot)

    assert "secret.py" in (await bot.ask(f"/diff {run.id[:8]}", thread=await elsewhere(bot))).text


async def test_work_on_a_task_is_everybodys_as_the_board_is(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("/create_task DEMO Login")
    bot.workspaces.changes = {"login.py": "1"}
    await bot.ask("/execute DEMO-1")

    assert "login.py" in (await bot.ask("/diff DEMO-1", person=MEMBER, thread=await elsewhere(bot))).text


async def test_a_button_does_nothing_in_another_chat_nor_for_a_stranger(bot: WholeBot) -> None:
    await run_of_the_room(bot)
    merge = next(button for button in bot.platform.posts[-1].buttons if button.label == "Merge")

    await bot.platform.press(merge, person=STRANGER)
    await bot.platform.press(merge, person=MEMBER)
    await bot.quiet()

    assert bot.forge.pulls[0].state == "open"
    assert bot.platform.posts[-1].text == "Only an admin may do that here; you are a developer."


async def test_an_admin_learns_nothing_of_the_machines_folders(bot: WholeBot) -> None:
    """Neither whether a path is a repository, nor whether it is there at all."""
    answers = {
        (await bot.ask(f"/create_project P{number} Name {path}", person=ADMIN)).text
        for number, path in enumerate(("/repos/there", "/nowhere", "~/code", "./here", "../up", "~root"))
    }

    assert answers == {"Only an owner may take a repository from the bot's own disk. Name it as `owner/repo`."}


async def test_a_name_forges_no_trailer_no_mention_and_no_comment(bot: WholeBot) -> None:
    name = "@root\n\nSigned-off-by: Boss <!-- patchbay:run:1"
    bot.workspaces.changes = {"a.py": "1"}
    await bot.linked()

    await bot.ask("Mend <!-- it", person=replace(bot.platform.owner, name=name))

    body, message = bot.forge.drafts[0].body, bot.workspaces.messages[0]
    assert "<!--" not in body
    assert "Asked by @\u2060root Signed-off-by: Boss" in body
    assert message.description.splitlines() == [message.description]
    assert message.description.startswith("Asked by @\u2060root Signed-off-by: Boss")


async def test_the_name_of_a_file_stays_in_its_span(bot: WholeBot) -> None:
    bot.workspaces.changes = {"a`[click](http://evil.example)`\n# b.py": "1"}
    await bot.linked()

    held = await bot.ask("Mend it")
    await bot.platform.press("Publish all")
    await bot.quiet()

    name = "- `a'[click](http://evil.example)' # b.py`"
    assert f"{name}: a n" in held.text
    assert f"{name} +1 -0" in bot.platform.posts[-1].text


async def test_a_plan_without_end_is_cut(bot: WholeBot) -> None:
    async def play(_turn: TurnAsk, note: Note) -> TurnResult:
        note(PlanShown(tuple((f"entry {number}", False) for number in range(5_000))))
        await bot.posts.until_quiet()
        return TurnResult("planned")

    bot.agent.script = [play]
    await bot.linked()
    await bot.ask("Plan it")

    anchor = next(each for each in bot.platform.posts if each.key.startswith("anchor:"))
    assert max(text.text.count("☐") for text in anchor.history) == 20


async def test_a_secret_goes_neither_into_a_button_nor_a_commit_nor_a_pull_request(tmp_path: Path) -> None:
    secret = uuid4().hex

    def redact(text: str) -> str:
        return text.replace(secret, "[redacted]")

    async with whole_bot(tmp_path) as bot:
        bot.posts._redact = redact
        object.__setattr__(bot.steps, "redact", redact)
        bot.agent.script = [
            TurnResult("which?", end=TurnEnd.ASKED, question="Which?", options=(f"use {secret}",)),
            TurnResult("done", subject=f"Put {secret} in"),
        ]
        await bot.linked()
        asked = await bot.ask(f"Mend {secret}")
        bot.workspaces.changes = {"a.py": "1"}
        await bot.platform.press(asked.buttons[0])
        await bot.quiet()

        draft, message = bot.forge.drafts[0], bot.workspaces.messages[0]
        assert asked.labels == ["use [redacted]"]
        assert message.subject == "Put [redacted] in"
        assert secret not in f"{draft.title} {draft.body} {message.description}"
        assert bot.agent.turns[1].prompt == f"use {secret}"


async def test_an_answer_without_end_floods_no_chat(bot: WholeBot) -> None:
    bot.agent.script = [TurnResult("word " * 200_000)]
    await bot.linked()

    await bot.ask("Say it")

    brief, whole = bot.platform.posts[-2:]
    assert len(brief.text) < 2_000
    assert whole.file is not None
    assert len(whole.file.text) == 999_999
