"""`python -m benchmarks.start`: from the start of the process to its first answer, and the memory it needs."""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.bots import Keys, fake, patchbay
from benchmarks.fake import AGENT_SECONDS
from benchmarks.wire import ask

IDLE_SECONDS = 5.0
"""After the first answer the engine is ready and all is imported that a bot without work needs."""


def measure(platform: str, data: Path, sections: dict[str, Any]) -> tuple[float, float, float]:
    """Seconds to the first answer; MB when idle; MB at the highest, after one run."""
    began = time.perf_counter()
    with patchbay(platform, Keys(), sections, data) as bot:
        _say(platform, "/status", 1)
        answered = time.perf_counter() - began
        time.sleep(IDLE_SECONDS)
        idle = bot.memory()
        _say(platform, "/create_project P1 Project", 1)
        _say(platform, "/link P1 command", 1)
        _say(platform, "look at it", 2)
        return answered, idle, bot.memory("VmHWM")


def _say(platform: str, text: str, posts: int) -> None:
    (calls,) = ask(platform, "/control/turns", users=1, text=text, posts=posts)
    if sum(method == "sendMessage" for _, method, _ in calls) < posts:
        raise RuntimeError(f"{text!r} was not answered: {calls}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    agents = {"command": {"type": "command", "steps": [["sleep", str(AGENT_SECONDS)]]}}
    sections = {"telegram": {}, "agents": agents}
    found: dict[str, list[tuple[float, float, float]]] = {"fresh": [], "warm": []}
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    with fake() as platform:
        for _ in range(given.rounds):
            with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as folder:
                for rounds in found.values():
                    rounds.append(measure(platform, Path(folder) / "data", sections))
    print("| data folder | first answer s | worst | idle MB | peak MB after a run |\n|---|---|---|---|---|")
    median: Callable[[list[float]], float] = statistics.median
    for name, rounds in found.items():
        first, idle, peak = ([each[at] for each in rounds] for at in range(3))
        print(f"| {name} | {median(first):.2f} | {max(first):.2f} | {median(idle):.0f} | {median(peak):.0f} |")
    print(f"\nload after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
