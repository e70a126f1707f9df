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


@dataclass(frozen=True)
class Plan:
    """`seed` and `number` name an episode: with them it is played again.

    `control`: the fault that is built in, empty: none. `aims`: operations at which every life ends, none: at any.
    `restarts`: a part of the lives in which the database's server is restarted as well.
    """

    seed: int
    number: int
    lives: int
    control: str = ""
    aims: Sequence[tuple[str, str]] = ()
    restarts: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.seed}/{self.number}"


def aims(plan: Plan, ops: Sequence[str]) -> list[Aim]:
    """A third anywhere, more of it early; the rest at an operation of each kind as often as of any other."""
    dice = random.Random(f"{plan.name}/aims")
    found = []
    for _ in range(plan.lives):
        if plan.aims:
            op, phase = dice.choice(plan.aims)
            found.append(Aim(op, phase, dice.choice([1, 1, 2]), within=2.0))
        elif dice.random() < 0.35:
            found.append(Aim(nth=int(math.exp(dice.uniform(0, math.log(600)))), within=1.2))
        else:
            nth = dice.choice([1, 1, 1, 2, 3, 5])
            found.append(Aim(dice.choice(ops), dice.choice([BEFORE, AFTER]), nth, within=dice.uniform(0.3, 0.9)))
    return found


@dataclass
class Report:
    """Of any number of episodes. Seconds are of the slowest."""

    lives: int = 0
    points: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    recovering: int = 0
    """Lives that were ended before the bot was up again."""
    idle: int = 0
    """Lives that the clock ended, for nothing happened any more."""
    refused: int = 0
    """Starts that were refused, because the server was away or had not noticed yet that the last life was over."""
    restarts: int = 0
    up_seconds: float = 0.0
    """From the start of a life until the engine went on with what was open."""
    done_seconds: float = 0.0
    """From the start of a last life until all that was cut was done and said."""
    found: list[Found] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, point: Point | None) -> None:
        self.lives += 1
        if point is None:
            self.idle += 1
            return
        self.points[point.op, point.phase, point.state] += 1
        self.recovering += not point.up_after
        self.up_seconds = max(self.up_seconds, point.up_after)

    def include(self, other: Report) -> None:
        """Another worker's."""
        for name in ("lives", "recovering", "idle", "refused", "restarts"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("up_seconds", "done_seconds"):
            setattr(self, name, max(getattr(self, name), getattr(other, name)))
        self.points += other.points
        self.found += other.found
        self.faults += other.faults

    def table(self) -> str:
        ops, states = {(op, phase) for op, phase, _ in self.points}, {state for *_, state in self.points}
        total = {name: sum(getattr(each, name) for each in self.found) for name in ("said", "runs", "pulls", "posts")}
        rows = [
            ("lives ended", self.lives),
            ("of these before the bot was up again", self.recovering),
            ("of these by the clock, nothing to do", self.idle),
            ("distinct (operation, before or after, state)", len(self.points)),
            ("operations, before or after", len(ops)),
            ("states", len(states)),
            *(
                [("restarts of the database's server", self.restarts), ("starts refused", self.refused)]
                * bool(self.restarts)
            ),
            ("deliveries acknowledged", total["said"]),
            ("runs", total["runs"]),
            ("pull requests", total["pulls"]),
            ("posts", total["posts"]),
            ("labelled second posts on Telegram", sum(each.labelled for each in self.found)),
            ("slowest start until up, seconds", round(self.up_seconds, 1)),
            ("slowest start until all was done, seconds", round(self.done_seconds, 1)),
            ("faults", len(self.faults)),
        ]
        return "\n".join(
            ["| | |", "|---|---|", *(f"| {name} | {number:,} |" for name, number in rows), "", *self.faults]
        )

    def by_operation(self) -> str:
        """How many distinct states each was met in."""
        counts = Counter((op, phase) for op, phase, _ in self.points)
        ops = sorted({op for op, _ in counts})
        rows = [f"| {op} | {counts[op, BEFORE]:,} | {counts[op, AFTER]:,} |" for op in ops]
        return "\n".join(["| operation | before | after |", "|---|---|---|", *rows])
