"""Public leaks of tokens by what is said of an error, beside what a library says where nobody looks after it."""

from __future__ import annotations

import asyncio
import logging
import socket
import subprocess
import traceback
from collections.abc import Coroutine
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
import structlog
from pydantic import SecretStr

from adapters.chat.telegram.config import TelegramConfig
from adapters.chat.telegram.platform import Telegram
from adapters.forges import GithubConfig
from adapters.forges.github import Github
from adapters.git.faults import GitError
from adapters.git.process import Git
from core.model.chat import Post, PostKey, ThreadRef
from core.model.errors import ChatError
from core.model.work import Project, ProjectKey, RepoRef


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def whole(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)) + str(error) + repr(error)


@pytest.mark.parametrize("case", ["cve_2026_27003", "ghsa_xwcj_hwhf_h378"])
async def test_cve_2026_27003_and_ghsa_xwcj_hwhf_h378_a_bots_token_in_errors_and_logs(
    case: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The Bot API has the token in the address, and libraries like to say which address failed."""
    token, base = f"77:{uuid4().hex}", f"http://127.0.0.1:{free_port()}"
    caplog.set_level(logging.DEBUG)
    platform = Telegram(TelegramConfig(token=SecretStr(token), api_base=base), ())
    with structlog.testing.capture_logs() as logged:
        post = platform.post(ThreadRef("telegram", "77", "1"), Post("x"), PostKey("k"))
        call: Coroutine[Any, Any, object] = platform.connect() if case == "cve_2026_27003" else post
        with pytest.raises(ChatError) as caught:
            await call
        post.close()
        await platform.close()

    assert token not in whole(caught.value) + repr(logged) + caplog.text
    assert token not in repr(platform._config)


async def test_cve_2026_27003_what_a_library_says_by_itself() -> None:
    """The guard off: aiohttp names the address of an answer that is none, and so the token."""
    token = f"77:{uuid4().hex}"

    async def hang_up(request: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.Response(status=502)

    app = aiohttp.web.Application()
    app.router.add_get("/{any:.*}", hang_up)
    runner = aiohttp.web.AppRunner(app)
    await runner.setup()
    site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientResponseError) as caught:
            await session.get(f"http://{host}:{port}/bot{token}/getMe", raise_for_status=True)
    await runner.cleanup()

    assert token in str(caught.value)


async def test_cve_2024_52009_credentials_of_git_in_errors_and_logs(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    token, base = f"ghp_{uuid4().hex}", f"http://127.0.0.1:{free_port()}"
    caplog.set_level(logging.DEBUG)
    forge = Github(GithubConfig(token=SecretStr(token), git_base=base))
    remote = forge.remote(Project(ProjectKey("DEMO"), "Demo", RepoRef("github", "acme/shop")))
    with structlog.testing.capture_logs() as logged, pytest.raises(GitError) as caught:
        await Git(tmp_path).run("ls-remote", remote.url, remote=remote)
    await forge.close()

    header = remote.authorization.split()[-1]
    for secret in (token, header):
        assert secret not in whole(caught.value) + repr(logged) + caplog.text
        assert secret not in remote.url

    naive = ["git", "ls-remote", base.replace("://", f"://x:{token}@")]
    with pytest.raises(subprocess.CalledProcessError) as told:
        await asyncio.to_thread(subprocess.run, naive, check=True, capture_output=True)
    assert token in str(told.value), "with the token in the address, an error tells it"
