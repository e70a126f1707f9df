"""`patchbay secrets`: what is in the vault, by name. The bot may be running meanwhile."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from adapters.secrets import MIN_LENGTH, Redactor
from adapters.secrets.keys import GivenKeys, KeyFile, Keys, new_key
from adapters.secrets.vault import Vault
from bot.config import Config
from bot.config.load import KEY_FILE
from core.model.chat import Person
from core.model.errors import BadAsk, NotFound
from core.model.secrets import NAME, SecretRef, of_bot, of_person, of_project
from core.model.work import ProjectKey

if TYPE_CHECKING:
    from adapters.store import SecretsBeside


def keys_of(config: Config) -> Keys:
    given = config.vault.key.get_secret_value()
    if given:
        return GivenKeys(given)
    return KeyFile(config.vault.key_file or config.data.absolute().parent / KEY_FILE)


def ref_of(name: str, project: str, person: str) -> SecretRef:
    """BadAsk. `person`: as in the configuration, `slack:T1/U1`."""
    if not NAME.fullmatch(name):
        raise BadAsk(
            f"`{name[:40]}` cannot be the name of a secret: a letter, then letters, digits, . _ and -, up to 64."
        )
    if project and person:
        raise BadAsk("A secret is a project's or a person's, not both.")
    if project:
        return of_project(ProjectKey(project.upper()), name)
    if person:
        platform, colon, rest = person.partition(":")
        tenant, _, number = rest.rpartition("/")
        if not colon or not number:
            raise BadAsk(f"`{person[:60]}` is no person: write telegram:<user id> or slack:<team id>/<user id>.")
        return of_person(Person(platform, tenant, number), name)
    return of_bot(name)


async def told(config: Config) -> str:
    """A line for each: whose, name, the key's id, when it was made and last used. Never what it is."""
    async with _opened(config) as (_, store):
        rows = await store.all_sealed()
        current = await store.current_key()
    if not rows:
        return "No secrets are kept."
    lines = [f"{row.ref.scope}  {row.ref.name}  made {_day(row.made_at)}  used {_day(row.used_at)}" for row in rows]
    return "\n".join([*lines, f"Sealed with the key {current}, from {keys_of(config).place}."])


async def put(config: Config, ref: SecretRef, value: str) -> str:
    if len(value) < MIN_LENGTH:
        raise BadAsk(
            f"A secret of less than {MIN_LENGTH} characters is none: it could not be kept out of what is said."
        )
    async with _opened(config) as (vault, _):
        await vault.open()
        await vault.put(ref, value)
    return f"Kept: {ref.name} ({ref.scope})."


async def forget(config: Config, ref: SecretRef) -> str:
    async with _opened(config) as (_, store):
        if not await store.drop_sealed(ref):
            raise NotFound(f"No secret `{ref.name}` is kept ({ref.scope}). `patchbay secrets list` tells which are.")
    return f"Forgotten: {ref.name} ({ref.scope})."


async def forget_all(config: Config) -> str:
    async with _opened(config) as (_, store):
        count = await store.drop_all_sealed()
    return f"Forgotten: {count}. The next start of the bot uses the key that is there then, or makes one."


async def rotate(config: Config) -> str:
    keys = keys_of(config)
    with keys.locked():
        async with _opened(config) as (vault, store):
            key = await vault.rotate()
            count = len(await store.all_sealed())
    later = "" if len(keys.load()) == 1 else f" Now take the older keys out of {keys.place}."
    return f"{count} secrets are sealed with the key {key} now, from {keys.place}; older keys are not needed.{later}"


def fresh() -> str:
    return new_key()


@asynccontextmanager
async def _opened(config: Config) -> AsyncIterator[tuple[Vault, SecretsBeside]]:
    from adapters.store import secrets_beside  # noqa: PLC0415 - imported when used

    async with secrets_beside(config.database_url, config.data) as store:
        yield Vault(store, keys_of(config), Redactor(), lambda: datetime.now(UTC)), store


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "never"
