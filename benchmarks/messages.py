"""`python -m benchmarks.messages`: messages answered in a second, and how soon, beside bare bots, in the same run."""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.bots import USERS, Bot, Keys, bare, fake, patchbay
from benchmarks.crowd import Measured
from benchmarks.wire import ask

LOW_RATE = 25.0
WARM_SECONDS = 1.0
SETTLE_SECONDS = 2.5
"""After the first sign of life: what is imported later is not what is measured here."""

COMMITS, COMMIT_PAUSE_SECONDS = 100, 0.01

Start = Callable[[str, Keys], AbstractContextManager[Bot]]


@dataclass(slots=True)
class Subject:
    """`against` names the bare bot that it is compared with."""

    name: str
    platform: str
    start: Start
    against: str = ""
    load: list[Measured] = field(default_factory=list)
    low: list[Measured] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def median(self, of: Callable[[Subject], Sequence[float]]) -> float:
        return statistics.median(of(self))


@contextmanager
def _ours(platform: str, keys: Keys, section: dict[str, Any], name: str) -> Iterator[Bot]:
    with patchbay(platform, keys, {name: section}) as bot:
        yield bot


SUBJECTS = (
    Subject("python-telegram-bot", "telegram", lambda base, keys: bare("telegram", base, keys)),
    Subject(
        "Patchbay, Telegram",
        "telegram",
        lambda base, keys: _ours(base, keys, {}, "telegram"),
        "python-telegram-bot",
    ),
    Subject("Bolt, HTTP", "slack", lambda base, keys: bare("slack", base, keys)),
    Subject("Patchbay, Slack", "slack", lambda base, keys: _ours(base, keys, {"mode": "http"}, "slack"), "Bolt, HTTP"),
    Subject("raw protocol, Telegram", "telegram", lambda base, keys: bare("raw-telegram", base, keys)),
    Subject("raw protocol, Slack", "slack", lambda base, keys: bare("raw-slack", base, keys)),
)


def measure(subject: Subject, platform: str, seconds: float) -> None:
    """One round: low load, then as much as goes."""
    keys = Keys()
    with subject.start(platform, keys) as bot:
        time.sleep(SETTLE_SECONDS)
        asked = {"platform": subject.platform, "users": USERS, "warm": WARM_SECONDS, "seconds": seconds}
        if subject.platform == "slack":
            asked |= {"url": bot.address, "secret": keys.signing}
        first = Measured(**ask(platform, "/control/crowd", **asked | {"rate": LOW_RATE, "seconds": 1.0}))
        low = Measured(**ask(platform, "/control/crowd", **asked | {"rate": LOW_RATE}))
        before = bot.cpu()
        load = Measured(**ask(platform, "/control/crowd", **asked | {"rate": 0.0}))
        subject.low.append(low)
        subject.load.append(load)
        subject.cpu.append((bot.cpu() - before) / max(1, load.answered) * 1000)
        _check(subject, bot, first.said + low.said + load.said, sum(each.answered for each in (first, low, load)))


def _check(subject: Subject, bot: Bot, said: int, answered: int) -> None:
    """Every message is answered, and has a row in the inbox and one in the outbox."""
    if answered != said:
        raise RuntimeError(f"{subject.name}: {said} messages, {answered} answers")
    if bot.data is not None:
        rows = {table: bot.rows(table) for table in ("inbox", "posts")}
        if set(rows.values()) != {said}:
            raise RuntimeError(f"{subject.name}: {said} messages, rows {rows}")


def table(subjects: Sequence[Subject]) -> str:
    lines = [
        "| subject | closed loop msg/s | ratio | p50 ms | p95 ms | low load p50 ms | ratio | p95 ms | CPU s / 1,000 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    known = {each.name: each for each in subjects}
    for each in subjects:
        rate, low = each.median(_rates), each.median(_lows)
        other = known.get(each.against)
        more = f"{rate / other.median(_rates):.2f} x" if other else ""
        slower = f"{low / other.median(_lows):.2f} x" if other else ""
        lines.append(
            f"| {each.name} | {rate:,.0f} | {more} | {each.median(lambda s: [m.p50 for m in s.load]):.1f}"
            f" | {each.median(lambda s: [m.p95 for m in s.load]):.1f} | {low:.2f} | {slower}"
            f" | {each.median(lambda s: [m.p95 for m in s.low]):.2f} | {each.median(lambda s: s.cpu):.2f} |"
        )
    return "\n".join(lines)


def disk() -> str:
    """What one FULL commit costs here and now: a message waits for two, one after the other."""
    with (
        tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder,
        closing(sqlite3.connect(Path(folder) / "probe.db", isolation_level=None)) as database,
    ):
        for words in ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "CREATE TABLE probe (words TEXT)"):
            database.execute(words)
        times = sorted(_commit(database) for _ in range(COMMITS))
    return f"one FULL commit on this disk: p50 {times[COMMITS // 2]:.2f} ms, p95 {times[COMMITS * 95 // 100]:.2f} ms"


def _commit(database: sqlite3.Connection) -> float:
    time.sleep(COMMIT_PAUSE_SECONDS)
    began = time.perf_counter()
    database.execute("INSERT INTO probe VALUES (?)", ("x" * 600,))
    return (time.perf_counter() - began) * 1000


def _rates(subject: Subject) -> list[float]:
    return [each.rate for each in subject.load]


def _lows(subject: Subject) -> list[float]:
    return [each.p50 for each in subject.low]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    parser.add_argument("--only", default="", help="subjects whose name holds this")
    given = parser.parse_args()
    subjects = [each for each in SUBJECTS if given.only.lower() in each.name.lower()]
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {disk()}")
    with fake() as platform:
        for _ in range(given.rounds):
            for each in subjects:
                measure(each, platform, given.seconds)
                print(f"{each.name}: {each.load[-1].rate:.0f}/s, p50 {each.low[-1].p50:.2f} ms", flush=True)
    print(f"load after: {os.getloadavg()[0]:.1f}; {disk()}\n\n{table(subjects)}")


if __name__ == "__main__":
    main()
