"""GitHub as a forge: repositories by `owner/name`, pull requests found or created, never twice.

https://docs.github.com/en/rest/pulls/pulls
"""

from __future__ import annotations

import asyncio
import base64
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from adapters.forges import GithubConfig
from adapters.straight import NoCircuit
from core.model.errors import BadAsk, ForgeError, Unavailable
from core.model.events import Readiness
from core.model.work import Project, PullRequest, RepoRef
from core.ports import Circuit, PullDraft, Remote, Tracer
from core.tracing import NoTracer

if TYPE_CHECKING:
    from adapters.forges.github_client import GithubClient

T = TypeVar("T")

THREADS = 8
"""PyGithub blocks. GitHub asks for at most 100 requests at a time."""

CALL_SECONDS = 90.0
"""The most for one call with its retries: three tries of 20 s, and the waits between them."""

HOW = "Say owner/name, or the address of the repository as the browser shows it."


class ForgeOutage(ForgeError):
    """It did not answer, or only to say that it cannot."""


class Github:
    name = "github"

    def __init__(self, config: GithubConfig, circuit: Circuit | None = None, tracer: Tracer | None = None) -> None:
        self._config = config
        self._circuit: Circuit = circuit or NoCircuit()
        self._tracer: Tracer = tracer or NoTracer()
        self._git_base = config.git_base.rstrip("/")
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="github")
        self._made: GithubClient | None = None

    def parse(self, text: str) -> RepoRef | None:
        """`owner/name`, or its address in one of git's forms. Rebuilt from the two names alone, so that nothing else of
        what was typed reaches git.
        """
        if _is_path(text) or not _is_address(text):
            return None
        found = _REPOSITORY.fullmatch(self._without_base(text))
        name = found["name"].removesuffix(".git") if found else ""
        if found is None or name in {"", ".", ".."}:
            raise BadAsk(f"This is not a repository on {urlsplit(self._git_base).hostname}. {HOW}")
        return RepoRef(self.name, f"{found['owner']}/{name}")

    async def ready(self) -> Readiness:
        """For doctor: whether the token is taken. What it may do shows at a repository."""
        host = urlsplit(self._git_base).hostname
        try:
            login = await self._call(lambda client: client.login())
        except ForgeError as error:
            return Readiness(f"{host}", is_usable=False, missing=str(error))
        return Readiness(f"{host} as {login or 'an app'}", is_usable=True)

    async def ensure(self, project: Project) -> str:
        path = self._path(project)
        return await self._call(lambda client: client.ensure(path, project.base))

    def remote(self, project: Project) -> Remote:
        # https://docs.github.com/en/apps/creating-github-apps: any user name goes with a token; this one is customary.
        secret = f"{self._config.username or 'x-access-token'}:{self._config.token.get_secret_value()}".encode()
        basic = base64.b64encode(secret).decode()
        return Remote(f"{self._git_base}/{self._path(project)}.git", f"Basic {basic}", self._config.email)

    async def open_pull_request(self, project: Project, draft: PullDraft) -> PullRequest:
        path = self._path(project)
        return await self._call(lambda client: client.open_pull_request(path, draft))

    async def pull_request(self, project: Project, number: int) -> PullRequest:
        path = self._path(project)
        return await self._call(lambda client: client.pull_request(path, number))

    async def merge(self, project: Project, number: int) -> PullRequest:
        path = self._path(project)
        return await self._call(lambda client: client.merge(path, number))

    async def close(self) -> None:
        """Give back sockets and threads; a call on its way is not waited for."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        if self._made is not None:
            self._made.close()

    async def _call(self, call: Callable[[GithubClient], T]) -> T:
        try:
            with self._circuit.attempt(), self._tracer.span("forge", forge=self.name):
                return await self._watched(call)
        except Unavailable as error:
            raise ForgeError(f"{error} Your work is safe; try again after that.") from None

    async def _watched(self, call: Callable[[GithubClient], T]) -> T:
        """The circuit learns what became of it: a refusal is an answer too."""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                result = await asyncio.get_running_loop().run_in_executor(self._pool, lambda: call(self._client()))
        except TimeoutError:
            self._circuit.failed(f"no answer in {CALL_SECONDS:g} s")
            raise ForgeError("GitHub does not answer. Your work is safe; try again in a minute.") from None
        except ForgeOutage as error:
            self._circuit.failed(str(error))
            raise
        except ForgeError:
            self._circuit.answered()
            raise
        self._circuit.answered()
        return result

    def _client(self) -> GithubClient:
        from adapters.forges.github_client import GithubClient  # noqa: PLC0415 - imported when used

        if self._made is None:
            self._made = GithubClient(self._config)
        return self._made

    def _path(self, project: Project) -> str:
        """A project may come from anywhere; what goes into a URL is looked at again."""
        path = project.repo.path
        if not _REPOSITORY.fullmatch(path) or path.endswith((".git", "/.", "/..")):
            raise ForgeError(f"The repository of {project.key} is not one of GitHub's. {HOW}")
        return path

    def _without_base(self, text: str) -> str:
        """Without the address of our GitHub, in any of the three forms git knows, and without a slash at the end."""
        base = urlsplit(self._git_base)
        for prefix in (f"{self._git_base}/", f"git@{base.hostname}:", f"ssh://git@{base.hostname}/"):
            if text.lower().startswith(prefix.lower()):
                return text[len(prefix) :].removesuffix("/")
        return text


def _is_path(text: str) -> bool:
    """A place on this machine, which is the local forge's."""
    return text.startswith(("/", "~", "./", "../"))


def _is_address(text: str) -> bool:
    """It looks as if it were meant to name a repository somewhere: more than a word."""
    return "/" in text or "::" in text or "\\" in text or re.search(r"^[\w.+-]+:\S|\w@\S+:", text) is not None


_REPOSITORY = re.compile(
    r"(?P<owner>[A-Za-z0-9][A-Za-z0-9-]{0,38})/(?P<name>[A-Za-z0-9._][A-Za-z0-9._-]{0,99})", re.ASCII
)
"""GitHub: a login is at most 39 letters, digits and hyphens, no hyphen first; a name at most 100 of these and `._`."""
