"""An episode: a world, people in it, a bot that is killed again and again, then rest, and a look at everything."""

from __future__ import annotations

import asyncio
import random
import signal
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import yaml

from benchmarks.chaos.awake import Awake
from benchmarks.chaos.calls import trace
from benchmarks.chaos.controls import CONTROLS
from benchmarks.chaos.lives import Ended, Lives
from benchmarks.chaos.look import look, read
from benchmarks.chaos.people import AGENTS, Ledger, Person, everybody
from benchmarks.chaos.plan import Plan, Report, aims
from benchmarks.chaos.points import Aim, Point
from benchmarks.chaos.state import Ask, at_rest, durable_state, sqlite, under_way
from benchmarks.chaos.world import World, world

SET_UP_SECONDS = 60.0
"""The most that an answer may take while a world is furnished."""
LOOK_SECONDS = 0.05
QUIET_SECONDS = 0.3
"""After that nothing more may come."""
CROWD = 6
"""People at once."""
CONTROL_LIVES, CONTROL_EPISODES, CONTROL_SECONDS = 10, 10, 6.0
"""In each episode, and how many there may be; what such a build has lost is not waited for any longer."""
LAST_LIVES = 3
TRIES = 50
"""Of a start that is refused."""

FOR_EVER = Aim(within=0.0)
REFUSED = 2
"""The code with which a bot ends that cannot start."""
RESTART_SECONDS = 1.5
"""So much longer may a life be in which the server is restarted."""


class Server(Protocol):
    """Of the database, where it has one."""

    async def restart(self) -> None: ...

    async def there(self) -> None: ...


@dataclass(frozen=True)
class Site:
    """Where a bot lives its lives. `ask` reads what the Store keeps, `engine` what the engine does."""

    lives: Lives
    around: World
    config: Path
    ask: Ask
    engine: Ask
    control: str = ""
    server: Server | None = None

    @property
    def log(self) -> Path:
        return self.around.folder / "log"

    async def start(self, aim: Aim = FOR_EVER) -> None:
        await self.lives.start(self.config, self.log, aim, self.control)
        if aim.call:
            await trace(self.lives.pid, aim)

    async def stop(self) -> int:
        if self.lives.is_over:
            return 0
        self.lives.signal(signal.SIGTERM)
        return (await self.lives.ended()).code


def settle(lives: Lives, around: World, control: str = "") -> Site:
    """On SQLite, in the world's own folder."""
    store, engine = (_ask_sqlite(around.data / name) for name in ("patchbay.db", "engine.db"))
    return Site(lives, around, configure(around), store, engine, control)


def configure(around: World, database_url: str = "") -> Path:
    path = around.folder / "config.yaml"
    path.write_text(yaml.safe_dump(around.config(database_url), allow_unicode=True))
    return path


async def episode(plan: Plan, lives: Lives, folder: Path, template: Path, report: Report) -> None:
    """`folder` is made. A fault bears the episode's name."""
    async with world(folder, template) as around:
        await play(plan, settle(lives, around, plan.control), report)


async def try_control(name: str, seed: int, lives: Lives, folder: Path, template: Path) -> Report:
    """Episodes of a build with this fault, until one shows it."""
    report = Report()
    for number in range(CONTROL_EPISODES):
        plan = Plan(seed, number, CONTROL_LIVES, name, CONTROLS[name].ops, patience=CONTROL_SECONDS)
        await episode(plan, lives, folder / f"{name}-{number}", template, report)
        if CONTROLS[name].is_seen(report.faults):
            break
    return report


async def play(plan: Plan, site: Site, report: Report) -> None:
    ledger, faults = Ledger(), []
    people = everybody(site.around, ledger, plan.name, CROWD)
    try:
        async with _about(people) as talks:
            faults += await _be_killed(plan, site, report)
            for person in people:
                person.is_leaving = True
            resumed, done = await _recover(site, talks, plan.patience)
        report.resumed_seconds = max(report.resumed_seconds, resumed)
        report.done_seconds = max(report.done_seconds, done)
    except TimeoutError as error:
        faults.append(f"never at rest: {error}")
    faults += await _end(site)
    found = look(site.around, ledger, read(site.ask))
    report.found.append(found)
    report.faults += [f"[{plan.name}] {each}" for each in (*faults, *found.faults)]


async def _be_killed(plan: Plan, site: Site, report: Report) -> list[str]:
    """A life for each aim; what ended otherwise than it was meant to."""
    faults, dice = [], random.Random(f"{plan.name}/restarts")
    for aim in aims(plan, site.lives.ops):
        ended = await _life(plan, site, aim, dice, report)
        if ended.code not in {-signal.SIGKILL, -signal.SIGALRM}:
            faults.append(f"life {report.lives} ended by itself with {ended.code}")
        report.add(ended.point or _killed_at(aim, ended, site))
    return faults


