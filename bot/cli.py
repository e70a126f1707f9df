"""`patchbay`: words and exit codes only; what a command does is in the module that it imports when it is used.

Exit codes: 0 it went well, 1 it found something wrong, 2 it could not be done; the one reason is on standard error.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from typer.core import TyperGroup

from core.model.errors import BotError

if TYPE_CHECKING:
    from bot.config import Config


class _Group(TyperGroup):
    """A BotError is told as it is; a person has no use for a trace of it."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401 - the base class's own, of typer's private copy of click
        try:
            return super().invoke(ctx)
        except BotError as error:
            from adapters.secrets import Redactor  # noqa: PLC0415 - imported when used

            typer.echo(Redactor()(str(error)), err=True)
            raise typer.Exit(2) from error


app = typer.Typer(
    cls=_Group,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    # A trace with its variables would show secrets.
    pretty_exceptions_enable=False,
    help="The patch bay between your chats and your coding agents. Start with: patchbay demo",
)
config_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What is configured.")
app.add_typer(config_app, name="config")
inbox_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="What could not be handled and was set aside. Stop the bot first."
)
app.add_typer(inbox_app, name="inbox")

secrets_app = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="What the bot keeps sealed. It may be running."
)
app.add_typer(secrets_app, name="secrets")

audit_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Who did what. The bot may be running.")
app.add_typer(audit_app, name="audit")

ConfigPath = Annotated[Path | None, typer.Option("--config", "-c", help="The file; else PATCHBAY_CONFIG, config.yaml.")]
Keys = Annotated[list[str], typer.Argument(help="As `patchbay inbox list` and the bot name it.")]
Offline = Annotated[bool, typer.Option("--offline", help="Ask nothing of the network.")]


def main() -> None:
    app()


@app.command()
def demo(
    *,
    batch: Annotated[bool, typer.Option("--batch", help="Read one message a line from standard input.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a post.")] = False,
    data: Annotated[Path | None, typer.Option("--data", help="The data folder; what is in it stays.")] = None,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Batch: read on while runs work.")] = False,
) -> None:
    """Try it here: a chat in this terminal, a scratch project, no key and no network."""
    from bot.demo import run as run_demo  # noqa: PLC0415 - imported when used

    raise typer.Exit(run_demo(data, batch=batch, as_json=as_json, wait=not no_wait))


@app.command()
def run(config: ConfigPath = None) -> None:
    """Start the bot."""
    read = _load(config)
    from adapters.secrets import Redactor  # noqa: PLC0415 - imported when used
    from bot.app import run as run_app  # noqa: PLC0415 - imported when used
    from bot.log import configure  # noqa: PLC0415 - imported when used

    redactor = Redactor(read.secrets())
    configure(read.log, redactor)
    raise typer.Exit(run_app(read, redactor))


@app.command()
def init(
    *,
    config: ConfigPath = None,
    answers: Annotated[Path | None, typer.Option(help="A YAML file of answers; nothing is asked.")] = None,
    offline: Offline = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
) -> None:
    """Ask what is needed, try it, and write config.yaml."""
    from bot.init import init as run_init  # noqa: PLC0415 - imported when used

    _quiet()
    path = config or Path(os.environ.get("PATCHBAY_CONFIG") or "config.yaml")
    run_init(path, answers, is_offline=offline, may_replace=force)


@app.command()
def doctor(*, config: ConfigPath = None, offline: Offline = False) -> None:
    """Try everything that is configured; what fails is told with the next step."""
    from adapters.secrets import Redactor  # noqa: PLC0415 - imported when used
    from bot.doctor import examine, report  # noqa: PLC0415

    _quiet()
    findings = asyncio.run(examine(config, os.environ, is_offline=offline))
    typer.echo(Redactor()(report(findings, is_coloured=sys.stdout.isatty())))
    raise typer.Exit(1 if any(each.is_failure for each in findings) else 0)


@config_app.command("check")
def config_check(config: ConfigPath = None) -> None:
    """List every mistake."""
    from bot.config import BadConfigError  # noqa: PLC0415 - imported when used

    try:
        read = _load(config)
    except BadConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    named = [*read.platforms, *read.forges, *read.agents]
    typer.echo(f"The configuration is right: {', '.join(named)}.")


@config_app.command("show")
def config_show(config: ConfigPath = None) -> None:
    """Print what is in force, without secrets."""
    from adapters.secrets import Redactor  # noqa: PLC0415 - imported when used
    from bot.config import show  # noqa: PLC0415 - imported when used

    read = _load(config)
    typer.echo(Redactor(read.secrets())(show(read)), nl=False)


