"""Acknowledgements under a steady load, and whether anything blocks the event loop.

    python -m benchmarks.steady --minutes 10

Over HTTP, then by Socket Mode: 17 events a second at an even pace, of which six in ten are commands that are answered,
while five agents work, each streaming its words, writing a file of 100 kB and printing a megabyte.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.steady.agents import PIECE_SECONDS, make_talkative
from benchmarks.steady.load import Load, Measured, people
from tests.end_to_end.stage import OWNER, REPO, stage

RATE, RUNS = 17.0, 5
SETTLE_SECONDS = 5.0
LATE_MS = 50.0
PARTS = (0.5, 0.99, 1)
SHOWN_CALLS = 4


@dataclass(frozen=True, slots=True)
class Loop:
    """Of the bot's event loop: beats by milliseconds late, and those later than 50 ms one by one."""

    beats: dict[int, int]
    late: Sequence[dict[str, Any]]

    @classmethod
    def read(cls, path: Path) -> Loop:
        found = json.loads(path.read_text())
        return cls({int(ms): count for ms, count in found["beats"].items()}, found["late"])

    @property
    def blocked(self) -> list[dict[str, Any]]:
        """Longer than 50 ms without what the operating system took."""
        return [each for each in self.late if net(each) > LATE_MS]

    def share(self, part: float) -> float:
        """Milliseconds late that `part` of the beats stay below."""
        left = sum(self.beats.values()) * part
        for ms in sorted(self.beats):
            left -= self.beats[ms]
            if left <= 0:
                return ms + 1
        return 0.0


def net(late: dict[str, Any]) -> float:
    return float(late["ms"] - late["no_processor_ms"])


@dataclass(frozen=True, slots=True)
class Plan:
    """`late`: milliseconds from which on a beat of the loop is told one by one."""

    mode: str
    seconds: float
    seed: int
    rate: float = RATE
    runs: int = RUNS
    late: float = LATE_MS
    pause: float = PIECE_SECONDS


async def steady(folder: Path, plan: Plan) -> tuple[Measured, Loop]:
    async with stage(folder) as around:
        works = {f"slack:C{number}WORK" for number in range(max(1, plan.runs))}
        chats = [*sorted(works), *(f"slack:C{number}TALK" for number in range(7))]
        around.more |= {"access": {"owners": [f"slack:{OWNER}"], "developers": list(people()), "chats": chats}}
        make_talkative(around.llm, plan.pause)
        bot = around.bot("slack", slack_mode=plan.mode)
        report = folder / "probe.json"
        bot.program = ("-m", "benchmarks.steady.probe", str(report), str(plan.late))
        try:
            await bot.start()
            await around.slack.say("C0WORK", OWNER, f"/create_project SHOP Shop {REPO}")
            await around.slack.wait_for(lambda: any("SHOP" in each.markdown for each in around.slack.posts))
            await asyncio.sleep(SETTLE_SECONDS)
            os.kill(bot.pid, signal.SIGUSR1)
            measured = await Load(around, rate=plan.rate, runs=plan.runs, seed=plan.seed).run(plan.seconds)
            await asyncio.sleep(2.0)
            await bot.stop()
        finally:
            if bot.process is not None and bot.process.returncode is None:
                await bot.kill()
        measured.troubles += [line for line in bot.log.splitlines() if "[error" in line][:20]
        return measured, Loop.read(report)


def told(mode: str, measured: Measured, loop: Loop) -> str:
    acks, answers = sorted(measured.acks), sorted(measured.answers)
    facts = [mode, len(acks), *(_ms(acks, part) for part in PARTS), *(_ms(answers, part) for part in PARTS)]
    facts += [measured.runs, loop.share(0.99), loop.share(0.9999), max(loop.beats, default=0)]
    facts += [f"{max(map(net, loop.late), default=0):.0f}", sum(each["ms"] > LATE_MS for each in loop.late)]
    rows = [f"| {' | '.join(map(str, (*facts, len(loop.blocked))))} |"]
    for each in sorted(loop.late, key=net, reverse=True)[:12]:
        seen = dict.fromkeys(" < ".join(sample[:SHOWN_CALLS]) for sample in each["seen"])
        rows.append(
            f"  at {each['at']:.1f} s: {each['ms']:.0f} ms, of which without a processor {each['no_processor_ms']:.0f},"
            f" computing {each['cpu_ms']:.0f}, garbage {each['garbage_ms']:.0f}; {' | '.join(seen)}"
        )
    rows.append(f"  our own side was held up for {max(measured.lags) * 1000:.0f} ms at most")
    return "\n".join([*rows, *measured.troubles[:10]])


def _ms(times: Sequence[float], part: float) -> str:
    return f"{times[min(len(times) - 1, int(len(times) * part))] * 1000:.0f}" if times else "-"


HEAD = (
    "| mode | events | ack p50 ms | p99 | max | answer p50 ms | p99 | max | runs | loop late p99 ms | p99.99 | max |"
    " max net of the machine | > 50 ms | > 50 ms net |\n" + "|---" * 15 + "|"
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--late", type=float, default=LATE_MS, help="milliseconds from which on the loop is told late")
    parser.add_argument("--only", default="", help="http or socket")
    asked = parser.parse_args()
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n\n{HEAD}")
    for mode in ("http", "socket"):
        if asked.only in mode:
            plan = Plan(mode, asked.minutes * 60, asked.seed, late=asked.late)
            with tempfile.TemporaryDirectory(prefix="steady-") as folder:
                measured, loop = asyncio.run(steady(Path(folder), plan))
            print(told(mode, measured, loop), flush=True)
            print(f"  refused {measured.refused}, not answered {measured.unanswered}")
    print(f"\nload after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
