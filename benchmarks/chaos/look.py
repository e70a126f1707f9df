"""What must be true when everything has come to rest: by the world's own books, and by the bot's."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid5

from adapters.chat.slack.platform import NAMES
from benchmarks.chaos.people import Ledger, Spoken
from benchmarks.chaos.state import Ask, is_behind
from benchmarks.chaos.world import MARK, TOOK, World
from tests.repositories import files_on, git

NOT_SAID = re.compile(r":press:|:p:|:edit:")
"""In the cause of a press, and of a correction."""

GIVEN_UP = "I was restarted"
"""What a run says that is not taken up again by itself, because restarts have cut it too often."""

LOST = "lost:"
"""Begins the key of a notice: two tries of a post had no answer, and where people can have it said again."""

NOTICE = "The connection broke twice"

LABEL = "♻️ The connection broke while I said this; you may have read it before."


@dataclass(frozen=True)
class Books:
    """The bot's own, read from its database when it has ended."""

    inbox: Sequence[tuple[str, bytes, bool, bool]]
    """key, payload, is settled, is aside"""
    posts: Sequence[tuple[str, str, str, int, int, str, str]]
    """key, thread, state, version, shown, ref, opens"""
    runs: Sequence[tuple[str, str, str, str]]
    """run, work, state, error"""
    turns: Sequence[tuple[str, int, str, str, str]]
    """run, number, cause, text, state"""
    waits: Counter[str]
    """How often each run waited for a person."""
    works: Sequence[tuple[str, str, str]]
    """work, branch, pull"""
    tasks: Sequence[tuple[str, str]]
    """key, title"""


def read(ask: Ask) -> Books:
    return Books(
        inbox=[tuple(each) for each in ask("SELECT key, payload, settled_at IS NOT NULL, is_aside FROM inbox")],
        posts=[tuple(each) for each in ask("SELECT key, thread, state, version, shown, ref, opens FROM posts")],
        runs=[tuple(each) for each in ask("SELECT run, work, state, error FROM runs")],
        turns=[tuple(each) for each in ask("SELECT run, number, cause, text, state FROM turns")],
        waits=Counter(each[0] for each in ask("SELECT run FROM run_changes WHERE state = 'WAITING'")),
        works=[tuple(each) for each in ask("SELECT work, branch, pull FROM works")],
        tasks=[tuple(each) for each in ask("SELECT key, title FROM tasks")],
    )


@dataclass
class Found:
    """`labelled`: second posts on Telegram that say what they are."""

    faults: list[str]
    labelled: int = 0
    said: int = 0
    runs: int = 0
    pulls: int = 0
    posts: int = 0
    given_up: int = 0
    """Runs that restarts had cut so often that they are left to a person."""


def look(world: World, ledger: Ledger, books: Books) -> Found:
    found = Found([], said=len(books.inbox), runs=len(books.runs), pulls=len(world.pulls), posts=len(books.posts))
    found.given_up = sum(GIVEN_UP in error for *_, error in books.runs)
    found.faults += _inbox(world, ledger, books)
    found.faults += _tasks(ledger, books)
    found.faults += _runs(books)
    found.faults += _branches(world, ledger, books)
    found.faults += _outbox(books)
    found.faults += _slack(world, books)
    found.faults += _telegram(world, books, found)
    return found


# --------------------------------------------------------------------------------- what was said


def _inbox(world: World, ledger: Ledger, books: Books) -> Iterator[str]:
    if world.telegram.updates:
        yield f"Telegram has {len(world.telegram.updates)} updates that nobody acknowledged"
    for key, _, is_settled, is_aside in books.inbox:
        if is_aside or not is_settled:
            yield f"{'set aside' if is_aside else 'not settled'}: {key}"
    causes = _causes(books)
    answered = {each[0] for each in books.posts}
    turns = Counter(each[2] for each in books.turns)
    yield from (f"{times} turns for {cause}" for cause, times in turns.items() if times > 1)
    for spoken in ledger.spoken:
        if not causes[spoken.mark]:
            yield f"acknowledged and lost: {spoken.mark} on {spoken.platform}"
        for cause in causes[spoken.mark]:
            # A slash command's answer is in the thread that a post of ours has opened.
            if not (turns[cause] or {f"reply:{cause}", f"open:{cause}"} & answered):
                yield f"no answer to {cause} ({spoken.mark})"