@config_app.command("schema")
def config_schema() -> None:
    """Print the JSON schema of the file, for editors."""
    from bot.tables import config_schema as make  # noqa: PLC0415 - imported when used

    typer.echo(json.dumps(make(), indent=2))


@config_app.command("example")
def config_example() -> None:
    """Print every key there is, with its default, explained."""
    here = Path(__file__).parent
    places = (here / "config.example.yaml", here.parent / "config.example.yaml")
    typer.echo(next(each for each in places if each.is_file()).read_text(encoding="utf-8"), nl=False)


@app.command()
def migrate(
    *,
    config: ConfigPath = None,
    status: Annotated[
        bool, typer.Option("--status", help="Only tell what is missing; exit 1 if something is.")
    ] = False,
) -> None:
    """Bring the database to the form that this version needs."""
    from adapters.store import migrate as run_migrate  # noqa: PLC0415 - imported when used
    from adapters.store import pending  # noqa: PLC0415

    read = _load(config)
    if status:
        missing = asyncio.run(pending(read.database_url, read.data))
        typer.echo("\n".join(f"missing: {name}" for name in missing) or "The database is as it should be.")
        raise typer.Exit(1 if missing else 0)
    done = asyncio.run(run_migrate(read.database_url, read.data))
    typer.echo("\n".join(f"applied: {name}" for name in done) or "The database is as it should be.")


@app.command("slack-manifest")
def slack_manifest(
    mode: Annotated[Literal["socket", "http"], typer.Option(help="socket needs no public address.")] = "socket",
    url: Annotated[str, typer.Option(help="http: the public address of the bot, https://bot.example.com.")] = "",
) -> None:
    """Print the manifest to create the Slack app from (api.slack.com/apps, Create New App, From a manifest)."""
    from adapters.chat.slack.manifest import manifest  # noqa: PLC0415 - imported when used
    from bot.tables import command_words  # noqa: PLC0415

    if mode == "http" and not url.startswith("https://"):
        raise BotError("--mode http needs --url, the public https:// address that Slack calls.")
    typer.echo(json.dumps(manifest(command_words(), mode, url), indent=2, ensure_ascii=False))


@app.command()
def pair(
    config: ConfigPath = None,
    platform: Annotated[str, typer.Option(help="Where you will say it; else the first that is configured.")] = "",
) -> None:
    """Print a code that makes who says it an owner. The bot must be stopped meanwhile."""
    from bot.init import CODE_MINUTES, offer_code  # noqa: PLC0415 - imported when used

    where, code = asyncio.run(offer_code(_load(config), platform))
    typer.echo(f"Start the bot, and within {CODE_MINUTES} minutes say to it on {where}:  /start {code}")


@app.command()
def backup(file: Annotated[Path, typer.Argument(help="A new file, .tar.gz.")], config: ConfigPath = None) -> None:
    """Copy the data folder into one file; the bot may be running."""
    from bot.backup import backup as make  # noqa: PLC0415 - imported when used

    made = make(_load(config), file)
    typer.echo(f"{file}: {made.files} files, {made.size / 1e6:.1f} MB. It holds what people said: keep it safe.")
    if not made.has_database:
        typer.echo("The database is in PostgreSQL and is not in it: take it with pg_dump, each time before this.")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="Made by `patchbay backup`.")],
    data: Annotated[Path, typer.Option("--data", help="An empty folder, or a new one.")],
) -> None:
    """Make a data folder from a backup."""
    from bot.backup import restore as unpack  # noqa: PLC0415 - imported when used

    databases = unpack(file, data)
    typer.echo(f"{data} is as the backup was. Stop the bot that it was taken from, and start one with `data: {data}`.")
    if not databases:
        typer.echo("Its database was in PostgreSQL: restore that too, with psql or pg_restore.")


@inbox_app.command("list")
def inbox_list(
    *,
    config: ConfigPath = None,
    show: Annotated[bool, typer.Option("--show", help="Also the content, which may be private.")] = False,
) -> None:
    """Key, platform, time, tries and error of each."""
    from bot.inbox_cli import told  # noqa: PLC0415 - imported when used

    typer.echo(asyncio.run(told(_load(config), with_content=show)))


@inbox_app.command("replay")
def inbox_replay(keys: Keys, config: ConfigPath = None) -> None:
    """Handle it again, at the next start."""
    from bot.inbox_cli import replay  # noqa: PLC0415 - imported when used

    typer.echo(asyncio.run(replay(_load(config), keys)))


