"""No hostile address makes a process start or a connection, whichever way it comes in; a naive clone shows why."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from adapters import spawn as spawning
from adapters import system
from adapters.forges import GithubConfig
from adapters.forges.github import Github
from adapters.forges.local import Local
from core.model.errors import BotError
from core.model.work import Project, ProjectKey, RepoRef
from tests import repositories
from tests.adapters.git_states.bait import Bait, Listener
from tests.adapters.hostile_urls import ADDRESSES, BROKEN, LEAST, Address
from tests.fakes.pulls import MemoryPulls
from tests.whole import WholeBot

SECONDS = 5
"""One that waits for an answer has done by then what it does."""


@pytest.fixture
def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    _refuse_processes(monkeypatch)


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as made:
        yield made


def bait_at(folder: Path, port: int) -> tuple[Bait, Path]:
    """`private`: a repository that the bot may read, and that is nobody else's business."""
    folder.mkdir(exist_ok=True)
    private = repositories.make_repository(folder / "private", {"private.txt": "mine\n"})
    return Bait(folder / "bait", port, ""), private


def filled(address: Address, bait: Bait, private: Path) -> str:
    return (
        address.text.replace("{private}", str(private))
        .replace("{trap}", str(bait.trap))
        .replace("{port}", str(bait.port))
    )


@pytest.mark.parametrize("name", ADDRESSES)
async def test_through_the_front_door(
    bot: WholeBot, name: str, tmp_path: Path, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    bait, private = bait_at(tmp_path / "data", listener.port)
    github = Github(GithubConfig(token=SecretStr(uuid4().hex), api_base=f"http://127.0.0.1:{listener.port}"))
    local = Local(tmp_path / "data", MemoryPulls())
    monkeypatch.setattr(bot.desk.projects, "_forges", {"github": github, "local": local})
    _refuse_processes(monkeypatch)
    refused = 0
    for address in ADDRESSES[name]:
        words = filled(address, bait, private)
        told = (await bot.ask(f"/create_project EVIL Evil {words}")).text
        assert not listener.calls, words
        assert await bot.store.project(ProjectKey("EVIL")) is None, (words, told)
        refused += 1
    sys.stdout.write(f"{name}: {refused} of {len(ADDRESSES[name])} refused\n")
    await github.close()


@pytest.mark.parametrize("name", ADDRESSES)
async def test_through_the_forges(tmp_path: Path, name: str, listener: Listener, no_process: None) -> None:
    github = Github(GithubConfig(token=SecretStr(uuid4().hex), api_base=f"http://127.0.0.1:{listener.port}"))
    for address in ADDRESSES[name]:
        words = address.text.replace("{port}", str(listener.port)).replace("{private}", "/etc").replace("{trap}", "/x")
        for text in (words, f" {words}", f"{words} "):
            assert _parsed(github, text) is None, text
        with pytest.raises(BotError):
            await github.ensure(Project(ProjectKey("EVIL"), "Evil", RepoRef("github", words)))
        with pytest.raises(BotError):
            github.remote(Project(ProjectKey("EVIL"), "Evil", RepoRef("github", words)))
    await github.close()
    assert not listener.calls


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_in_pieces(tmp_path: Path, text: str, no_process: None) -> None:
    assert _parsed(Github(GithubConfig(token=SecretStr("x"))), text) is None
    assert _parsed(Local(tmp_path, MemoryPulls()), text) is None


def _parsed(forge: Github | Local, text: str) -> RepoRef | None:
    try:
        return forge.parse(text)
    except BotError:
        return None


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_naive_clone_comes_to_harm(tmp_path: Path, name: str) -> None:
    assert len(ADDRESSES[name]) >= LEAST[name]
    wrong, harmful = list[str](), 0
    for number, address in enumerate(ADDRESSES[name]):
        with Listener() as listener:
            folder = tmp_path / str(number)
            bait, private = bait_at(folder, listener.port)
            harm = _naive(filled(address, bait, private), folder / "copy", bait, listener)
        harmful += harm
        wrong += [] if harm is not bool(address.spared) else [f"{address.text}: {'harmful' if harm else 'unharmed'}"]
    sys.stdout.write(f"{name}: {harmful} of {len(ADDRESSES[name])} harm a naive clone\n")

    assert wrong == []


def _naive(url: str, copy: Path, bait: Bait, listener: Listener) -> bool:
    """It has run a program, called somebody, or read a repository of the machine."""
    for words in (["clone", url, str(copy)], ["ls-remote", url, "HEAD"]):
        with suppress(subprocess.TimeoutExpired):
            subprocess.run(
                ["git", *words],
                check=False,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=SECONDS,
                cwd=bait.folder,
                env={**repositories.ENVIRONMENT, "GIT_TERMINAL_PROMPT": "0", "GIT_SSH_COMMAND": "false"},
            )
    return bait.mark.exists() or listener.calls > 0 or (copy / "private.txt").exists()


def _refuse_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*words: object, **_: object) -> object:
        raise AssertionError(f"a process was started: {words}")

    for place, attribute in (
        (subprocess, "Popen"),
        (asyncio, "create_subprocess_exec"),
        (spawning, "spawn"),
        (system, "spawn"),
    ):
        monkeypatch.setattr(place, attribute, refuse)
