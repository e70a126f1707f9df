"""/start, /help, /agents, /projects, /create_project, /link, /unlink, /tasks, /create_task, as people say them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.model.chat import Cause, ThreadRef
from core.model.errors import ForgeError
from core.model.events import Readiness
from core.model.work import Project, ProjectKey, RepoRef, TaskKey, TaskState
from tests.fakes.agent import FakeAgent
from tests.whole import ADMIN, WholeBot, whole_bot

DEMO = ProjectKey("DEMO")


@pytest.fixture
async def two_agents(tmp_path: Path) -> AsyncIterator[WholeBot]:
    async with whole_bot(tmp_path, agents=[FakeAgent("codex")]) as bot:
        yield bot


def inside(bot: WholeBot, root: str = "t1") -> ThreadRef:
    return replace(bot.platform.thread, root=root)


# ------------------------------------------------------------------------------------ start, help, agents


async def test_start_says_how_to_begin(bot: WholeBot) -> None:
    hello = await bot.ask("/start")
    assert "I am **Patchbay**" in hello.text
    assert "There is no project yet. Make one" in hello.text
    await bot.linked()

    again = await bot.ask("/start")

    assert "This chat is linked to **DEMO** Demo Project." in again.text


async def test_start_offers_the_projects_there_are(bot: WholeBot) -> None:
    await bot.linked()
    await bot.ask("/unlink")

    hello = await bot.ask("/start")
    assert hello.labels == ["DEMO Demo Project"]
    await bot.platform.press("DEMO Demo Project")
    await bot.quiet()

    assert "This chat is linked to **DEMO**" in bot.platform.posts[-1].text


async def test_help_lists_what_is_not_hidden(bot: WholeBot) -> None:
    listed = await bot.ask("/help")

    assert "`/execute <TASK-KEY> [agent]` Have a task done by an agent" in listed.text
    assert "/resume" not in listed.text
    assert listed.labels == ["Projects", "Agents", "Settings"]
    assert "Put a task on the board." in (await bot.ask("/help create_task")).text
    assert "Did you mean `/status`?" in (await bot.ask("/help statsu")).text
    assert (await bot.ask("/help wxyz")).text == "There is no command `/wxyz`."


async def test_agents_says_what_each_lacks(two_agents: WholeBot) -> None:
    bot = two_agents
    bot.agent.readiness = Readiness("a script", is_usable=False, missing="its key; set `agents.scripted.key`")

    listed = await bot.ask("/agents")
    assert "- ✗ `scripted` a script — not usable: its key; set `agents.scripted.key`" in listed.text
    assert "- ✓ `codex` a script · *used here*" in listed.text
    await bot.linked()
    await bot.ask("/link DEMO scripted")

    assert "set `agents.scripted.key` · *used here*" in (await bot.ask("/agents")).text


async def test_agents_without_any(bot: WholeBot) -> None:
    bot.agent.readiness = Readiness("a script", is_usable=False, missing="all")
    assert "used here" not in (await bot.ask("/agents")).text
    bot.agents.clear()

    assert "No agent is configured." in (await bot.ask("/agents")).text


# ----------------------------------------------------------------------------------------------- projects


async def test_projects_are_listed_with_where_they_live(bot: WholeBot) -> None:
    assert "There is no project yet." in (await bot.ask("/projects")).text
    await bot.linked()
    await bot.ask("/create_project SHOP The Shop acme/shop")

    listed = await bot.ask("/projects")

    assert "- **DEMO** Demo Project · a local repository of its own" in listed.text
    assert "- **SHOP** The Shop · `acme/shop` (local)" in listed.text
    assert listed.labels == ["Link DEMO", "Link SHOP"]


async def test_a_project_that_exists_is_shown_and_linked(bot: WholeBot) -> None:
    made = await bot.ask("/create_project demo Demo Project")
    assert "**DEMO** Demo Project is ready: a local repository of its own. This chat is linked to it." in made.text

    again = await bot.ask("/create_project DEMO Another Name", person=ADMIN)

    assert "**DEMO** Demo Project exists already" in again.text
    assert len(await bot.store.projects()) == 1


def with_a_hub(bot: WholeBot) -> None:
    """Repositories that are named live elsewhere, those of the bot's own on its disk."""
    forges = bot.desk.forges
    assert isinstance(forges, dict)
    bot.forge.name = "hub"
    forges["hub"] = bot.forge


async def test_a_repository_can_be_set_later(bot: WholeBot) -> None:
    with_a_hub(bot)
    await bot.linked()

    refused = await bot.ask("/create_project DEMO Demo acme/demo", person=ADMIN)
    assert "DEMO exists and lives at `a new local repository`. Choose another key" in refused.text
    moved = await bot.ask("/create_project DEMO acme/demo")
    assert "exists already: `acme/demo` (hub)" in moved.text
    again = await bot.ask("/create_project DEMO Demo acme/demo", person=ADMIN)
    assert "exists already" in again.text

    assert "Choose another key" in (await bot.ask("/create_project DEMO Demo acme/other")).text


async def test_only_an_owner_takes_a_repository_from_the_disk(bot: WholeBot) -> None:
    refused = await bot.ask("/create_project DEMO Demo /repos/demo", person=ADMIN)
    assert "Only an owner may take a repository from the bot's own disk." in refused.text

    taken = await bot.ask("/create_project DEMO Demo repos/demo", person=ADMIN)
    assert "Only an owner may take a repository from the bot's own disk." in taken.text

    assert "`/repos/demo` (local)" in (await bot.ask("/create_project DEMO Demo /repos/demo")).text


