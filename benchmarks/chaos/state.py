"""What the database holds of what is not yet at rest, as one line: by it two moments count as the same state."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Rows = Sequence[Sequence[Any]]
Ask = Callable[[str], Rows]

UNSETTLED = "SELECT COUNT(*) FROM inbox WHERE settled_at IS NULL AND NOT is_aside"
UNSENT = """
SELECT key, state, shown > 0, ref <> '', opens <> '', thread FROM posts
WHERE NOT (state = 'rejected' OR (state = 'sent' AND shown >= version AND opens = ''))
"""
OPEN_RUNS = """
SELECT run, state, stop_asked_by <> '', (SELECT COUNT(*) FROM lanes WHERE lanes.run = runs.run) FROM runs
WHERE state NOT IN ('COMPLETED', 'FAILED', 'CANCELLED')
"""
TURNS = "SELECT turns.run, turns.state FROM turns JOIN runs ON runs.run = turns.run WHERE ended_at IS NULL"
STEPS = """
SELECT workflow_uuid, status,
    (SELECT COUNT(*) FROM operation_outputs AS kept WHERE kept.workflow_uuid = flows.workflow_uuid)
FROM workflow_status AS flows WHERE status NOT IN ('SUCCESS', 'ERROR', 'CANCELLED')
"""
BOTH_SCHEMAS = "-c search_path=public,dbos"
"""On PostgreSQL the engine has a schema of its own."""


def durable_state(url: str, data: Path) -> str:
    """`url` empty: the files in `data`. What stands there and cannot be read yet is no state: empty."""
    if url:
        return _of_postgres(url)
    try:
        with sqlite(data / "patchbay.db") as store, sqlite(data / "engine.db") as engine:
            return _told(lambda sql: store.execute(sql).fetchall(), lambda sql: engine.execute(sql).fetchall())
    except sqlite3.OperationalError as error:
        return f"unreadable: {error}"


def is_behind(state: str, thread: str) -> bool:
    """A post that stands in a group of Telegram: its newest words come when the pace allows, up to a minute later."""
    return state == "sent" and thread.startswith("telegram:") and ":-" in thread


def under_way(store: Ask, engine: Ask) -> dict[str, str]:
    """What a bot that is killed now leaves behind, and how far it has come.

    Not what waits for a person, for another run, or for the pace at which a platform takes edits.
    """
    posts = {f"post {key}": state for key, state, *_ in store(UNSENT) if state != "sent"}
    kept = {id_: count for id_, _, count in engine(STEPS)}
    runs = {f"run {run}": f"{state} {kept[run]}" for run, state, *_ in store(OPEN_RUNS) if run in kept}
    return posts | {name: how for name, how in runs.items() if not how.startswith("WAITING")}


def at_rest(ask: Ask) -> str:
    """Empty: nothing is on its way. Else what is."""
    unsettled, runs = ask(UNSETTLED)[0][0], ask(OPEN_RUNS)
    unsent = [each for each in ask(UNSENT) if each[4] or not is_behind(each[1], each[5])]
    left = [f"{unsettled} deliveries"] * bool(unsettled)
    left += [f"post {key} {state}" for key, state, *_ in unsent] + [f"run {run} {state}" for run, state, *_ in runs]
    return ", ".join(left)


def sqlite(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5.0)


def _of_postgres(url: str) -> str:
    import psycopg  # noqa: PLC0415 - imported when used

    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5, options=BOTH_SCHEMAS) as server:
            ask = lambda sql: server.execute(sql).fetchall()  # noqa: E731
            return _told(ask, ask)
    except psycopg.Error as error:
        return f"unreadable: {type(error).__name__}"


def _told(store: Ask, engine: Ask) -> str:
    unsettled = store(UNSETTLED)[0][0]
    posts = Counter(
        f"{key.partition(':')[0]} {state}{' shown' * bool(shown)}{' ref' * bool(ref)}{' opens' * bool(opens)}"
        for key, state, shown, ref, opens, _ in store(UNSENT)
    )
    flows = {id_: f"{status.lower()}:{count}" for id_, status, count in engine(STEPS)}
    turns: dict[str, list[str]] = {}
    for run, state in store(TURNS):
        turns.setdefault(run, []).append(state)
    runs: Counter[str] = Counter()
    for run, state, stop, lanes in store(OPEN_RUNS):
        said = "+".join(sorted(turns.get(run, ())))
        runs[f"{state.lower()}{' stop' * bool(stop)} lanes:{lanes} turns:{said} {flows.pop(run, '-')}"] += 1
    return f"inbox {unsettled}; posts {_sorted(posts)}; runs {_sorted(runs)}; flows {_sorted(Counter(flows.values()))}"


def _sorted(counts: Counter[str]) -> str:
    return ", ".join(f"{count}x {each}" for each, count in sorted(counts.items()))
