"""A stolen database, backup or data folder: forty secrets went in by every way there is, and none can be read in it."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import tarfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import asyncpg  # type: ignore[import-untyped]
import pytest
from pydantic import SecretStr

from adapters.agents.config import CommandConfig
from adapters.chat.telegram.config import TelegramConfig
from adapters.forges import GithubConfig
from adapters.sandbox.unsandboxed import Unsandboxed
from adapters.secrets import Redactor
from adapters.secrets.vault import Vault
from adapters.store import migrate
from bot.app import App
from bot.backup import backup
from bot.config import Access, Allowed, Config, HttpConfig, LogConfig, SecretsConfig
from bot.log import configure
from bot.wiring import build
from core.model.chat import Cause, Person, Said, ThreadRef
from core.model.secrets import Cleaned, SecretRef, of_bot, of_person, of_project
from core.model.work import ProjectKey
from tests.databases import postgres_database
from tests.fakes.platform import FakePlatform

CANARIES = 40
GROUP = ThreadRef("fake", "home", "group")
MIA = Person("fake", "home", "mia", "Mia")


class Canaries:
    def __init__(self) -> None:
        self.made: list[str] = []

    def plain(self) -> str:
        """Of no known shape: only who was told knows it."""
        return self._keep(f"canary {uuid4().hex[:9]}-{uuid4().hex[:9]}/+x")

    def shaped(self) -> str:
        return self._keep("gh" + "p_" + (uuid4().hex * 2)[:36])

    def _keep(self, secret: str) -> str:
        self.made.append(secret)
        return secret


def forms(secret: str) -> Iterator[bytes]:
    """Eight encodings."""
    raw = secret.encode()
    yield raw
    yield quote(secret, safe="").encode()
    yield json.dumps(secret)[1:-1].encode()
    yield raw.hex().encode()
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + raw)
        yield whole[4:-4]
    yield repr(secret)[1:-1].encode().replace(b"+", b"\\+")


def leaks(canaries: Canaries, content: bytes) -> list[int]:
    return [number for number, each in enumerate(canaries.made) if any(form in content for form in forms(each))]


@asynccontextmanager
async def database(kind: str) -> AsyncIterator[str]:
    if kind == "sqlite":
        yield ""
        return
    async with postgres_database() as url:
        await migrate(url, Path())
        yield url


def configuration(folder: Path, url: str, canaries: Canaries) -> Config:
    """Five ways in: by the configuration."""
    return Config(
        data=folder / "data",
        database_url=url,
        log=LogConfig(level="debug"),
        http=HttpConfig(port=0),
        access=Access(
            owners=(Allowed("fake", "", "owner"),),
            developers=(Allowed("fake", "", "mia"),),
            chats=(Allowed("fake", "", "group"),),
        ),
        platforms={
            "telegram": TelegramConfig(token=SecretStr(canaries.plain()), webhook_secret=SecretStr(canaries.plain()))
        },
        forges={"github": GithubConfig(token=SecretStr(canaries.shaped()), webhook_secret=SecretStr(canaries.plain()))},
        agents={"echo": CommandConfig(steps=(("sh", "-c", 'echo "$1" | tee out.txt', "echo", "{words}"),))},
        vault=SecretsConfig(key_file=folder / "patchbay.key"),
    )


async def use(app: App, platform: FakePlatform, config: Config, canaries: Canaries) -> None:
    """By everything that a person can say, and by what the machine's owner sets."""
    await platform.say("/create_project DEMO Demo")
    await platform.shown("is ready")
    for number in range(4):
        await app.vault.put(of_bot(f"B{number}"), canaries.plain())
        await app.vault.put(of_project(ProjectKey("DEMO"), f"P{number}"), canaries.plain())
        await app.vault.put(of_person(MIA, f"M{number}"), canaries.plain())
    for number in range(6):
        await platform.say(f"/secret set S{number} {canaries.plain()}")
        await platform.say(f"/secret set S{number} {canaries.shaped()}", person=MIA, thread=GROUP, is_direct=False)
    for secret in config.secrets()[:3]:
        await platform.say(f"is it {secret}?", thread=GROUP, is_direct=False, is_addressed=False)
    await platform.say(f"/create_task DEMO use {canaries.shaped()}")
    await platform.say(f"/link {canaries.shaped()}")
    await platform.say(f"/unknown {canaries.shaped()}")
    await platform.say(f"{canaries.shaped()} in a title", chat_title=canaries.shaped())
    await platform.say(f"/start {canaries.shaped()}", person=Person("fake", "home", "stranger"))
    said = await platform.say("write this down")
    await platform.deliver(
        replace(said, cause=Cause("fake:home:edit"), text=f"write {canaries.shaped()} down", corrects=said.cause)
    )
    await platform.say(f"first line\n{canaries.shaped()}\nlast line")
    while len(canaries.made) < CANARIES:
        await platform.say(f"note {canaries.shaped()}", thread=GROUP, is_direct=False)
    await app.inbox.until_quiet()
    await platform.shown("first line")


