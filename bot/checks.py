"""What `patchbay doctor` looks at: the table of checks, and each of them.

A check may raise a BotError: that is a failure, and its text says what to do.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol, runtime_checkable

from adapters import system
from adapters.agents import AGENTS, AgentTools
from adapters.forges import FORGES, ForgeTools
from adapters.sandbox import choose
from adapters.store import DatabaseStore
from bot.config import Config
from bot.init import CONSOLE, try_platform
from core.model.errors import ConfigError, SandboxError, StoreBusy
from core.model.events import Readiness
from core.ports import Sandbox

GIT_SECONDS = 5.0
OLDEST_PYTHON = (3, 11)
OLDEST_GIT = (2, 31)
"""The first that reads its configuration from GIT_CONFIG_COUNT in the environment."""
LITTLE_BYTES = 1 << 30


class State(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "FAIL"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """`next_step` is never empty for what failed."""

    name: str
    state: State
    text: str
    next_step: str = ""

    @property
    def is_failure(self) -> bool:
        return self.state is State.FAIL


Look = Callable[[], Awaitable[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """`look` finds at least one thing."""

    name: str
    look: Look
    needs_network: bool = False


@runtime_checkable
class CanBeAsked(Protocol):
    """An adapter that can say whether it is usable now; agents can, forges that need a token should."""

    async def ready(self) -> Readiness: ...


@runtime_checkable
class CanLack(Protocol):
    """A platform that can work with less than it is made for."""

    def lacks(self) -> str:
        """What to do about it, known after `connect`; empty: nothing."""


@runtime_checkable
class CanBeClosed(Protocol):
    async def close(self) -> None: ...


def machine_checks(environ: Mapping[str, str]) -> list[Check]:
    """What can be looked at without a configuration."""
    return [Check("python", _python), Check("git", lambda: _git(environ))]


def checks_of(config: Config) -> list[Check]:
    """The table: what is looked at, in this order."""
    return [
        Check("sandbox", lambda: _sandbox(config)),
        Check("data folder", lambda: _folder(config.data)),
        Check("database", lambda: _database(config)),
        Check("http", lambda: _http(config)),
        *[Check(name, _platform(config, name), needs_network=name != CONSOLE) for name in config.platforms],
        *[Check(name, _forge(config, name), needs_network=name != "local") for name in config.forges],
        *[Check(f"agent {name}", _agent(config, name), _is_remote(config, name)) for name in config.agents],
        *([] if config.agents else [Check("agents", _no_agent)]),
    ]


def _is_remote(config: Config, name: str) -> bool:
    return hasattr(config.agents[name], "base_url")


# ------------------------------------------------------------------------------------------ machine


async def _python() -> Finding:
    text = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] < OLDEST_PYTHON:
        return Finding("python", State.FAIL, f"{text} is too old", "Install Python 3.11 or newer.")
    return Finding("python", State.OK, text)


async def _git(environ: Mapping[str, str]) -> Finding:
    step = "Install git: apt install git, dnf install git, brew install git."
    try:
        ended = await system.run(["git", "--version"], environment=dict(environ), seconds=GIT_SECONDS)
    except FileNotFoundError:
        return Finding("git", State.FAIL, "there is no git", step)
    words = ended.text.split()
    text = words[2] if len(words) > 2 else ended.text.strip()
    if git_version(text) < OLDEST_GIT:
        return Finding("git", State.FAIL, f"{text} is older than {'.'.join(map(str, OLDEST_GIT))}", step)
    return Finding("git", State.OK, text)


def git_version(text: str) -> tuple[int, int]:
    """`2.39.5`, `2.39.5.windows.1`; what cannot be read is the oldest."""
    parts = [each for each in text.split(".")[:2] if each.isdigit()]
    return (int(parts[0]), int(parts[1])) if len(parts) == 2 else (0, 0)


async def _sandbox(config: Config) -> Finding:
    if config.sandbox.mode == "off":
        step = "Use it only on a machine made for this, or set `sandbox: auto`."
        return Finding("sandbox", State.WARN, "off: agents see and change whatever this account can", step)
    try:
        chosen = await choose(config.sandbox, [config.data])
    except SandboxError as error:
        text, _, rest = str(error).partition("\n")
        return Finding("sandbox", State.FAIL, text, rest or "Install bubblewrap.")
    tried = _tried(chosen)
    if any(each.startswith("open") for each in tried):
        step = "It holds without, but a wall less stands: a newer kernel or bubblewrap has it."
        return Finding("sandbox", State.WARN, "\n".join((chosen.name, *tried)), step)
    return Finding("sandbox", State.OK, "\n".join((chosen.name, *tried)))


def _tried(sandbox: Sandbox) -> list[str]:
    """What its probe tried at the start, a line each."""
    return [f"{'holds' if each.holds else 'open'}: {each.text}" for each in getattr(sandbox, "findings", ())]


async def _folder(data: Path) -> Finding:
    return await asyncio.to_thread(_look_at_folder, data)


def _look_at_folder(data: Path) -> Finding:
    standing = next(each for each in (data.absolute(), *data.absolute().parents) if each.exists())
    if not standing.is_dir() or not _is_writable(standing):
        step = f"Give this account the right to write there, or set another `data`: chown -R $USER {standing}"
        return Finding("data folder", State.FAIL, f"{standing} cannot be written", step)
    free = shutil.disk_usage(standing).free
    text = f"{data}, {free / 1e9:.1f} GB free" + ("" if data.exists() else ", made at the first start")
    if free < LITTLE_BYTES:
        return Finding("data folder", State.WARN, text, "Make room: checkouts and history grow.")
    return Finding("data folder", State.OK, text)


def _is_writable(folder: Path) -> bool:
    """By doing it: rights alone do not tell of a read-only disk."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


