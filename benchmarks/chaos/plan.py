"""What an episode is to be, made of a seed and a number; and what came of episodes."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.chaos.look import Found
from benchmarks.chaos.points import AFTER, BEFORE, Aim, Point

RECOVERY_SECONDS = 10.0

CALLS = {
    "fsync": 6,
    "fdatasync": 60,
    "pwrite64": 200,
    "write": 100,
    "writev": 5,
    "sendto": 60,
    "sendmsg": 5,
    "connect": 8,
    "openat": 60,
    "rename": 3,
    "unlink": 5,
    "mkdir": 3,
    "ftruncate": 3,
    "fcntl": 100,
    "epoll_wait": 100,
    "futex": 200,
    "clone3": 10,
    "vfork": 5,
}
"""System calls, and how often at the most until the end. A thread counts its own."""


@dataclass(frozen=True)
class Plan:
    """`seed` and `number` name an episode: with them it is played again.

    `control`: the fault that is built in, empty: none. `ops`: operations at which every life ends, none: at any.
    `by_calls`: lives end at system calls. `restarts`: the part of them in which the database's server is restarted.
    `patience`: seconds, the most that everything may take to come to rest.
    """

    seed: int
    number: int
    lives: int
    control: str = ""
    ops: Sequence[tuple[str, str]] = ()
    by_calls: bool = False
    restarts: float = 0.0
    patience: float = 60.0

    @property
    def name(self) -> str:
        return f"{self.seed}/{self.number}"


def aims(plan: Plan, ops: Sequence[str]) -> list[Aim]:
    """A third anywhere, more of it early; the rest at an operation of each kind as often as of any other."""
    dice = random.Random(f"{plan.name}/aims")
    return [_aim(plan, ops, dice) for _ in range(plan.lives)]


def _aim(plan: Plan, ops: Sequence[str], dice: random.Random) -> Aim:
    if plan.by_calls:
        call = dice.choice(list(CALLS))
        return Aim(nth=_early(CALLS[call], dice), within=dice.uniform(2.0, 4.0), call=call)
    if plan.ops:
        op, phase = dice.choice(plan.ops)
        return Aim(op, phase, dice.choice([1, 1, 2]), within=2.0)
    if dice.random() < 0.35:
        return Aim(nth=_early(600, dice), within=1.2)
    nth = dice.choice([1, 1, 1, 2, 3, 5])
    return Aim(dice.choice(ops), dice.choice([BEFORE, AFTER]), nth, within=dice.uniform(0.3, 0.9))


def _early(most: int, dice: random.Random) -> int:
    """From 1 to `most`, as often between 1 and 10 as between 10 and 100."""
    return int(math.exp(dice.uniform(0, math.log(most))))


@dataclass
class Report:
    """Of any number of episodes. Seconds are of the slowest."""

    lives: int = 0
    points: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    calls: int = 0
    """Lives that were ended at a system call."""
    recovering: int = 0
    """Lives that were ended before the bot was up again."""
    idle: int = 0
    """Lives that the clock ended, for nothing happened any more."""
    refused: int = 0
    """Starts that were refused, because the server was away or had not noticed yet that the last life was over."""
    restarts: int = 0
    up_seconds: float = 0.0
    """From the start of a life until the engine went on with what was open."""
    resumed_seconds: float = 0.0
    """From the start of a last life until all that was cut had gone on."""
    done_seconds: float = 0.0
    """From the start of a last life until everything was done, what people said meanwhile too."""
    found: list[Found] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, point: Point | None) -> None:
        self.lives += 1
        if point is None:
            self.idle += 1
            return
        self.points[point.op, point.phase, point.state] += 1
        self.calls += point.op.endswith("()")
        self.recovering += not point.up_after
        self.up_seconds = max(self.up_seconds, point.up_after)

    def include(self, other: Report) -> None:
        """Another worker's."""
        for name in ("lives", "calls", "recovering", "idle", "refused", "restarts"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("up_seconds", "resumed_seconds", "done_seconds"):
            setattr(self, name, max(getattr(self, name), getattr(other, name)))
        self.points += other.points
        self.found += other.found
        self.faults += other.faults

    def verdict(self) -> list[str]:
        """What went wrong, slowness too."""
        slow = f"all that was cut had gone on only {self.resumed_seconds:.1f} s after a start"
        return self.faults + [slow] * (self.resumed_seconds > RECOVERY_SECONDS)

    def table(self) -> str:
        ops, states = {(op, phase) for op, phase, _ in self.points}, {state for *_, state in self.points}
        total = {name: sum(getattr(each, name) for each in self.found) for name in ("said", "runs", "pulls", "posts")}
        rows = [
            ("lives ended", self.lives),
            ("of these before the bot was up again", self.recovering),
            ("of these by the clock, nothing to do", self.idle),
            ("distinct (operation, before or after, state)", len(self.points)),
            *([("ended at a system call", self.calls)] * bool(self.calls)),
            ("operations, before or after", len(ops)),
            ("states", len(states)),
            *(
                [("restarts of the database's server", self.restarts), ("starts refused", self.refused)]
                * bool(self.restarts)
            ),
            ("deliveries acknowledged", total["said"]),
            ("runs", total["runs"]),
            ("of these left to a person, cut too often", sum(each.given_up for each in self.found)),
            ("pull requests", total["pulls"]),
            ("posts", total["posts"]),
            ("labelled second posts on Telegram", sum(each.labelled for each in self.found)),
            ("slowest start until up, seconds", round(self.up_seconds, 1)),
            ("slowest start until all that was cut had gone on, seconds", round(self.resumed_seconds, 1)),
            ("slowest start until everything was done, seconds", round(self.done_seconds, 1)),
            ("faults", len(self.verdict())),
        ]
        return "\n".join(
            ["| | |", "|---|---|", *(f"| {name} | {number:,} |" for name, number in rows), "", *self.verdict()]
        )

    def by_operation(self) -> str:
        """How many distinct states each was met in."""
        counts = Counter((op, phase) for op, phase, _ in self.points)
        ops = sorted({op for op, _ in counts})
        rows = [f"| {op} | {counts[op, BEFORE]:,} | {counts[op, AFTER]:,} |" for op in ops]
        return "\n".join(["| operation | before | after |", "|---|---|---|", *rows])
