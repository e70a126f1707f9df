"""`patchbay init` and `patchbay pair`: ask what is needed, try it, write config.yaml, and offer the first owner a code.

The answers have the form of the configuration itself, so a file of answers (`--answers`) is a configuration in short,
with two keys more: `secrets: inline | folder` says where tokens go, and `pair: false` that no code is wanted.
"""

from __future__ import annotations

import asyncio
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import typer
import yaml
from pydantic import BaseModel, SecretStr

from adapters.chat import PLATFORMS, PlatformTools
from bot.config import BadConfigError, Config, Mistake
from bot.config.document import read_document
from bot.config.environment import AGENT_HINTS
from bot.config.mistakes import did_you_mean, holds
from bot.tables import command_words, load_config
from core.model.errors import BotError, ChatError, StoreBusy
from core.ports import ChatPlatform

CONNECT_SECONDS = 20.0
CODE_MINUTES = 60
CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
CODE_LENGTH = 10
"""Ten letters of 32 are 50 bits: nobody guesses it within the hour, and it can be typed."""

SECRETS_FOLDER = "secrets"
CONSOLE = "console"

Tree = dict[str, Any]


def init(path: Path, answers: Path | None, *, is_offline: bool, may_replace: bool) -> None:
    """BotError when it cannot be done. Nothing is written before everything was tried."""
    _refuse_to_replace(path, may_replace=may_replace, may_ask=answers is None)
    path.parent.mkdir(parents=True, exist_ok=True)
    tree = read_document(answers).tree if answers else _Interview(path.parent, is_offline=is_offline).ask()
    where, wants_code = _own_keys(tree)
    config = _checked(tree, path.parent)
    if answers and not is_offline:
        asyncio.run(_try_all(config))
    _write(path, tree, config, in_folder=where == "folder")
    typer.echo(f"Wrote {path}. `patchbay doctor` tries everything, `patchbay run` starts the bot.")
    if wants_code and not config.access.owners and _chats(config):
        _tell_code(path)


async def offer_code(config: Config, platform: str = "") -> tuple[str, str]:
    """The platform and a fresh code, kept in the store. StoreBusy while the bot runs."""
    from adapters.store import DatabaseStore  # noqa: PLC0415 - imported when used

    chats = _chats(config)
    if platform and platform not in chats:
        raise BotError(f'"{platform}" is not configured; {did_you_mean(platform, chats)}')
    if not chats:
        raise BotError("There is no Telegram and no Slack in the configuration; in the console you are the owner.")
    where = platform or chats[0]
    code = "".join(secrets.choice(CODE_LETTERS) for _ in range(CODE_LENGTH))
    store = DatabaseStore(config.database_url, config.data)
    try:
        await store.open()
    except StoreBusy as error:
        raise StoreBusy(
            f"{error}\nThe code is kept in the database: stop the bot, pair, and start it again."
        ) from error
    try:
        await store.offer_pairing(where, code, datetime.now(UTC) + timedelta(minutes=CODE_MINUTES))
    finally:
        await store.close()
    return where, code


def _chats(config: Config) -> list[str]:
    return [name for name in config.platforms if name != CONSOLE]


def _tell_code(path: Path) -> None:
    try:
        where, code = asyncio.run(offer_code(load_config(path, os.environ)))
    except StoreBusy as error:
        typer.echo(f"No pairing code yet: {error}", err=True)
        return
    typer.echo(f"Then, within {CODE_MINUTES} minutes, say to your bot on {where}:  /start {code}")
    typer.echo("That makes you its owner; `patchbay pair` prints another code.")


def _refuse_to_replace(path: Path, *, may_replace: bool, may_ask: bool) -> None:
    if not path.exists() or may_replace:
        return
    if not (may_ask and _yes(f"{path} is there already. Replace it?", default=False)):
        raise BotError(f"{path} is there already and stays as it is; --force replaces it, --config names another.")


def _own_keys(tree: Tree) -> tuple[str, bool]:
    """Takes the two keys that are not of the configuration out of the answers."""
    where, pair = tree.pop("secrets", "inline"), tree.pop("pair", "true")
    if where not in {"inline", "folder"}:
        raise BadConfigError("answers", [Mistake("secrets", "must be inline or folder")])
    return str(where), pair is not False and str(pair).lower() not in {"false", "no", "off"}


def _checked(tree: Tree, folder: Path) -> Config:
    """As it would be read from a file in `folder`, where files of secrets are looked for."""
    draft = folder / f".answers-{secrets.token_hex(4)}.yaml"
    try:
        write_private(draft, yaml.safe_dump(tree))
        return load_config(draft, os.environ)
    except BadConfigError as error:
        raise BadConfigError("The answers", error.mistakes) from None
    finally:
        draft.unlink(missing_ok=True)


# ------------------------------------------------------------------------------------------- trying


async def _try_all(config: Config) -> None:
    for name in _chats(config):
        await try_platform(name, config.platforms[name], config.data)


async def try_platform(name: str, section: BaseModel, data: Path) -> ChatPlatform:
    """Connected and closed again: it knows its tenant. ChatError says what is wrong with the token or the address."""
    platform = PLATFORMS[name].build(section, PlatformTools(command_words(), data))
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await platform.connect()
    except TimeoutError:
        raise ChatError(f"{name} did not answer within {CONNECT_SECONDS:g} s; try again, or use --offline.") from None
    finally:
        await platform.close()
    return platform


# ------------------------------------------------------------------------------------------- writing