async def _life(plan: Plan, site: Site, aim: Aim, dice: random.Random, report: Report) -> Ended:
    """One that was killed: a start ends by itself while the server is away, or still believes in the last life."""
    for _ in range(TRIES):
        restart = None
        if site.server is not None and dice.random() < plan.restarts:
            restart = asyncio.create_task(_restart(site.server, dice.uniform(0.0, 0.8)))
            aim = replace(aim, within=aim.within + RESTART_SECONDS)
            report.restarts += 1
        await site.start(aim)
        ended = await site.lives.ended()
        if restart is not None:
            await restart
        if ended.code <= 0 or (ended.code != REFUSED and restart is None):
            break
        report.refused += 1
        await asyncio.sleep(0.1)
    return ended


async def _restart(server: Server, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await server.restart()


def _killed_at(aim: Aim, ended: Ended, site: Site) -> Point | None:
    """The system call that ended it; None: it was the clock."""
    if not aim.call or ended.code != -signal.SIGKILL:
        return None
    return Point(f"{aim.call}()", "before", durable_state("", site.around.data), 0.0)


async def _recover(site: Site, talks: Sequence[asyncio.Task[None]], patience: float) -> tuple[float, float]:
    """A life that is not ended, until everything is at rest.

    Seconds until all that was cut had gone on, and until everything was done, what people said meanwhile too.
    """
    cut = under_way(site.ask, site.engine)
    await site.start()
    stuck, left = partial(_stuck, site, cut), partial(_left, site, talks)
    resumed = await until(lambda: not stuck(), lambda: f"not taken up again: {stuck()}", patience)
    done = resumed + await until(lambda: not left(), left, patience)
    await asyncio.sleep(QUIET_SECONDS)
    return resumed, done


async def _end(site: Site) -> list[str]:
    """Cleanly; and again where the bot was about to say something of its own, an alert perhaps. What went wrong."""
    for _ in range(LAST_LIVES):
        try:
            code = await site.stop()
        except TimeoutError as error:
            return [f"the last life: {error}"]
        if code:
            return [f"the last life ended with {code}"]
        if not at_rest(site.ask):
            break
        await site.start()
        with suppress(TimeoutError):
            await until(lambda: not at_rest(site.ask))
    return []


def _stuck(site: Site, cut: Mapping[str, str]) -> list[str]:
    """What stands where it stood."""
    now = under_way(site.ask, site.engine)
    return [name for name, how in cut.items() if now.get(name) == how]


def _left(site: Site, talks: Sequence[asyncio.Task[None]]) -> str:
    """What is not over yet; empty: nothing."""
    if site.around.telegram.updates:
        return f"{len(site.around.telegram.updates)} updates"
    talking = [each for each in talks if not each.done()]
    return f"{len(talking)} people talk" if talking else at_rest(site.ask)


async def until(claim: Callable[[], bool], why_not: Callable[[], str] = str, seconds: float = SET_UP_SECONDS) -> float:
    """The seconds that it took. TimeoutError, with what is in the way."""
    awake = Awake()
    while not claim():
        if awake.look() > seconds:
            raise TimeoutError(why_not())
        await asyncio.sleep(LOOK_SECONDS)
    return awake.look()


@asynccontextmanager
async def _about(people: Sequence[Person]) -> AsyncIterator[list[asyncio.Task[None]]]:
    """People talk and tend; at the end all of it is over, and what failed in one is raised."""
    talks = [asyncio.create_task(each.talk()) for each in people]
    tends = [asyncio.create_task(each.tend()) for each in people]
    try:
        yield talks
    finally:
        for each in (*talks, *tends):
            each.cancel()
        for task in (*talks, *tends):
            with suppress(asyncio.CancelledError):
                await task


def _ask_sqlite(path: Path) -> Ask:
    def ask(sql: str) -> Sequence[Sequence[object]]:
        connection = sqlite(path)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    return ask


# ------------------------------------------------------------------------------------------ template


async def make_template(lives: Lives, folder: Path) -> Path:
    """A world in which the project is made and every chat is linked; episodes begin with a copy of it."""
    async with world(folder) as around:
        site = settle(lives, around)
        await furnish(site)
        connection = sqlite3.connect(around.data / "patchbay.db")
        with connection:
            for statement in FORGET:
                connection.execute(statement)
        connection.close()
    return folder


FORGET = tuple(f"DELETE FROM {table}" for table in ("inbox", "cursors", "posts", "buttons"))
"""What was said: the platforms of the next world count their messages from the same number."""


async def furnish(site: Site) -> None:
    """One life, in which people say what the project is and who works where."""
    await site.start()
    people = everybody(site.around, Ledger(), "template", most=99)
    first = people[0].place
    await first.say("/create_project DEMO Demo acme/shop")
    await until(lambda: any("linked to it" in each.text for each in first.seen()))
    for each in people[:-1]:
        before = len(each.place.seen())
        await each.place.say(f"/link DEMO {AGENTS[int(each.name) % 3]}")
        await until(partial(_has_more, each, before))
    await until(lambda: not at_rest(site.ask))
    assert await site.stop() == 0


def _has_more(person: Person, before: int) -> bool:
    return len(person.place.seen()) > before