@inbox_app.command("drop")
def inbox_drop(keys: Keys, config: ConfigPath = None) -> None:
    """Never handle it, and forget what it said."""
    from bot.inbox_cli import drop  # noqa: PLC0415 - imported when used

    typer.echo(asyncio.run(drop(_load(config), keys)))


ForProject = Annotated[str, typer.Option("--project", help="Of this project.")]
ForPerson = Annotated[str, typer.Option("--person", help="Of this person: telegram:<id>, slack:<team>/<id>.")]


@secrets_app.command("list")
def secrets_list(config: ConfigPath = None) -> None:
    """Names and times; never what they are."""
    from bot.secrets_cli import told  # noqa: PLC0415 - imported when used

    typer.echo(asyncio.run(told(_load(config))))


@secrets_app.command("set")
def secrets_set(name: str, *, config: ConfigPath = None, project: ForProject = "", person: ForPerson = "") -> None:
    """Keep one; it is asked for, or read from standard input."""
    from bot.secrets_cli import put, ref_of  # noqa: PLC0415 - imported when used

    ref, read = ref_of(name, project, person), _load(config)
    value = typer.prompt(name, hide_input=True) if sys.stdin.isatty() else sys.stdin.read()
    typer.echo(asyncio.run(put(read, ref, str(value).strip())))


@secrets_app.command("forget")
def secrets_forget(
    name: Annotated[str, typer.Argument()] = "",
    *,
    config: ConfigPath = None,
    project: ForProject = "",
    person: ForPerson = "",
    everything: Annotated[bool, typer.Option("--all", help="All of them; for when the key is lost.")] = False,
) -> None:
    """Drop one, or all."""
    from bot.secrets_cli import forget, forget_all, ref_of  # noqa: PLC0415 - imported when used

    if bool(name) == everything:
        raise BotError("Say which one, or --all.")
    read = _load(config)
    typer.echo(asyncio.run(forget_all(read) if everything else forget(read, ref_of(name, project, person))))


@secrets_app.command("rotate")
def secrets_rotate(config: ConfigPath = None) -> None:
    """Exchange the key; what a kill has cut is finished by the next."""
    from bot.secrets_cli import rotate  # noqa: PLC0415 - imported when used

    typer.echo(asyncio.run(rotate(_load(config))))


@secrets_app.command("new-key")
def secrets_new_key() -> None:
    """Print a key, to be given to the bot by you."""
    from bot.secrets_cli import fresh  # noqa: PLC0415 - imported when used

    typer.echo(fresh())


@audit_app.command("verify")
def audit_verify(
    *,
    config: ConfigPath = None,
    checkpoints: Annotated[Path | None, typer.Option(help="Another file than the configured one.")] = None,
    key: Annotated[str, typer.Option(help="The public key, in hex; else that of the configured key file.")] = "",
) -> None:
    """Whether anything was changed or cut off; exit 1 if so."""
    from bot.audit_cli import verify  # noqa: PLC0415 - imported when used

    words, is_whole = asyncio.run(verify(_load(config), checkpoints, key))
    typer.echo(words)
    raise typer.Exit(0 if is_whole else 1)


@audit_app.command("export")
def audit_export(
    *,
    config: ConfigPath = None,
    since: Annotated[str, typer.Option(help="2026-01-31, or 2026-01-31T12:00 (UTC).")] = "",
    form: Annotated[Literal["jsonl", "csv"], typer.Option("--format")] = "jsonl",
) -> None:
    """Print all entries, oldest first."""
    from bot.audit_cli import export  # noqa: PLC0415 - imported when used

    asyncio.run(export(_load(config), since, form, typer.echo))


@app.command()
def version() -> None:
    """Print the version."""
    from importlib.metadata import PackageNotFoundError  # noqa: PLC0415 - imported when used
    from importlib.metadata import version as installed  # noqa: PLC0415

    try:
        typer.echo(installed("patchbay"))
    except PackageNotFoundError:
        typer.echo("not installed")


def _quiet(secrets: tuple[str, ...] = ()) -> None:
    """What such a command prints is its answer; of the log only errors stand beside it."""
    from adapters.secrets import Redactor  # noqa: PLC0415 - imported when used
    from bot.config import LogConfig  # noqa: PLC0415
    from bot.log import configure  # noqa: PLC0415

    configure(LogConfig(level="error"), Redactor(secrets))


def _load(path: Path | None) -> Config:
    from bot.tables import load_config  # noqa: PLC0415 - imported when used

    read = load_config(path, os.environ)
    _quiet(read.secrets())
    return read