async def _database(config: Config) -> Finding:
    kind = "PostgreSQL" if config.database_url else "SQLite"
    if _is_new(config):
        return Finding("database", State.OK, f"{kind}, made at the first start")
    try:
        async with _opened(config):
            return Finding("database", State.OK, f"{kind}, opened, up to date")
    except StoreBusy:
        text = f"{kind}, in use: the bot is running, or another program"
        return Finding("database", State.WARN, text, "Stop it and look again, if you wanted this one tried.")
    except ConfigError as error:
        return Finding("database", State.FAIL, f"{kind}: {error}", "Run `patchbay migrate`.")


async def access(config: Config) -> Finding:
    """Not beside the others: it opens the database, which is exclusive."""
    owners = len(config.access.owners)
    if not owners and not _is_new(config):
        try:
            async with _opened(config) as store:
                owners = len(await store.owners())
        except StoreBusy:
            return Finding(
                "access", State.WARN, "nobody is configured; who is paired cannot be seen while the bot runs"
            )
    if not owners and set(config.platforms) - {CONSOLE}:
        step = "`patchbay pair` prints a code to say to the bot; or write your id under access.owners."
        return Finding("access", State.FAIL, "nobody may talk to the bot: it has no owner", step)
    access = config.access
    people = sum(map(len, (access.admins, access.developers, access.reviewers, access.viewers)))
    return Finding("access", State.OK, f"{_counted(owners, 'owner')}, {_counted(people, 'other', 'others')}")


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _is_new(config: Config) -> bool:
    return not config.database_url and not (config.data.is_dir() and any(config.data.glob("*.db")))


@asynccontextmanager
async def _opened(config: Config) -> AsyncIterator[DatabaseStore]:
    store = DatabaseStore(config.database_url, config.data)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def _http(config: Config) -> Finding:
    where = f"{config.http.host}:{config.http.port}"
    is_needed = any(getattr(each, "mode", "") in {"webhook", "http"} for each in config.platforms.values())
    try:
        with socket.create_server((config.http.host, config.http.port)):
            pass
    except OSError as error:
        state = State.FAIL if is_needed else State.WARN
        step = "If it is not the bot itself that uses it: set another http.port, or end what does."
        return Finding("http", state, f"{where}: {error.strerror}", step)
    return Finding("http", State.OK, f"{where} is free")


# ----------------------------------------------------------------------------------------- adapters


def _platform(config: Config, name: str) -> Look:
    async def look() -> Finding:
        platform: object = (tried := await try_platform(name, config.platforms[name], config.data))
        text = f"connected as {tried.tenant}"
        if isinstance(platform, CanLack) and (lacks := platform.lacks()):
            return Finding(name, State.WARN, text, lacks)
        return Finding(name, State.OK, text)

    async def console() -> Finding:
        return Finding(name, State.OK, "a chat in the terminal where the bot is started")

    return console if name == CONSOLE else look


def _forge(config: Config, name: str) -> Look:
    async def look() -> Finding:
        # The store is not opened: to be asked whether it is ready, no forge needs its pull requests.
        tools = ForgeTools(config.data, DatabaseStore(config.database_url, config.data))
        forge = FORGES[name].build(config.forges[name], tools)
        try:
            if isinstance(forge, CanBeAsked):
                return _readiness(name, await forge.ready())
            return Finding(name, State.OK, "nothing to try")
        finally:
            if isinstance(forge, CanBeClosed):
                await forge.close()

    return look


def _agent(config: Config, name: str) -> Look:
    async def look() -> Finding:
        section = config.agents[name]
        kind = str(getattr(section, "type", ""))
        try:
            sandbox = await choose(config.sandbox, [config.data])
        except SandboxError:
            return Finding(f"agent {name}", State.FAIL, "no agent runs without a sandbox", "See sandbox above.")
        agent = AGENTS[kind].build(name, section, AgentTools(sandbox, config.data / "sessions"))
        return _readiness(f"agent {name}", await agent.ready())

    return look


def _readiness(name: str, ready: Readiness) -> Finding:
    if ready.is_usable:
        return Finding(name, State.OK, ready.about)
    return Finding(name, State.FAIL, f"{ready.about}: not usable", ready.missing or "See its section.")


async def _no_agent() -> Finding:
    step = "Add one under `agents:`, or set ANTHROPIC_API_KEY, OPENAI_API_KEY or OLLAMA_HOST."
    return Finding("agents", State.FAIL, "there is no agent to do the work", step)
