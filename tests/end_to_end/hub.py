"""GitHub as the bot sees it: `emulate` for its REST API, and git over HTTP with a token beside it.

`emulate` speaks no git, so each branch that is pushed is made known to it over its own API.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import aiohttp
import pytest

from tests.fakes.git_http import GitHttp
from tests.fakes.local_slack import free_port
from tests.fakes.watch import DONE
from tests.repositories import files_on, git, make_bare

EMULATE = Path(__file__).parents[2] / ".ci/counterparts/node_modules/.bin/emulate"
START_SECONDS = 20.0


class Hub:
    """`path` is its one repository, `acme/shop`, with `files` on `main`."""

    def __init__(self, folder: Path, files: Mapping[str, str | bytes], path: str = "acme/shop") -> None:
        self.folder, self.path, self.token = folder, path, f"ghp_{uuid4().hex}"
        self.git = GitHttp(folder / "git", self.token)
        self.git.watch = self._watch
        self.bare = folder / "git" / f"{path}.git"
        self._files = files
        self._known: dict[str, str] = {}

    async def __aenter__(self) -> Self:
        node = shutil.which("node")
        if node is None or not EMULATE.exists():
            reason = "emulate is not there: npm ci in .ci/counterparts (needs Node)"
            assert os.environ.get("CI") != "true", reason
            pytest.skip(reason)
        self.bare.parent.mkdir(parents=True)
        make_bare(self.bare, self._files)
        git(self.bare, "config", "http.receivepack", "true")
        await self.git.__aenter__()
        self.base = f"http://127.0.0.1:{free_port()}"
        self._process = await self._start(node)
        headers = {"Authorization": f"token {self.token}"}
        self._session = aiohttp.ClientSession(self.base, headers=headers)
        await self._answering()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()
        os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()
        await self.git.__aexit__()

    @property
    def section(self) -> dict[str, str]:
        """Of the configuration."""
        return {"token": self.token, "api_base": self.base, "git_base": self.git.base}

    async def pulls(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self._ask("GET", "pulls?state=all")
        return found

    def files(self, branch: str) -> dict[str, bytes]:
        return files_on(self.bare, branch)

    def branches(self) -> list[str]:
        return sorted(git(self.bare, "for-each-ref", "--format=%(refname:short)", "refs/heads").splitlines())

    async def _start(self, node: str) -> asyncio.subprocess.Process:
        owner, _, name = self.path.partition("/")
        repos = [{"owner": owner, "name": name, "auto_init": True}]
        users = {self.token: {"login": owner, "scopes": ["repo", "user"]}}
        seed = self.folder / "seed.json"
        seed.write_text(json.dumps({"tokens": users, "github": {"users": [{"login": owner}], "repos": repos}}))
        return await asyncio.create_subprocess_exec(
            node,
            str(EMULATE),
            "start",
            "--service=github",
            f"--port={self.base.rpartition(':')[2]}",
            f"--seed={seed}",
            cwd=self.folder,
            start_new_session=True,
            stdout=asyncio.subprocess.DEVNULL,
        )

    async def _answering(self) -> None:
        async with asyncio.timeout(START_SECONDS):
            while True:
                try:
                    await self._ask("GET", "")
                except aiohttp.ClientError:
                    await asyncio.sleep(0.05)
                else:
                    return

    async def _watch(self, name: str, phase: str) -> bool:
        if name == "git:git-receive-pack" and phase == DONE:
            await self._make_known()
        return False

    async def _make_known(self) -> None:
        """Each new tip becomes a commit of the same branch there."""
        rows = git(self.bare, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads").splitlines()
        for branch, tip in (row.split() for row in rows):
            if branch == "main" or self._known.get(branch) == tip:
                continue
            if branch not in self._known:
                main = await self._ask("GET", "git/ref/heads/main")
                await self._ask("POST", "git/refs", ref=f"refs/heads/{branch}", sha=main["object"]["sha"])
            content = base64.b64encode(tip.encode()).decode()
            await self._ask("PUT", f"contents/tips/{tip}", message=f"Tip {tip}", content=content, branch=branch)
            self._known[branch] = tip

    async def _ask(self, method: str, path: str, **fields: str) -> Any:
        url = f"/repos/{self.path}/{path}".rstrip("/")
        async with self._session.request(method, url, json=fields or None) as answer:
            assert answer.status < 300, f"{method} {path}: {await answer.text()}"
            return await answer.json()
