"""Links, settings, owners, digests, projects, tasks and the pull requests of the local forge."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest

from adapters.store import DatabaseStore
from adapters.store.parts import projects
from core.model.chat import Cause, ChatRef, Person, ThreadRef
from core.model.errors import NotFound
from core.model.work import (
    ChatSettings,
    DigestPlan,
    Link,
    Project,
    ProjectKey,
    PullRequest,
    PullState,
    RepoRef,
    Task,
    TaskKey,
    TaskState,
)
from core.ports import PullDraft

NOW = datetime(2026, 3, 1, 12, 0, 0, 250, tzinfo=UTC)
ROOM = ChatRef("slack", "T1", "C1")
CHAT = ThreadRef("slack", "T1", "C1")
THREAD = ThreadRef("slack", "T1", "C1", "17:00.1")
OTHER = ThreadRef("slack", "T1", "C2")
DEMO, SIDE = ProjectKey("DEMO"), ProjectKey("SIDE")
ANNA = Person("slack", "T1", "U1", "Anna")
PROJECT = Project(DEMO, "Demo", RepoRef("github", "acme/demo"), "main", "claude")
DRAFT = PullDraft("task/DEMO-1", "main", "Tidy {number}", "body", "marker")
OPEN_PULL = PullRequest(1, "/data/demo.git#1", "Tidy {number}", "task/DEMO-1", "main")


# ------------------------------------------------------------------------------------ links, settings


async def test_a_threads_own_link_wins_over_its_chats(store: DatabaseStore) -> None:
    assert await store.link(THREAD) is None
    await store.put_link(Link(CHAT, DEMO))
    assert await store.link(THREAD) == Link(CHAT, DEMO)
    await store.put_link(Link(THREAD, SIDE, "ollama"))

    assert await store.link(THREAD) == Link(THREAD, SIDE, "ollama")
    assert await store.link(CHAT) == Link(CHAT, DEMO)
    assert await store.link(OTHER) is None


async def test_a_link_replaces_the_one_before(store: DatabaseStore) -> None:
    await store.put_link(Link(CHAT, DEMO, "claude"))
    await store.put_link(Link(CHAT, SIDE))

    assert await store.links(ROOM) == [Link(CHAT, SIDE)]


async def test_the_links_of_a_chat_begin_with_its_own(store: DatabaseStore) -> None:
    for thread in (THREAD, CHAT, OTHER):
        await store.put_link(Link(thread, DEMO))

    assert [link.thread for link in await store.links(ROOM)] == [CHAT, THREAD]


async def test_a_link_is_dropped_exactly_and_once(store: DatabaseStore) -> None:
    await store.put_link(Link(CHAT, DEMO))

    assert not await store.drop_link(THREAD)
    assert await store.drop_link(CHAT)
    assert not await store.drop_link(CHAT)
    assert await store.link(THREAD) is None


async def test_a_chat_that_chose_nothing_has_empty_settings(store: DatabaseStore) -> None:
    assert await store.settings(ROOM) == ChatSettings(ROOM)


async def test_settings_are_replaced(store: DatabaseStore) -> None:
    await store.put_settings(ChatSettings(ROOM, "claude", "opus", "de", "22:00-07:00", "Europe/Berlin"))
    chosen = ChatSettings(ROOM, language="en")
    await store.put_settings(chosen)

    assert await store.settings(ROOM) == chosen
    assert await store.settings(OTHER.room) == ChatSettings(OTHER.room)


# --------------------------------------------------------------------------------------------- owners


async def test_who_says_the_code_is_an_owner_and_the_code_is_spent(store: DatabaseStore) -> None:
    code = uuid4().hex
    await store.offer_pairing("slack", code, NOW + timedelta(minutes=10))

    assert await store.pair(code, ANNA, NOW)
    assert await store.owners() == [ANNA]
    assert not await store.pair(code, replace(ANNA, id="U2"), NOW)


async def test_of_two_who_say_the_code_at_once_one_is_an_owner(store: DatabaseStore) -> None:
    code = uuid4().hex
    await store.offer_pairing("slack", code, NOW + timedelta(minutes=10))
    told = await asyncio.gather(*(store.pair(code, replace(ANNA, id=f"U{n}"), NOW) for n in range(8)))

    assert sum(told) == 1
    assert [person.id for person in await store.owners()] == [f"U{told.index(True)}"]


@pytest.mark.parametrize("wrong", ["code", "late", "platform", "none"])
async def test_a_wrong_late_or_foreign_code_pairs_nobody(store: DatabaseStore, wrong: str) -> None:
    code, until = uuid4().hex, NOW + timedelta(minutes=10)
    if wrong != "none":
        await store.offer_pairing("telegram" if wrong == "platform" else "slack", code, until)
    said = uuid4().hex if wrong == "code" else code

    assert not await store.pair(said, ANNA, until if wrong == "late" else NOW)
    assert await store.owners() == []


async def test_a_new_code_replaces_the_older(store: DatabaseStore) -> None:
    old, new = uuid4().hex, uuid4().hex
    await store.offer_pairing("slack", old, NOW + timedelta(minutes=10))
    await store.offer_pairing("slack", new, NOW + timedelta(minutes=10))

    assert not await store.pair(old, ANNA, NOW)
    assert await store.pair(new, ANNA, NOW)


async def test_who_pairs_again_under_a_new_name_is_one_owner(store: DatabaseStore) -> None:
    renamed = replace(ANNA, name="Anna B.")
    for person in (ANNA, renamed):
        code = uuid4().hex
        await store.offer_pairing("slack", code, NOW + timedelta(minutes=10))
        assert await store.pair(code, person, NOW)

    assert await store.owners() == [renamed]


async def test_the_code_itself_is_not_kept(store: DatabaseStore) -> None:
    code = uuid4().hex
    await store.offer_pairing("slack", code, NOW + timedelta(minutes=10))

    rows = await store._database.client.execute_query_dict("SELECT * FROM pairings")
    assert len(rows) == 1
    assert code not in str(rows)


# ------------------------------------------------------------------------------------ projects, tasks


async def test_a_project_comes_back_as_it_was_added(store: DatabaseStore) -> None:
    assert await store.add_project(PROJECT, Cause("c1")) == PROJECT

    assert await store.project(DEMO) == PROJECT
    assert await store.project(SIDE) is None


async def test_what_stands_under_a_key_is_returned(store: DatabaseStore) -> None:
    await store.add_project(PROJECT, Cause("c1"))

    assert await store.add_project(replace(PROJECT, name="Other"), Cause("c2")) == PROJECT


async def test_projects_added_at_once_under_one_key_are_one(store: DatabaseStore) -> None:
    many = [replace(PROJECT, name=f"P{n}") for n in range(10)]
    stood = await asyncio.gather(*(store.add_project(each, Cause(each.name)) for each in many))

    assert len({each.name for each in stood}) == 1
    assert await store.projects() == [stood[0]]


async def test_a_project_is_put_over_the_one_before_and_listed_by_key(store: DatabaseStore) -> None:
    side = replace(PROJECT, key=SIDE)
    await store.put_project(side)
    await store.add_project(PROJECT, Cause("c1"))
    changed = replace(PROJECT, base="trunk", agent="")
    await store.put_project(changed)

    assert await store.projects() == [changed, side]


async def test_tasks_are_numbered_in_their_project(store: DatabaseStore) -> None:
    await store.add_project(PROJECT, Cause("c1"))
    await store.add_project(replace(PROJECT, key=SIDE), Cause("c2"))
    first = await store.add_task(DEMO, "Tidy \U0001f9f9", ANNA, NOW, Cause("t1"))
    second = await store.add_task(DEMO, "Fix", ANNA, NOW, Cause("t2"))
    other = await store.add_task(SIDE, "Fix", ANNA, NOW, Cause("t1"))

    assert first == Task(TaskKey("DEMO-1"), DEMO, "Tidy \U0001f9f9", TaskState.TODO, ANNA, NOW)
    assert (second.key, other.key) == ("DEMO-2", "SIDE-1")
    assert await store.tasks(DEMO) == [first, second]
    assert await store.task(TaskKey("DEMO-2")) == second
    assert await store.task(TaskKey("DEMO-3")) is None


@pytest.mark.parametrize("page", [500, 11, 4])
async def test_the_tenth_task_comes_after_the_second(
    page: int, store: DatabaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(projects, "PAGE", page)
    await store.add_project(PROJECT, Cause("c1"))
    for n in range(11):
        await store.add_task(DEMO, "x", ANNA, NOW, Cause(f"t{n}"))

    assert [task.key for task in await store.tasks(DEMO)] == [f"DEMO-{n}" for n in range(1, 12)]


async def test_tasks_added_at_once_have_numbers_of_their_own_and_one_cause_is_one_task(store: DatabaseStore) -> None:
    await store.add_project(PROJECT, Cause("c1"))
    causes = [Cause(f"t{n % 5}") for n in range(20)]
    tasks = await asyncio.gather(*(store.add_task(DEMO, c, ANNA, NOW, c) for c in causes))

    assert sorted({task.key for task in tasks}) == [f"DEMO-{n}" for n in range(1, 6)]
    assert all(task.title == cause for task, cause in zip(tasks, causes, strict=True))


async def test_a_task_moves_on_the_board(store: DatabaseStore) -> None:
    await store.add_project(PROJECT, Cause("c1"))
    task = await store.add_task(DEMO, "Tidy", ANNA, NOW, Cause("t1"))
    await store.put_task_state(task.key, TaskState.IN_REVIEW)

    assert await store.task(task.key) == replace(task, state=TaskState.IN_REVIEW)


async def test_no_task_without_a_project_and_no_state_without_a_task(store: DatabaseStore) -> None:
    with pytest.raises(NotFound, match="DEMO"):
        await store.add_task(DEMO, "Tidy", ANNA, NOW, Cause("t1"))
    with pytest.raises(NotFound, match="DEMO-1"):
        await store.put_task_state(TaskKey("DEMO-1"), TaskState.DONE)


# -------------------------------------------------------------------------------------- pull requests


async def test_pull_requests_are_numbered_and_open_once_for_a_branch(store: DatabaseStore) -> None:
    await store.add_project(PROJECT, Cause("c1"))
    url = "/data/demo.git#{number}"

    assert await store.add_pull(DEMO, DRAFT, url) == OPEN_PULL
    assert await store.add_pull(DEMO, replace(DRAFT, title="again"), url) == OPEN_PULL
    second = await store.add_pull(DEMO, replace(DRAFT, branch="task/DEMO-2"), url)
    assert (second.number, second.url) == (2, "/data/demo.git#2")
    assert await store.pull(DEMO, 1) == OPEN_PULL
    assert await store.pull(SIDE, 1) is None


async def test_pull_requests_opened_at_once_for_a_branch_are_one(store: DatabaseStore) -> None:
    await store.add_project(PROJECT, Cause("c1"))
    pulls = await asyncio.gather(*(store.add_pull(DEMO, DRAFT, "#{number}") for _ in range(10)))

    assert {pull.number for pull in pulls} == {1}


async def test_after_the_end_of_a_pull_request_its_branch_may_have_another(store: DatabaseStore) -> None:
    await store.add_project(PROJECT, Cause("c1"))
    await store.add_pull(DEMO, DRAFT, "#{number}")

    assert (await store.put_pull_state(DEMO, 1, PullState.MERGED)).state is PullState.MERGED
    assert (await store.add_pull(DEMO, DRAFT, "#{number}")).number == 2
    first = await store.pull(DEMO, 1)
    assert first is not None
    assert first.state is PullState.MERGED


async def test_no_pull_request_without_a_project_and_no_state_without_one(store: DatabaseStore) -> None:
    with pytest.raises(NotFound, match="DEMO"):
        await store.add_pull(DEMO, DRAFT, "#{number}")
    with pytest.raises(NotFound, match="pull request 4"):
        await store.put_pull_state(DEMO, 4, PullState.CLOSED)


# -------------------------------------------------------------------------------------------- digests

PLAN = DigestPlan(CHAT, "0 9 * * 1-5", "Europe/Berlin", NOW)


async def test_a_chat_has_one_digest(store: DatabaseStore) -> None:
    assert await store.digest(ROOM) is None
    await store.put_digest(PLAN)
    moved = replace(PLAN, thread=THREAD, cron="0 8 * * *")
    await store.put_digest(moved)

    assert await store.digest(ROOM) == moved
    assert await store.drop_digest(ROOM)
    assert not await store.drop_digest(ROOM)
    assert await store.digest(ROOM) is None


async def test_what_is_due_is_due_from_its_very_moment(store: DatabaseStore) -> None:
    later = replace(PLAN, thread=OTHER, next_at=NOW - timedelta(hours=1))
    await store.put_digest(PLAN)
    await store.put_digest(later)

    assert await store.due_digests(NOW) == [later, PLAN]
    assert await store.due_digests(NOW - timedelta(microseconds=1)) == [later]


async def test_a_time_in_another_zone_is_the_same_moment(store: DatabaseStore) -> None:
    berlin = NOW.astimezone(timezone(timedelta(hours=1)))
    await store.put_digest(replace(PLAN, next_at=berlin))

    assert await store.due_digests(NOW) == [PLAN]
    found = await store.digest(ROOM)
    assert found is not None
    assert found.next_at.tzinfo is UTC


async def test_of_many_who_advance_a_digest_one_may_post_it(store: DatabaseStore) -> None:
    await store.put_digest(PLAN)
    after = NOW + timedelta(days=1)
    told = await asyncio.gather(*(store.advance_digest(PLAN, after) for _ in range(10)))

    assert sum(told) == 1
    assert await store.digest(ROOM) == replace(PLAN, next_at=after)


@pytest.mark.parametrize("change", ["changed", "dropped"])
async def test_a_digest_that_is_not_as_the_plan_says_is_not_advanced(store: DatabaseStore, change: str) -> None:
    await store.put_digest(PLAN)
    if change == "dropped":
        await store.drop_digest(ROOM)
    else:
        await store.put_digest(replace(PLAN, zone="UTC"))

    assert not await store.advance_digest(PLAN, NOW + timedelta(days=1))