@pytest.mark.parametrize("word", ["https://elsewhere.example/a/b", "git@elsewhere.example:a", "~/code/demo"])
async def test_an_address_that_no_forge_takes_is_refused(bot: WholeBot, word: str) -> None:
    refused = await bot.ask(f"/create_project DEMO Demo {word}")

    assert f"`{word}` looks like a repository, but none of the forges here (`local`) takes it." in refused.text
    assert await bot.store.projects() == []


async def test_a_forge_that_refuses_is_told(bot: WholeBot) -> None:
    bot.forge.fault = ForgeError("There is no repository `acme/nothing`, or the token may not see it.")

    refused = await bot.ask("/create_project DEMO Demo acme/nothing")

    assert refused.text == "There is no repository `acme/nothing`, or the token may not see it."
    assert await bot.store.projects() == []


async def test_a_forge_that_is_no_longer_configured(bot: WholeBot) -> None:
    await bot.store.add_project(Project(DEMO, "Demo", RepoRef("gitea", "acme/demo"), "main"), Cause("c"))
    await bot.ask("/link DEMO")

    told = await bot.ask("Mend it")

    assert "DEMO lives on `gitea`, which is not configured." in told.text
    assert "Add the section `gitea`" in told.text
    assert "Choose another key" in (await bot.ask("/create_project DEMO Demo acme/other")).text


async def test_the_desk_names_a_forge_that_is_not_there(bot: WholeBot) -> None:
    with pytest.raises(ForgeError, match="no forge `gitea`"):
        await bot.desk.projects.create(
            DEMO, "Demo", RepoRef("gitea", "a/b"), Cause("c"), bot.platform.thread, may_change=True
        )


# --------------------------------------------------------------------------------------------------- links


async def test_a_thread_has_a_link_of_its_own(two_agents: WholeBot) -> None:
    bot = two_agents
    await bot.linked()
    await bot.ask("/create_project SHOP Shop")
    await bot.ask("/link DEMO")

    linked = await bot.ask("/link shop codex", thread=inside(bot))
    assert "This thread is linked to **SHOP** Shop; I use the agent `codex`." in linked.text
    assert linked.labels == ["Tasks", "Agents"]
    assert "**SHOP**" in (await bot.ask("/tasks", thread=inside(bot))).text
    assert "**DEMO**" in (await bot.ask("/tasks", thread=inside(bot, "t2"))).text

    assert (await bot.ask("/unlink", thread=inside(bot))).text == "This thread is no longer linked to a project."
    still = await bot.ask("/unlink", thread=inside(bot))
    assert "This thread has no link of its own; the chat is linked to **DEMO**." in still.text
    assert (await bot.ask("/unlink")).text == "This chat is no longer linked to a project."
    assert (await bot.ask("/unlink")).text == "This chat is not linked to a project."


async def test_a_link_to_what_is_not_there(bot: WholeBot) -> None:
    await bot.linked()

    assert "There is no project `DEMOS`. Did you mean `DEMO`?" in (await bot.ask("/link DEMOS")).text
    assert "There is no project `WXYZ`. /projects lists them." in (await bot.ask("/link WXYZ")).text
    wrong = await bot.ask("/link DEMO scriptde")
    assert "There is no agent `scriptde`. Did you mean `scripted`? /agents lists them." in wrong.text


async def test_a_chat_that_is_not_linked_says_how(bot: WholeBot) -> None:
    asked = await bot.ask("Mend it")
    assert "I don't know yet which code this chat is about. There is no project yet." in asked.text
    await bot.linked()
    await bot.ask("/unlink")

    asked = await bot.ask("/tasks")

    assert "This chat is not linked to a project yet. Choose one" in asked.text
    assert asked.labels == ["DEMO Demo Project"]


# --------------------------------------------------------------------------------------------------- tasks


async def test_the_board(bot: WholeBot) -> None:
    await bot.linked()
    assert "**DEMO** has no task yet." in (await bot.ask("/tasks DEMO")).text
    made = await bot.ask("/create_task DEMO Implement login")
    assert "**DEMO-1** Implement login\n\n*To Do* · `/execute DEMO-1` has it done." in made.text
    assert made.labels == ["▶ Execute DEMO-1"]
    for title in ("Two", "Three", "Four", "Five"):
        await bot.ask(f"/create_task DEMO {title}")
    await bot.store.put_task_state(TaskKey("DEMO-2"), TaskState.IN_PROGRESS)

    board = await bot.ask("/tasks")

    assert "*In Progress*\n\n- `DEMO-2` Two\n\n*To Do*\n\n- `DEMO-1` Implement login" in board.text
    assert board.labels == ["▶ DEMO-1", "▶ DEMO-3", "▶ DEMO-4"]


async def test_a_board_that_is_long_says_how_much_more(bot: WholeBot) -> None:
    await bot.linked()
    for number in range(32):
        await bot.store.add_task(DEMO, f"Task {number}", bot.platform.owner, bot.clock.now(), Cause(f"t{number}"))

    board = await bot.ask("/tasks")

    assert "- … 2 more" in board.text


async def test_a_task_for_a_project_that_is_not_there(bot: WholeBot) -> None:
    assert "There is no project `DEMO`" in (await bot.ask("/create_task DEMO Login")).text
