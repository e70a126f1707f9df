"""A PostgreSQL server of our own, on a port that is free, gone at the end; it may be restarted as by a power cut."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg

from benchmarks.chaos.episode import FORGET, Site, configure, furnish, play
from benchmarks.chaos.lives import Lives
from benchmarks.chaos.plan import Plan, Report
from benchmarks.chaos.state import BOTH_SCHEMAS, Ask
from benchmarks.chaos.world import world
from tests.fakes.local_slack import free_port

PROGRAMS = Path("/usr/lib/postgresql")
"""Where Debian puts them, in a folder for each version."""
TEMPLATE = "template_of_chaos"


class Cluster:
    """`folder` is made; its parents must be open to the account `postgres` when we are root."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self._programs = max(PROGRAMS.glob("*/bin"), key=lambda each: int(each.parent.name))
        self._busy = asyncio.Lock()

    def url(self, name: str) -> str:
        return f"postgresql://patchbay@127.0.0.1:{self._port}/{name}"

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self._make_room)
        await self._run("initdb", "-D", str(self._folder), "-A", "trust", "-U", "patchbay", "--locale=C", "-E", "UTF8")
        await self._start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stop()

    async def restart(self) -> None:
        """Every connection is cut, nothing is written down; the log is replayed at the start."""
        async with self._busy:
            await self._stop()
            await self._start()

    async def there(self) -> None:
        """Once it is no longer being restarted."""
        async with self._busy:
            pass

    def ask(self, name: str) -> Ask:
        def ask(sql: str) -> Sequence[Sequence[Any]]:
            with psycopg.connect(self.url(name), autocommit=True, options=BOTH_SCHEMAS) as server:
                return server.execute(sql.encode()).fetchall()

        return ask

    async def do(self, *statements: str, name: str = "postgres") -> None:
        def do() -> None:
            with psycopg.connect(self.url(name), autocommit=True) as server:
                for each in statements:
                    server.execute(each.encode())

        await asyncio.to_thread(do)

    def _make_room(self) -> None:
        self._folder.mkdir(parents=True)
        if os.getuid() == 0:
            shutil.chown(self._folder, "postgres")
            for each in (self._folder.parent, self._folder.parent.parent):
                each.chmod(each.stat().st_mode | 0o011)

    async def _start(self) -> None:
        options = f"-p {self._port} -k {self._folder} -c listen_addresses=127.0.0.1"
        await self._control("-l", str(self._folder / "log"), "-o", options, "start")

    async def _stop(self) -> None:
        await self._control("-m", "immediate", "stop")

    async def _control(self, *words: str) -> None:
        await self._run("pg_ctl", "-D", str(self._folder), "-w", *words)

    async def _run(self, program: str, *words: str) -> None:
        """As `postgres` when we are root: these programs refuse to work for root."""
        as_postgres = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")
        argv = [*(as_postgres if os.getuid() == 0 else ()), str(self._programs / program), *words]
        process = await asyncio.create_subprocess_exec(
            *argv, cwd="/", stdout=asyncio.subprocess.DEVNULL, stderr=sys.stderr
        )
        if code := await process.wait():
            raise RuntimeError(f"{program} ended with {code}")


async def make_template(cluster: Cluster, lives: Lives, folder: Path) -> Path:
    """As on SQLite; the database to copy is TEMPLATE."""
    await cluster.do(f"CREATE DATABASE {TEMPLATE}")
    async with world(folder) as around:
        await furnish(_site(cluster, TEMPLATE, lives, around))
    await cluster.do(*FORGET, name=TEMPLATE)
    return folder


async def episode(plan: Plan, cluster: Cluster, lives: Lives, folder: Path, template: Path, report: Report) -> None:
    name = f"episode_{plan.number}"
    await cluster.do(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
    async with world(folder, template) as around:
        await play(plan, _site(cluster, name, lives, around), report)
    await cluster.do(f"DROP DATABASE {name} WITH (FORCE)")


def _site(cluster: Cluster, name: str, lives: Lives, around: Any) -> Site:
    ask = cluster.ask(name)
    return Site(lives, around, configure(around, cluster.url(name)), ask, ask, server=cluster)
