"""What a running bot holds: memory, descriptors, threads, processes, checkouts, databases; read from outside."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

PROC = Path("/proc")
SCRAPE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Vitals:
    """`at`: seconds since the bot was ready. MB for memory and files. `children`: processes below it, of any depth.

    `lag`: the longest the event loop was held up, milliseconds, if it tells.
    """

    at: float
    rss: float
    pss: float
    fds: int
    threads: int
    children: int
    checkouts: int
    sessions: int
    store: float
    engine: float
    log: float
    lag: float | None = None
    open: Mapping[str, int] = field(default_factory=dict)
    """What its descriptors are open to, and how many to each: `socket`, `pipe`, the name of a file."""


async def look(pid: int, data: Path, log: Path, at: float, metrics: str = "") -> Vitals:
    lag = await _lag(metrics) if metrics else None
    return await asyncio.to_thread(_look, pid, data, log, at, lag)


def _look(pid: int, data: Path, log: Path, at: float, lag: float | None) -> Vitals:
    here = PROC / str(pid)
    rollup, kinds = (here / "smaps_rollup").read_text(), _open(here / "fd")
    return Vitals(
        at=at,
        rss=_number(rollup, r"^Rss:\s+(\d+)") / 1024,
        pss=_number(rollup, r"^Pss:\s+(\d+)") / 1024,
        fds=sum(kinds.values()),
        threads=int(_number((here / "status").read_text(), r"^Threads:\s+(\d+)")),
        children=sum(1 for _ in descendants(pid)),
        checkouts=sum(1 for _ in data.glob("workspaces/*/runs/*")),
        sessions=sum(1 for _ in data.glob("sessions/*.json")),
        store=_megabytes(data, "patchbay.db*"),
        engine=_megabytes(data, "engine.db*"),
        log=log.stat().st_size / 1e6,
        lag=lag,
        open=kinds,
    )


def _open(folder: Path) -> Counter[str]:
    found: Counter[str] = Counter()
    for each in folder.iterdir():
        with suppress(FileNotFoundError):  # closed since
            found[each.readlink().name.partition(":")[0]] += 1
    return found


def descendants(pid: int) -> Iterator[int]:
    """Processes that it, or one of its own, has started, and that are still known."""
    parents: dict[int, list[int]] = {}
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(folder.name))
    pending = [pid]
    while pending:
        children = parents.get(pending.pop(), [])
        pending += children
        yield from children


async def _lag(address: str) -> float | None:
    """None: it is not told, or not now."""
    try:
        timeout = aiohttp.ClientTimeout(total=SCRAPE_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(address) as answer:
            text = await answer.text()
    except (aiohttp.ClientError, TimeoutError):
        return None
    found = re.findall(r"^patchbay_loop_lag\w*max\w* (\S+)", text, re.MULTILINE)
    return max(map(float, found)) * 1000 if found else None


def _number(text: str, pattern: str) -> float:
    found = re.search(pattern, text, re.MULTILINE)
    assert found, pattern
    return float(found[1])


def _megabytes(folder: Path, pattern: str) -> float:
    return sum(each.stat().st_size for each in folder.glob(pattern)) / 1e6