def _causes(books: Books) -> dict[str, set[str]]:
    """Of what was said, by the mark in it; a press holds the words of its post, a correction those of another."""
    causes = defaultdict(set)
    for key, payload, _, _ in books.inbox:
        if not NOT_SAID.search(key):
            for mark in MARK.findall(bytes(payload).decode()):
                causes[mark].add(key)
    return causes


def _tasks(ledger: Ledger, books: Books) -> Iterator[str]:
    titles = Counter(mark for _, title in books.tasks for mark in MARK.findall(title))
    for spoken in ledger.spoken:
        if not spoken.starts and titles[spoken.mark] != 1:
            yield f"{titles[spoken.mark]} tasks for {spoken.mark}"


# ----------------------------------------------------------------------------------- what was done


def _runs(books: Books) -> Iterator[str]:
    keys = [each[0] for each in books.posts]
    for run, _, state, error in books.runs:
        ends = [key for key in keys if key.startswith((f"answer:{run}:", f"fail:{run}", f"discard:{run}"))]
        if state not in {"COMPLETED", "CANCELLED"} and not (state == "FAILED" and GIVEN_UP in error):
            yield f"run {run} is {state}: {error}"
        if state in {"COMPLETED", "FAILED"} and not ends:
            yield f"run {run} is {state} and said nothing"
    ended = {run: state for run, _, state, _ in books.runs}
    for run, number, _, text, state in books.turns:
        if state == "open" or (state == "queued" and ended.get(run) == "COMPLETED"):
            yield f"turn {number} of run {run} ({ended.get(run)}) is {state}: {text!r}"


def _branches(world: World, ledger: Ledger, books: Books) -> Iterator[str]:
    heads = Counter(each["head"]["ref"] for each in world.pulls)
    yield from (f"{times} pull requests for {head}" for head, times in heads.items() if times > 1)
    branch_of = {work: branch for work, branch, _ in books.works}
    ended = {run: (branch_of[work], state == "COMPLETED") for run, work, state, _ in books.runs}
    by_mark = {each.mark: each for each in ledger.spoken if each.starts}
    names = git(world.bare, "for-each-ref", "--format=%(refname:short)").split()
    files = {branch: files_on(world.bare, branch) for branch in names}
    for run, _, _, text, state in books.turns:
        spoken, (branch, is_completed) = by_mark.get((MARK.findall(text) or [""])[-1]), ended[run]
        if spoken is None:
            continue
        times = _times(spoken, files.get(branch, {}))
        most = 1 + books.waits[run] if spoken.agent == "append" else 1
        if times > most:
            yield f"{spoken.mark} was done {times} times on {branch}, the run waited {books.waits[run]} times"
        if times < 1 and not spoken.asks and state == "over" and is_completed:
            yield f"{spoken.mark} was not done on {branch}, and run {run} is over"
        if times >= 1 and is_completed and heads[branch] != 1:
            yield f"{heads[branch]} pull requests for {branch}"


def _times(spoken: Spoken, files: dict[str, bytes]) -> int:
    if spoken.agent != "append":
        return int(f"{spoken.mark}.txt" in files)
    lines = files.get(TOOK, b"").decode().splitlines()
    return sum(spoken.mark in MARK.findall(line) for line in lines)


# ----------------------------------------------------------------------------------- what was said back


