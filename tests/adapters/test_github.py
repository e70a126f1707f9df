"""GitHub: what is taken for a repository, one pull request whatever happens, and errors that say what to do."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import aiohttp
import pytest
from pydantic import SecretStr

from adapters.forges import GithubConfig
from adapters.forges.github import Github
from core.model.errors import BadAsk, ForgeError
from core.model.work import Project, ProjectKey, PullState, RepoRef
from core.ports import Forge, PullDraft
from tests.fakes.github import FakeGithub, Fault, Repo, rate_limited, run_marker

PATH = "acme/shop"
EMULATE = Path(__file__).parents[2] / ".ci/counterparts/node_modules/.bin/emulate"


def project(base: str = "", path: str = PATH) -> Project:
    return Project(ProjectKey("DEMO"), "Demo", RepoRef("github", path), base=base)


def draft(branch: str = "task/DEMO-1", marker: str = "run-1") -> PullDraft:
    return PullDraft(branch, "main", "Tidy the code", "Asked by Ann.", marker)


@pytest.fixture
async def fake() -> AsyncIterator[FakeGithub]:
    async with FakeGithub(f"ghp_{uuid4().hex}") as fake:
        fake.repos[PATH] = Repo()
        yield fake


@pytest.fixture
async def forge(fake: FakeGithub) -> AsyncIterator[Forge]:
    github = Github(GithubConfig(token=SecretStr(fake.token), api_base=fake.base))
    yield github
    await github.close()


# --------------------------------------------------------------------------------------- addresses


@pytest.mark.parametrize(
    "text",
    [
        "acme/shop",
        "acme/shop.git",
        "https://github.com/acme/shop",
        "https://github.com/acme/shop/",
        "https://github.com/acme/shop.git",
        "HTTPS://GitHub.com/acme/shop",
        "git@github.com:acme/shop.git",
        "ssh://git@github.com/acme/shop",
    ],
)
async def test_a_repository_is_known_by_its_two_names(text: str) -> None:
    github = Github(GithubConfig(token=SecretStr(uuid4().hex)))

    assert github.parse(text) == RepoRef("github", PATH)
    assert github.remote(project()).url == "https://github.com/acme/shop.git"


@pytest.mark.parametrize(
    "text", ["", " ", "Project", "/srv/git/shop", "~/shop", "./shop", "../shop", "Note:", "-", "a.b"]
)
async def test_what_is_no_address_is_left_to_others(text: str) -> None:
    assert Github(GithubConfig(token=SecretStr(uuid4().hex))).parse(text) is None


HOSTILE = [
    "file:///etc/passwd",
    "file://localhost/etc",
    "FILE:///etc/passwd",
    "ext::sh -c touch% /tmp/x",
    "ext::sh",
    "fd::17",
    "http://github.com/acme/shop",
    "http://127.0.0.1/acme/shop",
    "https://127.0.0.1/acme/shop.git",
    "https://localhost:8080/acme/shop",
    "https://[::1]/acme/shop",
    "https://2130706433/acme/shop",
    "https://0x7f.1/acme/shop",
    "https://169.254.169.254/latest/meta-data",
    "https://github.com.evil.example/acme/shop",
    "https://evil.example/github.com/acme/shop",
    "https://github.com@evil.example/acme/shop",
    "https://user:word@github.com/acme/shop",
    "https://github.com:8443/acme/shop",
    "https://github.com/acme/shop?x=1",
    "https://github.com/acme/shop#x",
    "https://github.com/acme/../shop",
    "https://github.com/acme/shop/tree/main",
    "https://github.com//acme/shop",
    "https://github.com/acme/%2e%2e",
    "git://github.com/acme/shop",
    "ssh://-oProxyCommand=x/acme/shop",
    "git@evil.example:acme/shop.git",
    "git@github.com:../shop",
    "-oProxyCommand=x/shop",
    "--upload-pack=/bin/sh",
    "acme/..",
    "acme/.git",
    "acme/shop\nx",
    "acme/shop\x00",
    "acme/shop;rm",
    "acme\\shop",
    "ac\u200bme/shop",
    "\u0430cme/shop",
    "a" * 40 + "/shop",
    "acme/" + "s" * 101,
]


@pytest.mark.parametrize("text", HOSTILE)
async def test_a_hostile_address_is_refused_and_never_becomes_a_url(text: str) -> None:
    github = Github(GithubConfig(token=SecretStr(uuid4().hex)))

    with pytest.raises(BadAsk, match="owner/name"):
        github.parse(text)
    with pytest.raises(ForgeError, match="DEMO"):
        github.remote(project(path=text))


async def test_a_github_of_ones_own_has_addresses_of_its_own() -> None:
    github = Github(GithubConfig(token=SecretStr(uuid4().hex), git_base="http://git.example:3000/hub/"))

    assert github.parse("http://git.example:3000/hub/acme/shop.git") == RepoRef("github", PATH)
    assert github.remote(project()).url == "http://git.example:3000/hub/acme/shop.git"
    with pytest.raises(BadAsk, match=r"git\.example"):
        github.parse("https://github.com/acme/shop")


async def test_the_token_goes_into_the_header_alone() -> None:
    token = uuid4().hex
    remote = Github(GithubConfig(token=SecretStr(token))).remote(project())

    scheme, _, secret = remote.authorization.partition(" ")
    assert (scheme, base64.b64decode(secret)) == ("Basic", f"x-access-token:{token}".encode())
    assert token not in remote.url


# ------------------------------------------------------------------------------------- repositories


async def test_the_base_is_the_projects_else_the_default(fake: FakeGithub, forge: Forge) -> None:
    fake.repos[PATH] = Repo("trunk", {"trunk", "release/1"})

    assert await forge.ensure(project()) == "trunk"
    assert await forge.ensure(project("release/1")) == "release/1"
    with pytest.raises(ForgeError, match="no branch release/2"):
        await forge.ensure(project("release/2"))


async def test_a_repository_that_cannot_be_pushed_to_is_refused_at_once(fake: FakeGithub, forge: Forge) -> None:
    fake.repos[PATH] = Repo(can_push=False)
    with pytest.raises(ForgeError, match="not push"):
        await forge.ensure(project())
    fake.repos[PATH] = Repo(archived=True)
    with pytest.raises(ForgeError, match="archived"):
        await forge.ensure(project())


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault("GET", 403, body={"message": "Resource not accessible by personal access token"}), "Contents"),
        (Fault("GET", 418, body={"message": "teapot"}), "teapot"),
        (rate_limited("GET", 3600), r"rate limit is used up.*at \d\d:\d\d UTC"),
        (Fault("GET", 403, body={"message": "x"}, headers={"Retry-After": "3600"}), r"at \d\d:\d\d UTC"),
    ],
)
async def test_each_refusal_says_its_next_step(fake: FakeGithub, forge: Forge, fault: Fault, says: str) -> None:
    fake.faults.append(fault)

    with pytest.raises(ForgeError, match=says) as caught:
        await forge.ensure(project())
    assert fake.token not in str(caught.value)


async def test_an_unknown_repository_a_wrong_token_and_no_network_are_told_apart(
    fake: FakeGithub, forge: Forge
) -> None:
    with pytest.raises(ForgeError, match="shows no acme/other"):
        await forge.ensure(project(path="acme/other"))
    for token, base, says in (
        ("wrong", fake.base, "does not accept the token"),
        (fake.token, f"http://127.0.0.1:{_free_port()}", "cannot be reached"),
    ):
        github = Github(GithubConfig(token=SecretStr(token), api_base=base))
        with pytest.raises(ForgeError, match=says):
            await github.ensure(project())
        await github.close()


async def test_a_message_that_quotes_the_token_is_cleaned(fake: FakeGithub, forge: Forge) -> None:
    fake.faults.append(Fault("GET", 403, body={"message": f"no {fake.token} here"}))

    with pytest.raises(ForgeError, match="no … here"):
        await forge.ensure(project())


async def test_reading_is_tried_again(fake: FakeGithub, forge: Forge) -> None:
    fake.faults += [Fault("GET", 502), Fault("GET")]

    assert await forge.ensure(project()) == "main"


async def test_a_github_that_stays_down_is_said_to_be(fake: FakeGithub, forge: Forge) -> None:
    fake.faults += [Fault("GET", 503)] * 4

    with pytest.raises(ForgeError, match="HTTP 503"):
        await forge.ensure(project())


# ------------------------------------------------------------------------------------ pull requests


async def test_a_branch_has_one_pull_request_however_often_it_is_asked_for(fake: FakeGithub, forge: Forge) -> None:
    first = await forge.open_pull_request(project(), draft())
    again = await forge.open_pull_request(project(), draft(marker="run-2"))

    assert first == again
    assert (first.number, first.branch, first.base, first.state) == (1, "task/DEMO-1", "main", PullState.OPEN)
    body = fake.repos[PATH].pulls[0]["body"]
    assert (run_marker(body), "Asked by Ann." in body) == ("run-1", True)
    other = await forge.open_pull_request(project(), draft("task/DEMO-2"))
    assert other.number == 2


@pytest.mark.parametrize(
    "faults",
    [
        [Fault("POST", accepts=True)],
        [Fault("POST")],
        [Fault("POST", 502, accepts=True)],
        [Fault("POST", 500), Fault("POST", 500)],
        [Fault("POST", 503), Fault("POST", 503), Fault("POST", 503, accepts=True)],
    ],
    ids=["answer lost", "request lost", "accepted, 502", "500 twice", "accepted at the last try"],
)
async def test_a_lost_answer_makes_no_second_pull_request(fake: FakeGithub, forge: Forge, faults: list[Fault]) -> None:
    fake.faults += faults
    pull = await forge.open_pull_request(project(), draft())

    assert pull.number == 1
    assert len(fake.repos[PATH].pulls) == 1


async def test_a_pull_request_that_someone_was_faster_with_is_adopted(fake: FakeGithub, forge: Forge) -> None:
    exists = {"message": "Validation Failed", "errors": [{"message": "A pull request already exists for acme:task."}]}
    fake.faults.append(Fault("POST", 422, accepts=True, body=exists))

    assert (await forge.open_pull_request(project(), draft())).number == 1


async def test_creating_that_fails_for_good_says_why_and_is_not_repeated(fake: FakeGithub, forge: Forge) -> None:
    none = {"message": "Validation Failed", "errors": [{"message": "No commits between main and task/DEMO-1"}]}
    fake.faults.append(Fault("POST", 422, body=none))
    with pytest.raises(ForgeError, match="No commits between"):
        await forge.open_pull_request(project(), draft())
    assert fake.count("POST") == 1

    fake.faults += [Fault("POST", 500)] * 3
    with pytest.raises(ForgeError, match="HTTP 500"):
        await forge.open_pull_request(project(), draft())
    assert fake.repos[PATH].pulls == []


async def test_a_closed_pull_request_is_not_taken_for_the_open_one(fake: FakeGithub, forge: Forge) -> None:
    await forge.open_pull_request(project(), draft())
    fake.repos[PATH].pulls[0]["state"] = "closed"

    assert (await forge.open_pull_request(project(), draft())).number == 2
    assert (await forge.pull_request(project(), 1)).state is PullState.CLOSED
    with pytest.raises(ForgeError, match="shows no pull request #9"):
        await forge.pull_request(project(), 9)


@pytest.mark.parametrize("faults", [[], [Fault("PUT", accepts=True)], [Fault("PUT", 502, accepts=True)]])
async def test_merging_twice_is_merging_once(fake: FakeGithub, forge: Forge, faults: list[Fault]) -> None:
    await forge.open_pull_request(project(), draft())
    fake.faults += faults

    for _ in range(2):
        assert (await forge.merge(project(), 1)).state is PullState.MERGED
    assert fake.count("PUT") == 1


async def test_a_merge_that_is_refused_says_why(fake: FakeGithub, forge: Forge) -> None:
    await forge.open_pull_request(project(), draft())
    fake.repos[PATH].conflicts.add(1)
    with pytest.raises(ForgeError, match=r"not mergeable.*pull/1"):
        await forge.merge(project(), 1)
    fake.repos[PATH].pulls[0]["state"] = "closed"
    with pytest.raises(ForgeError, match="is closed"):
        await forge.merge(project(), 1)
    fake.repos[PATH].pulls[0]["state"] = "open"
    fake.faults.append(Fault("PUT", 500))
    with pytest.raises(ForgeError, match="HTTP 500"):
        await forge.merge(project(), 1)


# --------------------------------------------------------------- a GitHub that no one here has written


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@asynccontextmanager
async def emulated(folder: Path, token: str) -> AsyncIterator[str]:
    node = shutil.which("node")
    if node is None or not EMULATE.exists():
        pytest.skip("emulate is not there: npm ci in .ci/counterparts (needs Node)")
    seed = folder / "seed.json"
    repos = [{"owner": "acme", "name": "shop", "auto_init": True}]
    users = {token: {"login": "acme", "scopes": ["repo", "user"]}}
    seed.write_text(json.dumps({"tokens": users, "github": {"users": [{"login": "acme"}], "repos": repos}}))
    port = _free_port()
    process = await asyncio.create_subprocess_exec(
        node,
        str(EMULATE),
        "start",
        "--service=github",
        f"--port={port}",
        f"--seed={seed}",
        cwd=folder,
        start_new_session=True,
        stdout=asyncio.subprocess.DEVNULL,
    )
    try:
        await _answering(f"http://127.0.0.1:{port}/repos/acme/shop")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _answering(url: str) -> None:
    async with asyncio.timeout(20), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(url):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)


async def test_a_foreign_github_is_asked_the_same_way(tmp_path: Path) -> None:
    token = f"ghp_{uuid4().hex}"
    async with emulated(tmp_path, token) as base:
        github = Github(GithubConfig(token=SecretStr(token), api_base=base))
        branch = await github.ensure(project())
        await _push_a_branch(base, token, branch, "task/DEMO-1")
        pulls = [await github.open_pull_request(project(), draft(marker=f"run-{n}")) for n in range(2)]
        assert pulls[0] == pulls[1]
        assert (pulls[0].branch, pulls[0].base, pulls[0].state) == ("task/DEMO-1", "main", PullState.OPEN)
        with pytest.raises(ForgeError, match="shows no acme/other"):
            await github.ensure(project(path="acme/other"))

        merged = [await github.merge(project(), pulls[0].number) for _ in range(2)]
        assert {each.state for each in merged} == {PullState.MERGED}
        assert (await github.pull_request(project(), pulls[0].number)).state is PullState.MERGED
        await github.close()


async def _push_a_branch(base: str, token: str, default: str, branch: str) -> None:
    """A commit on a new branch, made over the API: emulate speaks no git."""
    async with aiohttp.ClientSession(base, headers={"Authorization": f"token {token}"}) as session:
        async with session.get(f"/repos/{PATH}/git/ref/heads/{default}") as answer:
            sha = (await answer.json())["object"]["sha"]
        async with session.post(f"/repos/{PATH}/git/refs", json={"ref": f"refs/heads/{branch}", "sha": sha}) as answer:
            assert answer.status == 201, await answer.text()
        content = {"message": "Tidy", "content": base64.b64encode(b"tidy\n").decode(), "branch": branch}
        async with session.put(f"/repos/{PATH}/contents/tidy.txt", json=content) as answer:
            assert answer.status == 201, await answer.text()
