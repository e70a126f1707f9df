"""What is wrong ends in a clear post, and the next message is answered."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.end_to_end.stage import ADA, REPO, Stage, stage
from tests.end_to_end.test_talk import link, post
from tests.fakes.github import Repo
from tests.fakes.llm import Fault, Reply, Scripted, Status, ToolUse, Use, Words


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(tmp_path) as made:
        yield made


async def asked(scene: Stage, text: str, *words: str) -> str:
    """What is said to this; it holds these words."""
    before = len(scene.telegram.posts)
    scene.telegram.say(ADA, text)
    return (await post(scene, *words, after=before)).text


async def still_works(scene: Stage) -> None:
    scene.llm.script([Words("All is well again.")])
    scene.llm.always = None
    assert "✅" in await asked(scene, "Say that all is well", "All is well again.")
    assert "Nothing is running" in await asked(scene, "/status", "running")


async def test_keys_agents_and_recipes_that_are_not_there(scene: Stage) -> None:
    scene.agents["tidy"] = {"type": "command", "steps": [["no-such-program-here", "{words}"]]}
    async with scene.bot("telegram"):
        await link(scene)
        await asked(scene, "/create_task DEMO Something", "DEMO-1")
        assert "no project `NOPE`" in (await asked(scene, "/link NOPE", "NOPE")).replace("NOPE", "`NOPE`")
        await asked(scene, "/execute NOPE-1", "no project", "NOPE")
        await asked(scene, "/execute DEMO-99", "no task", "DEMO-99")
        await asked(scene, "/execute DEMO-1 clade", "no agent", "claude")
        await asked(scene, "/execute DEMO-1 tidy", "no-such-program-here")
        await asked(scene, "/exekute DEMO-1", "/execute")
        await asked(scene, "/agents", "tidy", "not usable")
        await still_works(scene)


async def test_repositories_that_are_not_there_or_not_ours(scene: Stage) -> None:
    scene.github.repos["acme/closed"] = Repo(can_push=False)
    scene.github.repos["acme/readable"] = Repo()
    async with scene.bot("telegram"):
        await asked(scene, "/create_project GONE Gone acme/gone", "acme/gone", "Check the name")
        await asked(scene, "/create_project SHUT Shut acme/closed", "acme/closed", "write")
        await asked(scene, "/create_project EVIL Evil https://evil.example/a/b", "repository")
        await asked(scene, "/projects", "no project")
        await link(scene)
        scene.git.read_only.add(REPO)
        scene.llm.script([Use("edit", path="a.txt", old="", new="a"), Words("Written.")])
        refused = await asked(scene, "Write a.txt", "Written.")
        assert refused.startswith("❌")
        assert "push" in refused.lower() or "permission" in refused.lower()
        scene.git.read_only.clear()
        await still_works(scene)


MODEL_TROUBLE: Sequence[tuple[str, Sequence[Scripted], str]] = [
    ("a key that is refused", [Status(401, "invalid x-api-key")], "key"),
    (
        "something wrong each time",
        [Status(529, "overloaded"), Fault.TRUNCATED, Fault.MALFORMED, Fault.DISCONNECT, Status(500), Fault.TRUNCATED],
        "could not be reached or did not answer properly",
    ),
]


@pytest.mark.parametrize(("name", "script", "told"), MODEL_TROUBLE, ids=[each[0] for each in MODEL_TROUBLE])
async def test_a_model_that_fails_is_told(name: str, script: Sequence[Scripted], told: str, scene: Stage) -> None:
    scene.llm.script(script)
    async with scene.bot("telegram"):
        await link(scene)
        end = await asked(scene, "Do something", "❌")
        assert told in end
        await still_works(scene)


@pytest.mark.parametrize("fault", [Status(529, "overloaded"), Fault.TRUNCATED, Fault.MALFORMED, Fault.DISCONNECT])
async def test_a_model_that_fails_once_is_asked_again(fault: Scripted, scene: Stage) -> None:
    scene.llm.script([fault, Use("edit", path="a.txt", old="", new="a"), fault, Words("Written.")])
    async with scene.bot("telegram"):
        await link(scene)
        assert (await asked(scene, "Write a.txt", "Written.")).startswith("✅")

    assert len(scene.repo.pulls) == 1


async def test_an_agent_that_never_ends_is_ended(scene: Stage) -> None:
    short = {"type": "anthropic", "model": "scripted", "api_key": "x", "base_url": scene.llm.anthropic_base}
    scene.agents = {"brief": {**short, "max_steps": 5}, "quick": {**short, "seconds": 3}}
    scene.llm.always = Reply("", (ToolUse("bash", {"command": "true"}),))
    async with scene.bot("telegram"):
        await link(scene)
        await asked(scene, "/create_task DEMO Something", "DEMO-1")
        assert "5 steps" in await asked(scene, "/execute DEMO-1 brief", "❌")
        scene.llm.always = Use("bash", command="sleep 100")
        assert "3 s" in await asked(scene, "/execute DEMO-1 quick", "❌")
        await still_works(scene)


async def test_a_disk_that_is_full_is_told(scene: Stage) -> None:
    bot = scene.bot("telegram")
    with small_disk(bot.data / "workspaces") as grow:
        scene.llm.script(
            [
                Use("bash", command="yes some words | head -c 9000000 > big.txt"),
                Use("edit", path="a.txt", old="", new="a" * 5000),
                lambda asked: Words("No room." if "No space" in str(asked.body) else "There was room?"),
            ]
        )
        async with bot:
            await link(scene)
            told = await asked(scene, "Fill it", "No room.")
            assert told.startswith("❌")
            assert "disk" in told
            await asked(scene, "And now?", "❌", "disk")
            grow()
            scene.telegram.press(ADA, scene.telegram.button(ADA, "Publish again"))
            await post(scene, "2 files changed")
            scene.telegram.press(ADA, scene.telegram.button(ADA, "Open pull request"))
            await post(scene, "#1", "open")
            await still_works(scene)


@contextmanager
def small_disk(folder: Path) -> Iterator[Callable[[], object]]:
    """A file system of 3 MB, and how to make it larger; root alone can."""
    folder.mkdir(parents=True)
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder)], check=False, capture_output=True, timeout=20
    )
    if made.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {made.stderr.decode().strip()}")
    try:
        yield lambda: subprocess.run(["mount", "-o", "remount,size=90m", str(folder)], check=True, timeout=20)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, timeout=20)