def _outbox(books: Books) -> Iterator[str]:
    told = {key.removeprefix(LOST) for key, *_ in books.posts if key.startswith(LOST)}
    for key, thread, state, version, shown, ref, opens in books.posts:
        if is_behind(state, thread) and shown and ref and not opens:
            continue
        if state == "rejected" and (key in told or key.startswith(LOST)):
            continue  # people were told; a notice of that has no notice of its own
        if state != "sent" or shown < version or not ref or opens:
            yield f"post {key} is {state}, shown {shown} of {version}{', waits to open' * bool(opens)}"


def _refs(books: Books, platform: str) -> dict[str, str]:
    """Keys by chat and id on the platform."""
    refs = {}
    for key, thread, _, _, _, ref, _ in books.posts:
        if ref and thread.startswith(f"{platform}:"):
            refs[f"{thread.split(':')[2]}/{json.loads(ref)['id']}"] = key
    return refs


def _slack(world: World, books: Books) -> Iterator[str]:
    refs = _refs(books, "slack")
    posts = {f"{each.channel}/{each.ts}": each for each in world.slack.posts}
    yield from (f"Slack has no post {place} for {key}" for place, key in refs.items() if place not in posts)
    for place, post in posts.items():
        if place not in refs:
            yield f"a second post on Slack, {place}: {post.text[:80]!r}"
        else:
            name = (post.metadata.get("event_payload") or {}).get("key_id")
            if name != str(uuid5(NAMES, refs[place])):
                yield f"the post {place} on Slack does not bear the key of {refs[place]}"
    yield from world.slack.violations


def _telegram(world: World, books: Books, found: Found) -> Iterator[str]:
    """A post beside the one that is known must be the first of two, the later of which says that it may be."""
    refs = _refs(books, "telegram")
    news: list[Any] = [each for each in world.telegram.posts if each.kind == "new"]
    places = [f"{each.chat}/{each.message}" for each in news]
    yield from (f"Telegram has no post {place} for {key}" for place, key in refs.items() if place not in places)
    notices = Counter(thread for key, thread, *_ in books.posts if key.startswith(LOST))
    for thread, times in notices.items():
        shown = sum(NOTICE in each.text for each in news if _thread(world, each) == thread)
        is_known = any(key.startswith(f"alert:post_lost:{thread.rpartition(':')[0]}:") for key, *_ in books.posts)
        if shown < times and not is_known:
            yield f"{times} notices of what may be lost in {thread}, and {shown} of them there"
    yield from _beside(
        world, books, [each for each, place in zip(news, places, strict=True) if place not in refs], found
    )


def _beside(world: World, books: Books, orphans: Sequence[Any], found: Found) -> Iterator[str]:
    """Posts of which the bot knows no receipt. Of one that it gave up one may stand, and one with a label."""
    labels = [each for each in world.telegram.posts if each.kind == "new" and each.text.startswith(LABEL)]
    given_up = Counter(thread for _, thread, state, *_ in books.posts if state == "rejected")
    firsts, seconds = given_up.copy(), given_up.copy()
    for post in orphans:
        thread, is_labelled = _thread(world, post), post.text.startswith(LABEL)
        again = None if is_labelled else next((each for each in labels if _is_again(each, post)), None)
        allowed = seconds if is_labelled else firsts
        if again is not None:
            labels.remove(again)
            found.labelled += 1
        elif is_labelled and NOTICE in post.text:
            found.labelled += 1  # it is said once more after each crash, for nothing tells of it
        elif allowed[thread]:
            allowed[thread] -= 1
        else:
            yield f"a second post on Telegram, and nothing says so, {thread} {post.message}: {post.text[:80]!r}"


def _thread(world: World, post: Any) -> str:
    return f"telegram:{world.telegram.bot}:{post.chat}:{post.thread or ''}"


def _is_again(later: Any, post: Any) -> bool:
    is_here = (later.chat, later.thread) == (post.chat, post.thread) and later.message > post.message
    return is_here and set(MARK.findall(post.text)) <= set(MARK.findall(later.text))
