"""The door among enemies: forged webhooks, slow connections and floods: `python -m benchmarks.hostile`.

    --mutations 20000   changed requests on each webhook; none may be heard, none be answered with 5xx
    --slow 500          half-open and dripping connections at once, all closed within 30 s
    --seconds 10        of each flood, meanwhile /healthz answers: p99 100 ms or less

The last two against `patchbay run` as a process. Ends with 1 if a figure is missed.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import structlog

from benchmarks.hostile.attacks import ATTACKS
from benchmarks.hostile.slow import hold
from benchmarks.hostile.watch import Watch
from tests.adapters.webhooks.bench import keys
from tests.adapters.webhooks.mutants import PER_CLASS
from tests.adapters.webhooks.play import play
from tests.end_to_end.process import ROOT, BotProcess
from tests.end_to_end.stage import stage

CLOSED_SECONDS = 30.0
HEALTH_MS = 100.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int)
    parser.add_argument("--slow", type=int)
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    is_all = asked.mutations is asked.slow is asked.seconds is None
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, seed {asked.seed}\n")
    faults: list[str] = []
    if count := 20_000 if is_all else asked.mutations:
        faults += asyncio.run(_mutations(count, asked.seed))
    slow, seconds = (500, 10.0) if is_all else (asked.slow or 0, asked.seconds or 0.0)
    if slow or seconds:
        faults += asyncio.run(_rude(slow, seconds))
    print(*faults[:20], sep="\n")
    return 1 if faults else 0


async def _mutations(count: int, seed: int) -> list[str]:
    faults = []
    async with keys() as made:
        for sender in made.senders():
            with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
                report = await play(made, sender, Path(folder), count, seed)
            print("\n".join(report.lines()), flush=True)
            faults += report.faults
            if min(report.brought.values()) < PER_CLASS:
                faults.append(f"{sender.name}: a class has fewer than {PER_CLASS}")
    return faults


async def _rude(slow: int, seconds: float) -> list[str]:
    faults = []
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        async with stage(Path(folder)) as around:
            secret = uuid4().hex
            bot = around.bot("telegram", "slack", slack_mode="http")
            bot.config["github"] = {**bot.config["github"], "webhook_secret": secret}
            async with bot:
                if slow:
                    faults += await _slow(around.port, slow)
                if seconds:
                    print("\n| /healthz meanwhile | asked | p50 ms | p99 ms (≤ 100) | max ms | unanswered | MB |")
                    print("|---|---|---|---|---|---|---|")
                    for name in ("nothing", *ATTACKS):
                        faults += await _flood(bot, around.port, name, seconds, secret)
                faults += [line for line in bot.log.splitlines() if "Traceback" in line or "http.failed" in line]
    return faults


async def _slow(port: int, count: int) -> list[str]:
    async with _watched(port) as watch:
        found = await hold(port, count)
    every = [each for times in found.values() for each in times]
    closed = sum(each <= CLOSED_SECONDS for each in every)
    print(
        f"\nslow connections closed within {CLOSED_SECONDS:.0f} s: {closed} of {len(every)}; /healthz meanwhile: ",
        end="",
    )
    print(f"p99 {watch.ms(0.99):.0f} ms, {watch.unanswered} of {len(watch.seconds) + watch.unanswered} unanswered")
    for name, times in found.items():
        print(f"  {name}: {len(times)}, closed after {min(times):.1f} to {max(times):.1f} s")
    return _missed("slow connections", watch) + ([] if closed == len(every) else [f"{len(every) - closed} stayed open"])


async def _flood(bot: BotProcess, port: int, name: str, seconds: float, secret: str) -> list[str]:
    attack = None
    if name in ATTACKS:
        attack = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "benchmarks.hostile.attacks", name, str(port)),
            cwd=ROOT,
            env={**os.environ, "WEBHOOK_SECRET": secret},
            stderr=asyncio.subprocess.DEVNULL,
        )
        await asyncio.sleep(1.0)  # it begins
    try:
        async with _watched(port) as watch:
            await asyncio.sleep(seconds)
    finally:
        if attack is not None:
            attack.kill()
            await attack.wait()
    memory = _memory(bot.pid)
    figures = f"{watch.ms(0.5):.1f} | {watch.ms(0.99):.0f} | {watch.ms(1):.0f} | {watch.unanswered}"
    print(f"| {name} | {len(watch.seconds)} | {figures} | {memory:.0f} |", flush=True)
    return _missed(name, watch)


def _missed(name: str, watch: Watch) -> list[str]:
    is_met = watch.ms(0.99) <= HEALTH_MS and not watch.unanswered
    return [] if is_met else [f"{name}: /healthz p99 {watch.ms(0.99):.0f} ms, {watch.unanswered} unanswered"]


@asynccontextmanager
async def _watched(port: int) -> AsyncIterator[Watch]:
    watch = Watch(port)
    task = asyncio.create_task(watch.work())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _memory(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


if __name__ == "__main__":
    began = time.monotonic()
    code = main()
    print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    sys.exit(code)
