"""/diff, /pr, /merge, as people say and press them."""

from __future__ import annotations

from dataclasses import replace

from core.model.errors import ForgeError
from core.model.events import TurnAsk, TurnResult
from core.model.work import ProjectKey, PullState, RunState, TaskState, WorkId
from core.ports import Note
from tests.fakes.agent import for_ever
from tests.whole import MEMBER, WholeBot


async def work_on(bot: WholeBot, text: str, *files: str, root: str = "") -> None:
    bot.workspaces.changes = dict.fromkeys(files, "1")
    await bot.ask(text, thread=replace(bot.platform.thread, root=root))


async def test_nothing_has_been_worked_on(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("/create_task DEMO Login")

    for word in ("diff", "pr", "merge"):
        assert "Nothing has been worked on here yet." in (await bot.ask(f"/{word}")).text
    assert "Nobody has worked on DEMO-1 yet. `/execute DEMO-1` begins." in (await bot.ask("/diff DEMO-1")).text
    assert "DEMO has no task `DEMO-9`." in (await bot.ask("/pr DEMO-9")).text
    assert "I know no run `abcdef`." in (await bot.ask("/pr abcdef")).text


async def test_diff_of_what_was_published(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("/create_task DEMO Login")
    await work_on(bot, "/execute DEMO-1", "a.py")
    run = await bot.only_run()

    for said in ("/diff", "/diff DEMO-1", f"/diff {run.id[:8]}", f"/diff {run.work}"):
        assert (await bot.ask(said)).text == "`task/DEMO-1`\n\n```diff\n+++ b/a.py\n+1\n```"


async def test_diff_of_nothing(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("Look at it")

    assert "changes nothing against its base." in (await bot.ask("/diff")).text


async def test_diff_of_a_run_at_work_is_what_its_checkout_holds(bot: WholeBot) -> None:
    bot.agent.script = [for_ever]
    await bot.linked()
    await bot.said("Mend it")
    await bot.agent.began.wait()
    bot.workspaces.changes = {"half.py": "1"}

    await bot.said("/diff")

    assert "half.py" in (await bot.platform.shown("```diff")).text


async def test_a_diff_of_fences_stands_in_a_longer_fence(bot: WholeBot) -> None:
    await bot.linked()
    await work_on(bot, "Mend it", "a.md")
    branch = next(iter(bot.workspaces.branches.values()))
    branch["a.md"] = "````\n" + "\n".join(f"line {number}" for number in range(300))

    shown = (await bot.ask("/diff")).text

    assert "\n`````diff\n" in shown
    assert shown.endswith("line 299\n`````")


async def test_a_long_diff_is_a_file_named_after_its_task(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("/create_task DEMO Mend it")
    bot.workspaces.changes = {"a.py": "1"}
    await bot.ask("/execute DEMO-1")
    branch = next(iter(bot.workspaces.branches.values()))
    branch["a.py"] = "\n".join(f"line {number}" for number in range(9000))

    await bot.ask("/diff DEMO-1")

    brief, whole = bot.platform.posts[-2:]
    assert brief.text.startswith("`task/DEMO-1`\n\n```diff\n")
    assert brief.text.count("```") == 2
    assert "*The whole diff (" in brief.text
    assert whole.file is not None
    assert whole.file.name == "DEMO-1.diff"
    assert whole.file.text.rstrip().endswith("line 8999")


async def test_diff_by_the_button_of_an_old_run(bot: WholeBot) -> None:
    await bot.linked()
    await work_on(bot, "One", "one.py")
    old = bot.platform.posts[-1].buttons[0]
    await bot.ask("/new")
    await work_on(bot, "Two", "two.py")

    await bot.platform.press(old)
    await bot.quiet()

    assert "one.py" in bot.platform.posts[-1].text
    assert "two.py" not in bot.platform.posts[-1].text


async def test_at_the_top_of_a_chat_with_several_works_one_chooses(bot: WholeBot) -> None:
    await bot.linked()
    await work_on(bot, "One", "one.py", root="a")
    assert "one.py" in (await bot.ask("/diff")).text
    await work_on(bot, "Two", "two.py", root="b")

    choose = await bot.ask("/diff")
    assert (choose.text, choose.labels) == ("Which one?", ["Two · COMPLETED", "One · COMPLETED"])
    await bot.platform.press("One · COMPLETED")
    await bot.quiet()
    assert "one.py" in bot.platform.posts[-1].text

    elsewhere = await bot.ask("/diff", thread=replace(bot.platform.thread, root="c"))
    assert "Nothing has been worked on here yet." in elsewhere.text


async def test_pr_shows_what_became_of_it(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("/create_task DEMO Login")
    await work_on(bot, "/execute DEMO-1", "a.py")

    shown = await bot.ask("/pr")
    assert shown.text == "[#1 DEMO-1: Login](https://forge.example/DEMO/pull/1) · open"
    assert shown.labels == ["Show diff", "Merge"]
    bot.forge.put_state(1, PullState.CLOSED)
    closed = await bot.ask("/pr")

    assert closed.text.endswith("· closed")
    assert closed.labels == []
    assert (await bot.store.tasks(ProjectKey("DEMO")))[0].state is TaskState.IN_REVIEW
    assert (await bot.ask("/pr DEMO-1")).text.endswith("· closed")


async def test_pr_opens_the_one_that_could_not_be_opened(bot: WholeBot) -> None:
    await bot.linked()
    bot.workspaces.changes = {"a.py": "1"}

    async def while_it_goes_down(turn: TurnAsk, note: Note) -> TurnResult:
        bot.forge.fault = ForgeError("GitHub is down.")
        return TurnResult("done")

    bot.agent.script = [while_it_goes_down]
    failed = await bot.ask("Mend it")
    assert "GitHub is down." in failed.text
    assert "is kept on `patchbay/" in failed.text
    assert failed.labels == ["Show diff", "Open pull request"]
    bot.forge.fault = None

    await bot.platform.press("Open pull request")
    await bot.quiet()

    assert "[#1 Mend it](https://forge.example/DEMO/pull/1) · open" in bot.platform.posts[-1].text
    assert bot.forge.drafts[0].marker == (await bot.only_run()).id


async def test_pr_without_changes(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("Look at it")

    assert "changes nothing, so there is nothing for a pull request." in (await bot.ask("/pr")).text


async def test_pr_of_work_without_a_run(bot: WholeBot) -> None:
    async def none(_work: WorkId) -> None:
        return None

    await bot.linked()
    await bot.ask("Look at it")
    bot.store.last_run = none  # type: ignore[method-assign, assignment]

    assert (await bot.ask("/pr")).text == "Nothing has been run on that yet."


async def test_pr_and_merge_while_it_works(bot: WholeBot) -> None:
    await bot.linked()
    bot.agent.script = [for_ever]
    await bot.said("Mend it")
    await bot.agent.began.wait()
    await bot.said("/pr")
    await bot.platform.shown("“Mend it” is still RUNNING; its pull request comes at the end.")
    bot.workspaces.changes = {"a.py": "1"}
    await bot.ask("/cancel")
    await bot.ask("/pr")
    bot.agent.script = [for_ever]
    bot.agent.began.clear()
    await bot.said("Go on")
    await bot.agent.began.wait()

    await bot.said("/merge")

    await bot.platform.shown("“Go on” is still RUNNING; merge when it is over, or stop it first.")


async def test_merge_ends_the_work_and_its_task(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("/create_task DEMO Login")
    await work_on(bot, "/execute DEMO-1", "a.py")

    await bot.platform.press("Merge", person=MEMBER)
    await bot.quiet()
    assert bot.platform.posts[-1].text == "Only an admin may do that here; you are a developer."
    await bot.platform.press("Merge")
    await bot.quiet()

    assert "is merged into `main` by Olga." in bot.platform.posts[-1].text
    assert (await bot.store.tasks(ProjectKey("DEMO")))[0].state is TaskState.DONE
    await work_on(bot, "And now?", "b.py")
    assert len(bot.workspaces.branches) == 2


async def test_merge_of_what_has_no_pull_request(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("Look at it")
    run = await bot.only_run()
    assert run.state is RunState.COMPLETED

    assert "That has no pull request yet; /pr opens one." in (await bot.ask("/merge")).text
    assert "no pull request yet" in (await bot.ask(f"/merge {run.id}")).text