async def live(
    app: App, platform: FakePlatform, config: Config, canaries: Canaries, look: Callable[[], object]
) -> None:
    async def main() -> int:
        await use(app, platform, config, canaries)
        await asyncio.to_thread(look)
        return 0

    async with asyncio.timeout(60):
        await app.run(main)


def files(folder: Path) -> bytes:
    """All of it, also unpacked: databases, what was written ahead, repositories, sessions."""
    return b"\0".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def unpacked(file: Path) -> bytes:
    with tarfile.open(fileobj=gzip.open(file), mode="r:") as tar:
        return b"\0".join(found.read() for each in tar if (found := tar.extractfile(each)) is not None)


async def dump(url: str) -> bytes:
    """Each table, as pg_dump would: by COPY."""
    connection = await asyncpg.connect(url)
    content: list[bytes] = []

    async def keep(part: bytes) -> None:
        content.append(part)

    try:
        tables = await connection.fetch("SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|info)'")
        for each in tables:
            await connection.copy_from_table(each["tablename"], schema_name=each["schemaname"], output=keep)
    finally:
        await connection.close()
    return b"".join(content)


def bot(config: Config, platform: FakePlatform) -> App:
    redactor = Redactor(config.secrets())
    configure(config.log, redactor)
    return build(replace(config, platforms={}), Unsandboxed(), platforms={"fake": platform}, redactor=redactor)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_nothing_that_can_be_stolen_tells_a_secret(
    kind: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    canaries, platform = Canaries(), FakePlatform()
    stolen: dict[str, bytes] = {}
    async with database(kind) as url:
        config = configuration(tmp_path, url, canaries)

        def look() -> None:
            stolen["data folder while it runs"] = files(config.data)
            backup(config, tmp_path / "backup.tar.gz")
            stolen["backup"] = unpacked(tmp_path / "backup.tar.gz")

        await live(bot(config, platform), platform, config, canaries, look)
        stolen["data folder"] = files(config.data)
        if url:
            stolen["dump"] = await dump(url)
    shown = capfd.readouterr()
    stolen["logs"] = f"{shown.out}{shown.err}".encode()
    stolen["posts"] = str([each.history for each in platform.posts]).encode()
    found = {place: leaks(canaries, content) for place, content in stolen.items()}
    count = len(canaries.made)
    print(f"{count - len(set().union(*found.values()))} of {count} canaries, {len(stolen)} places, 8 encodings")  # noqa: T201

    assert count == CANARIES
    assert all(len(content) > 1000 for content in stolen.values()), {place: len(each) for place, each in stolen.items()}
    assert not any(found.values()), found
    assert b"patchbay.key" not in stolen["backup"]


async def test_with_a_vault_that_does_not_seal_and_no_mask_the_same_search_finds_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control."""
    canaries, platform = Canaries(), FakePlatform()
    config = configuration(tmp_path, "", canaries)
    app = bot(config, platform)

    async def plain(vault: Vault, ref: SecretRef, value: str) -> object:
        sealed = await true(vault, ref, value)
        return replace(sealed, words=value)

    async def as_it_is(_source: object, delivery: object, _event: Said) -> Cleaned:
        return Cleaned(delivery)  # type: ignore[arg-type]

    true = Vault._seal
    monkeypatch.setattr(Vault, "_seal", plain)
    app.inbox.clean_by(as_it_is)  # type: ignore[arg-type]
    await live(app, platform, config, canaries, lambda: None)

    found = leaks(canaries, files(config.data))
    assert len(found) > CANARIES // 2, found
