"""The git server of the tests: who brings the header clones and pushes, who does not is refused."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from adapters.forges import GithubConfig
from adapters.forges.github import Github
from adapters.system import Ended, run
from core.model.work import Project, ProjectKey, RepoRef
from core.ports import Remote
from tests.fakes.git_http import GitHttp


async def git(*argv: str, remote: Remote | None = None) -> Ended:
    environment = {
        "PATH": os.environ["PATH"],
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        **{f"GIT_{who}_{what}": "ann@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    if remote is not None:
        environment |= {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"http.{remote.url}.extraHeader",
            "GIT_CONFIG_VALUE_0": f"Authorization: {remote.authorization}",
        }
    return await run(["git", *argv], environment=environment, seconds=30)


@pytest.mark.parametrize("size", [10, 3_000_000], ids=["small", "large enough to come in chunks"])
async def test_who_brings_the_header_clones_and_pushes(tmp_path: Path, size: int) -> None:
    token = f"ghp_{uuid4().hex}"
    async with GitHttp(tmp_path / "served", token) as server:
        bare = await server.create("acme/shop")
        forge = Github(GithubConfig(token=SecretStr(token), git_base=server.base))
        remote = forge.remote(Project(ProjectKey("DEMO"), "Demo", RepoRef("github", "acme/shop")))
        copy = tmp_path / "copy"
        cloned = await git("clone", "-q", remote.url, str(copy), remote=remote)
        assert cloned.code == 0, cloned.error
        (copy / "tidy.bin").write_bytes(os.urandom(size))
        await git("-C", str(copy), "add", "tidy.bin")
        await git("-C", str(copy), "commit", "-qm", "Tidy")
        pushed = await git("-C", str(copy), "push", "-q", remote.url, "HEAD:refs/heads/task/DEMO-1", remote=remote)

        assert pushed.code == 0, pushed.error
        head = await git("-C", str(copy), "rev-parse", "HEAD")
        assert (await git("-C", str(bare), "rev-parse", "refs/heads/task/DEMO-1")).text == head.text
        assert "POST /acme/shop.git/git-receive-pack" in server.served
        await forge.close()


async def test_who_brings_another_token_or_none_is_refused(tmp_path: Path) -> None:
    async with GitHttp(tmp_path / "served", uuid4().hex) as server:
        await server.create("acme/shop")
        url = f"{server.base}/acme/shop.git"
        for remote in (None, Remote(url, "Basic d3Jvbmc6d3Jvbmc=")):
            assert (await git("ls-remote", url, remote=remote)).code != 0

        assert server.refused >= 2
        assert server.served == []
