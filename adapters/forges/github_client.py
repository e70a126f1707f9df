"""PyGithub behind the forge: blocking calls, for threads. Errors are told apart here, each with its next step."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import github
import requests
from github import GithubException, GithubRetry
from github.GithubException import RateLimitExceededException

from adapters.forges import GithubConfig
from adapters.forges.github import ForgeOutage
from core.model.errors import ForgeError
from core.model.work import PullRequest, PullState
from core.ports import PullDraft

if TYPE_CHECKING:
    from github.PullRequest import PullRequest as GithubPull
    from github.Repository import Repository

TIMEOUT = 20
"""Seconds to connect, and between two pieces of an answer."""

LONGEST_WAIT = 20.0
"""Seconds that a call may wait for a rate limit; a longer one is told to the person instead."""

CREATE_TRIES = 3
PAUSE_SECONDS = 0.5
"""After a lost answer, before looking whether the pull request is there."""


class Retry(GithubRetry):
    """Only what may be repeated is: GET and HEAD, and what surely was not sent."""

    def __init__(self, **more: Any) -> None:  # noqa: ANN401 - urllib3 makes new ones of its own fields
        fixed = {
            "allowed_methods": frozenset({"GET", "HEAD"}),
            "max_rate_limit_wait": LONGEST_WAIT,
            "raise_on_status": False,
        }
        super().__init__(**{"total": 3, "backoff_factor": 0.2, **more, **fixed})

    def get_retry_after(self, response: Any) -> float | None:  # noqa: ANN401 - urllib3's own signature
        """GitHub may say an hour, and urllib3 would sleep it in the thread."""
        seconds = super().get_retry_after(response)
        if seconds is not None and seconds > LONGEST_WAIT:
            raise RateLimitExceededException(403, headers={"retry-after": str(int(seconds))})
        return seconds


class GithubClient:
    def __init__(self, config: GithubConfig) -> None:
        self._token = config.token.get_secret_value()
        self._host = urlsplit(config.api_base).netloc
        self._github = github.Github(
            auth=github.Auth.Token(self._token),
            base_url=config.api_base.rstrip("/"),
            timeout=TIMEOUT,
            retry=Retry(),
            per_page=100,
            seconds_between_requests=None,
            lazy=True,
        )

    def close(self) -> None:
        self._github.close()

    def login(self) -> str:
        """Whose token it is; empty for an app's, which is nobody's."""
        with self._told("this account"):
            try:
                return str(self._github.get_user().login)
            except GithubException as error:
                if error.status != 403:
                    raise
                return ""

    def ensure(self, path: str, base: str) -> str:
        with self._told(path):
            repo = self._github.get_repo(path)
            if repo.archived:
                raise ForgeError(f"{path} is archived, so nothing can be pushed to it. Unarchive it on GitHub first.")
            if repo.permissions is not None and repo.permissions.push is False:
                raise ForgeError(f"The token may read {path} but not push to it. {_GRANT}")
            if base:
                self._must_have_branch(path, base)
            return base or str(repo.default_branch)

    def open_pull_request(self, path: str, draft: PullDraft) -> PullRequest:
        """Look, then create; after an answer that was lost look again: exactly one."""
        with self._told(path):
            repo = self._github.get_repo(path)
            lost: Exception | None = None
            for _ in range(CREATE_TRIES):
                if found := _find(repo, path, draft.branch):
                    return found
                try:
                    return _read(_create(repo, draft))
                except (requests.RequestException, GithubException) as error:
                    if not _may_exist(error):
                        raise
                    lost = error
                time.sleep(PAUSE_SECONDS)
            if found := _find(repo, path, draft.branch):
                return found
            raise lost or AssertionError("no try was made")

    def pull_request(self, path: str, number: int) -> PullRequest:
        with self._told(path, f"pull request #{number} of {path}"):
            return _read(self._pull(path, number))

    def merge(self, path: str, number: int) -> PullRequest:
        with self._told(path, f"pull request #{number} of {path}"):
            before = _read(self._pull(path, number))
            if before.state is PullState.MERGED:
                return before
            if before.state is PullState.CLOSED:
                raise ForgeError(f"Pull request #{number} is closed. Open it again on GitHub, then merge.")
            try:
                self._pull(path, number).merge()
            except (requests.RequestException, GithubException) as error:
                return self._after_merge(path, number, error)
            return _read(self._pull(path, number))

    def _after_merge(self, path: str, number: int, error: Exception) -> PullRequest:
        """A merge whose answer was lost may have been made, and somebody may have been faster."""
        now = _read(self._pull(path, number))
        if now.state is PullState.MERGED:
            return now
        if isinstance(error, GithubException) and error.status in {405, 409}:
            raise ForgeError(
                f"GitHub does not merge #{number}: {self._clean(_words(error))}. "
                f"Resolve it there (conflict, missing review or failing check), then merge again: {now.url}"
            )
        raise error

    def _pull(self, path: str, number: int) -> GithubPull:
        return self._github.get_repo(path).get_pull(number)

    def _must_have_branch(self, path: str, base: str) -> None:
        try:
            # Not of the repository that was read: that one goes on under the address the server calls itself by.
            self._github.get_repo(path).get_branch(base)
        except GithubException as error:
            if error.status != 404:
                raise
            raise ForgeError(f"{path} has no branch {base}. Name one that is there, or push it first.") from None

    @contextmanager
    def _told(self, path: str, what: str = "") -> Iterator[None]:
        """Library errors become ours. No text of the library goes through but GitHub's own message, cleaned."""
        try:
            yield
        except RateLimitExceededException as error:
            raise ForgeError(_limit(error)) from None
        except GithubException as error:
            kind = ForgeOutage if error.status >= 500 else ForgeError
            raise kind(self._refusal(error, path, what or path)) from None
        except AssertionError as error:  # PyGithub's own way to keep the token from another host
            raise ForgeError(
                f"{self._host} points to another address ({error}). Set github.api_base to the one it calls itself by."
            ) from None
        except requests.RequestException as error:
            raise ForgeOutage(
                f"{self._host} cannot be reached ({type(error).__name__}). Your work is safe; try again in a minute."
            ) from None

    def _refusal(self, error: GithubException, path: str, what: str) -> str:
        words = self._clean(_words(error))
        match error.status:
            case 401:
                return "GitHub does not accept the token. Set a new one as GITHUB_TOKEN and start the bot again."
            case 403:
                return f"GitHub refuses this for {path}: {words}. {_GRANT}"
            case 404:
                return f"GitHub shows no {what}. Check the name, and that the token may see it."
            case 422:
                return f"GitHub does not take the pull request: {words}. Nothing is lost; put that right and say /pr."
            case status if status >= 500:
                return f"GitHub has trouble (HTTP {status}). Your work is safe; try again in a minute."
            case status:
                return f"GitHub answered HTTP {status}: {words}. Your work is safe; try again."

    def _clean(self, words: str) -> str:
        return words.replace(self._token, "…")[:300].rstrip(".")