def _write(path: Path, tree: Tree, config: Config, *, in_folder: bool) -> None:
    if in_folder:
        tree = _with_secrets_moved(tree, config, path.parent / SECRETS_FOLDER)
    words = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=100)
    head = "# Written by `patchbay init`. `patchbay config example` explains every key there is.\n"
    write_private(path, f"{head}{words}")


def write_private(path: Path, text: str) -> None:
    """At once or not at all, readable by its owner alone."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(file, "w", encoding="utf-8") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _with_secrets_moved(tree: Tree, config: Config, folder: Path) -> Tree:
    folder.mkdir(mode=0o700, exist_ok=True)
    moved = dict(tree)
    for name, section in (*config.platforms.items(), *config.forges.items()):
        if name in moved:
            moved[name] = _moved(moved[name], section, folder, name)
    if "agents" in moved:
        agents = moved["agents"]
        moved["agents"] = {
            name: _moved(entry, config.agents[name], folder, f"agent_{name}") for name, entry in agents.items()
        }
    return moved


def _moved(entry: Tree | None, section: BaseModel, folder: Path, prefix: str) -> Tree:
    found = dict(entry or {})
    for key, info in type(section).model_fields.items():
        written = found.get(key)
        if holds(info.annotation, SecretStr) and isinstance(written, str) and not written.startswith("env:"):
            file = folder / f"{prefix}_{key}"
            write_private(file, f"{written}\n")
            found[key] = {"file": f"{SECRETS_FOLDER}/{file.name}"}
    return found


# ------------------------------------------------------------------------------------------- asking


@dataclass(frozen=True, slots=True)
class Question:
    """`key` of the section it belongs to; a secret is not shown while it is typed. Optional ones may stay empty."""

    key: str
    text: str
    is_secret: bool = True
    is_optional: bool = False


QUESTIONS: Mapping[str, tuple[str, tuple[Question, ...]]] = {
    "telegram": ("Telegram", (Question("token", "Token from @BotFather (send it /newbot)"),)),
    "slack": (
        "Slack (make the app from `patchbay slack-manifest` first)",
        (
            Question("bot_token", "Bot User OAuth Token, xoxb-…"),
            Question("app_token", "App-level token with connections:write, xapp-…"),
        ),
    ),
    "github": ("GitHub", (Question("token", "Token: fine-grained, contents and pull requests, read and write"),)),
}
"""By section: how it is offered, and what is asked."""

AGENT_QUESTIONS: Mapping[str, tuple[Question, ...]] = {
    "anthropic": (Question("api_key", "API key"), Question("model", "Model", is_secret=False)),
    "openai": (
        Question("base_url", "Address (empty: OpenAI itself)", is_secret=False, is_optional=True),
        Question("api_key", "API key"),
        Question("model", "Model", is_secret=False),
    ),
    "ollama": (
        Question("base_url", "Address (empty: this machine)", is_secret=False, is_optional=True),
        Question("model", "Model", is_secret=False),
    ),
}


class _Interview:
    """Asks a person at a terminal; what can be tried is tried at once, and asked again when it fails."""

    def __init__(self, folder: Path, *, is_offline: bool) -> None:
        self._folder, self._is_offline = folder, is_offline

    def ask(self) -> Tree:
        tree: Tree = {}
        while not tree:
            for name in (each for each in QUESTIONS if each in PLATFORMS):
                if _yes(f"Use {QUESTIONS[name][0]}?", default=not tree):
                    tree[name] = self._until_it_works(name)
        for name in (each for each in QUESTIONS if each not in PLATFORMS):
            if _yes(f"Use {QUESTIONS[name][0]}?", default=True):
                tree[name] = _answers(QUESTIONS[name][1])
        kind = _choice("Which agent?", [*AGENT_QUESTIONS, "none yet"])
        if kind in AGENT_QUESTIONS:
            hint = next(each for each in AGENT_HINTS.values() if each.type == kind)
            tree["agents"] = {hint.name: {"type": kind, **_answers(AGENT_QUESTIONS[kind], {"model": hint.model})}}
        tree["secrets"] = _choice("Where do the tokens go?", ["folder", "inline"])
        return tree

    def _until_it_works(self, name: str) -> Tree:
        while True:
            section = _answers(QUESTIONS[name][1])
            if self._is_offline:
                return section
            try:
                config = _checked({name: section}, self._folder)
                tenant = asyncio.run(try_platform(name, config.platforms[name], config.data)).tenant
            except BotError as error:
                typer.echo(str(error), err=True)
            else:
                typer.echo(f"It works: {name} knows this bot as {tenant}.")
                return section


def _answers(questions: tuple[Question, ...], proposed: Mapping[str, str] | None = None) -> Tree:
    given = {each.key: _text(each, (proposed or {}).get(each.key, "")) for each in questions}
    return {key: value for key, value in given.items() if value}


def _text(question: Question, proposed: str) -> str:
    import questionary  # noqa: PLC0415 - needed at a terminal only

    need: Callable[[str], bool | str] = lambda text: bool(text.strip()) or "It is needed."  # noqa: E731
    check = None if question.is_optional else need
    if question.is_secret:
        return str(questionary.password(question.text, validate=check).unsafe_ask()).strip()
    return str(questionary.text(question.text, default=proposed, validate=check).unsafe_ask()).strip()


def _yes(text: str, *, default: bool) -> bool:
    import questionary  # noqa: PLC0415 - needed at a terminal only

    return bool(questionary.confirm(text, default=default).unsafe_ask())


def _choice(text: str, choices: list[str]) -> str:
    import questionary  # noqa: PLC0415 - needed at a terminal only

    return str(questionary.select(text, choices=choices).unsafe_ask())
