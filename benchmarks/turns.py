"""`python -m benchmarks.turns`: how soon a person sees a sign, and what the bot adds to an agent's own time."""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.bots import Keys, fake, patchbay
from benchmarks.fake import AGENT_SECONDS
from benchmarks.wire import ask

SETTLE_SECONDS = 3.0
PAUSE_SECONDS = 0.6
"""Between rounds: what the last one leaves behind (anchor, workspace) is not the next one's."""

AGENTS = ("model", "command")


@dataclass(slots=True)
class Measured:
    """Milliseconds."""

    signs: list[float] = field(default_factory=list)
    added: list[float] = field(default_factory=list)


@contextmanager
def _bot(platform: str) -> Iterator[None]:
    agents: dict[str, Any] = {
        "model": {"type": "openai", "base_url": f"{platform}/v1", "api_key": "unused", "model": "bench"},
        "command": {"type": "command", "steps": [["sleep", str(AGENT_SECONDS)]]},
    }
    with patchbay(platform, Keys(), {"telegram": {}, "agents": agents}):
        time.sleep(SETTLE_SECONDS)
        yield


def measure(platform: str, users: int, agent: str, rounds: int) -> Measured:
    """Each user has a project, a chat and an agent; all speak at the same moment. The first round only warms."""
    measured = Measured()
    with _bot(platform):
        for line in ("/create_project P{user} Project", f"/link P{{user}} {agent}"):
            _answers(platform, users, line, posts=1)
        for number in range(rounds + 1):
            for calls in _answers(platform, users, "look at it", posts=2):
                first, last = _first(calls), _last(calls)
                if number:
                    measured.signs.append(first)
                    measured.added.append(last - AGENT_SECONDS * 1000)
            time.sleep(PAUSE_SECONDS)
    return measured


def _answers(platform: str, users: int, text: str, posts: int) -> list[list[list[Any]]]:
    answers: list[list[list[Any]]] = ask(platform, "/control/turns", users=users, text=text, posts=posts)
    for calls in answers:
        if sum(method == "sendMessage" for _, method, _ in calls) < posts:
            raise RuntimeError(f"{text!r} was not answered: {calls}")
        if calls[-1][2].startswith("❌"):
            raise RuntimeError(f"{text!r} went wrong: {calls[-1][2]}")
    return answers


def _first(calls: list[list[Any]]) -> float:
    """A reaction, or the anchor."""
    return float(next(at for at, method, _ in calls if method in {"setMessageReaction", "sendMessage"}) * 1000)


def _last(calls: list[list[Any]]) -> float:
    """The answer is a new message, after the anchor."""
    return float([at for at, method, _ in calls if method == "sendMessage"][1] * 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--only", default="", help="the agent: model or command")
    given = parser.parse_args()
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    print("| agent | users | first sign ms, p50 | worst | added ms, p50 | worst |\n|---|---|---|---|---|---|")
    with fake() as platform:
        for agent in AGENTS:
            for users in (1, 8) if given.only in agent else ():
                found = measure(platform, users, agent, given.rounds)
                sign, more = statistics.median(found.signs), statistics.median(found.added)
                shown = f"{sign:.1f} | {max(found.signs):.1f} | {more:.0f} | {max(found.added):.0f}"
                print(f"| {agent} | {users} | {shown} |", flush=True)
    print(f"\nload after: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