def _create(repo: Repository, draft: PullDraft) -> GithubPull:
    body = f"{draft.body}\n\n<!-- patchbay:run:{draft.marker} -->"
    return repo.create_pull(base=draft.base, head=draft.branch, title=draft.title, body=body)


def _find(repo: Repository, path: str, branch: str) -> PullRequest | None:
    """The open one of this branch. A server that does not know the filter is not believed."""
    owner = path.partition("/")[0]
    for pull in repo.get_pulls(state="open", head=f"{owner}:{branch}"):
        if pull.head.ref == branch and pull.state == "open":
            return _read(pull)
    return None


def _read(pull: GithubPull) -> PullRequest:
    state = PullState.OPEN if pull.state == "open" else PullState.CLOSED
    if pull.merged_at is not None:
        state = PullState.MERGED
    return PullRequest(pull.number, pull.html_url, pull.title, pull.head.ref, pull.base.ref, state)


def _may_exist(error: Exception) -> bool:
    """It may have been made although we were told otherwise, or not told at all."""
    if isinstance(error, GithubException):
        return error.status >= 500 or (error.status == 422 and "already exists" in _words(error))
    return True


def _words(error: GithubException) -> str:
    """What GitHub says: its message, and what is wrong with each field."""
    said = error.data if isinstance(error.data, dict) else {}
    details = [each.get("message", "") for each in said.get("errors", []) if isinstance(each, dict)]
    return "; ".join([str(said.get("message") or f"HTTP {error.status}"), *filter(None, details)])


def _limit(error: GithubException) -> str:
    headers = {key.lower(): value for key, value in (error.headers or {}).items()}
    reset, after = headers.get("x-ratelimit-reset", ""), headers.get("retry-after", "")
    if after.isdigit():
        reset = str(int(time.time()) + int(after))
    when = f"at {datetime.fromtimestamp(int(reset), UTC):%H:%M} UTC" if reset.isdigit() else "in an hour"
    return f"GitHub's rate limit is used up. Your work is safe; try again {when}."


_GRANT = "Give the token the permissions Contents and Pull requests (both: write) for this repository."
