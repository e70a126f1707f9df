"""From the file and the environment to a `Config`: merge, fetch the secrets, check everything, complain once."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import BaseModel, SecretStr, ValidationError

from bot.config.document import Document, read_document
from bot.config.environment import CONFIG_PATH, CUSTOMARY, add_environment, read_secret_file, secret_files
from bot.config.mistakes import BadConfigError, Findings, KeyPath, Mistake, did_you_mean, holds
from bot.config.model import Access, AccessSection, Allowed, AuditConfig, Config, Own, SecretsConfig
from bot.config.tables import Kind, Tables
from core.model.errors import ConfigError

DEFAULT_PATH = Path("config.yaml")
ID = re.compile(r"-?[A-Za-z0-9_.:-]+")
"""Of a person or a chat. Never `*`: nobody is everybody."""
KEY_FILE, AUDIT_KEY_FILE = "patchbay.key", "patchbay-audit.key"
CHECKPOINTS = "patchbay.checkpoints"
AWS, FROM = "aws:", "from"


def load(
    path: Path | None,
    environ: Mapping[str, str],
    *,
    platforms: Mapping[str, Kind],
    forges: Mapping[str, Kind],
    agents: Mapping[str, Kind],
) -> Config:
    """`path` None: PATCHBAY_CONFIG, else ./config.yaml if there is one, else the environment alone.

    BadConfigError lists every mistake.
    """
    file = find_file(path, environ)
    document = read_document(file) if file else Document()
    findings = Findings(str(file or "configuration"))
    findings.origins = {key: f"line {line}" for key, line in document.lines.items()}
    findings.mistakes += document.mistakes
    tables = Tables(platforms, forges, agents)
    folder = file.parent if file else Path()
    data = document.tree.get("data") or "data"
    if isinstance(data, str):
        document.tree["data"] = str(folder / Path(data).expanduser())
    vault = document.tree.get("secrets")
    if isinstance(vault, dict) and isinstance(vault.get("key_file"), str):
        vault["key_file"] = str(folder / Path(vault["key_file"]).expanduser())
    add_environment(document.tree, environ, tables, findings)
    check = _Check(document.tree, tables, findings, environ, folder)
    config = check.run()
    findings.settle()
    assert config is not None, "nothing was wrong"
    vault = _placed(config, folder if file else None)
    keys = [vault.key_file] if vault.key_file else []
    files = (*([file] if file else []), *check.secret_files, *secret_files(environ), *keys)
    beside = vault.key_file.parent if vault.key_file else folder if file else config.data.absolute().parent
    audit = AuditConfig(
        checkpoints=_in(folder, config.audit.checkpoints) or beside / CHECKPOINTS,
        key_file=_in(folder, config.audit.key_file) or beside / AUDIT_KEY_FILE,
        owners=config.audit.owners,
    )
    signed = [path for path in (audit.checkpoints, audit.key_file) if path]
    return replace(config, vault=vault, audit=audit, files=(*files, *signed))


def _in(folder: Path, path: Path | None) -> Path | None:
    """As a path in the file is meant: from where that is."""
    return None if path is None else folder / path.expanduser()


def _placed(config: Config, folder: Path | None) -> SecretsConfig:
    """Never in the data folder: a backup of that must not open what is in it."""
    vault = config.vault
    if vault.key.get_secret_value():
        return vault
    path = vault.key_file or (folder or config.data.absolute().parent) / KEY_FILE
    if path.absolute().is_relative_to(config.data.absolute()):
        path = config.data.absolute().parent / KEY_FILE if vault.key_file is None else path
    return SecretsConfig(key_file=path)


def find_file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """BadConfigError when a file was named that is not there."""
    named = path or (Path(environ[CONFIG_PATH]) if environ.get(CONFIG_PATH) else None)
    if named is None:
        return DEFAULT_PATH if DEFAULT_PATH.is_file() else None
    if not named.is_file():
        hint = "there is no such file; `patchbay init` writes one, --config names another"
        raise BadConfigError(str(named), [Mistake("", hint)])
    return named


@runtime_checkable
class Whole(Protocol):
    """A section that knows what no field can say alone."""

    def check(self) -> None:
        """ConfigError; each line of it is a mistake."""


class _Check:
    def __init__(
        self,
        tree: dict[str, Any],
        tables: Tables,
        findings: Findings,
        environ: Mapping[str, str],
        folder: Path,
    ) -> None:
        self._tree, self._tables, self._findings = tree, tables, findings
        self._environ, self._folder = environ, folder
        self.secret_files: list[Path] = []
        self._aws: dict[str, str] = {}

    def run(self) -> Config | None:
        """None when the program's own keys are wrong; all else is in the findings."""
        tables = self._tables
        for key in self._tree:
            if key not in tables.top_keys:
                self._findings.add((key,), f"unknown key; {did_you_mean(key, tables.top_keys)}")
        own = self._read(Own, {key: value for key, value in self._tree.items() if key in Own.model_fields}, ())
        platforms = self._sections({name: kind.config for name, kind in tables.platforms.items()})
        forges = self._sections({name: kind.config for name, kind in tables.forges.items()}, with_plain=True)
        agents = self._agents()
        if not any(name in self._tree for name in tables.platforms):
            self._findings.add((), f"no chat platform; add a section {', '.join(tables.platforms)}{self._or_start()}")
        access = self._access()
        self._check_default_agent()
        if own is None:
            return None
        return Config(
            data=own.data.expanduser(),
            database_url=own.database_url.get_secret_value(),
            sandbox=own.sandbox,
            access=access,
            default_agent=own.default_agent,
            limits=own.limits,
            approvals=own.approvals,
            guard=own.guard,
            http=own.http,
            log=own.log,
            tracing=own.tracing,
            gateway=own.gateway,
            budgets=own.budgets,
            vault=own.secrets,
            audit=own.audit,
            language=own.language,
            time_zone=own.time_zone,
            platforms=platforms,
            forges=forges,
            agents=agents,
        )

    def _or_start(self) -> str:
        tokens = [name for name, path in CUSTOMARY.items() if path[0] in self._tables.platforms and "BOT" in name]
        return f", or set {' or '.join(tokens)}; `patchbay init` asks and writes a file"

    def _access(self) -> Access:
        """Read by itself, so that a wrong id is told also where another key is wrong."""
        try:
            section = AccessSection.model_validate(self._tree.get("access") or {})
        except ValidationError:
            return Access()
        return Access(**{key: self._people(key, getattr(section, key)) for key in AccessSection.model_fields})

    def _check_default_agent(self) -> None:
        wanted, agents = self._tree.get("default_agent"), self._tree.get("agents")
        names = list(agents) if isinstance(agents, dict) else []
        if isinstance(wanted, str) and wanted and wanted not in names:
            self._findings.add(("default_agent",), f"no such agent; {did_you_mean(wanted, names)}")

    def _sections(self, models: Mapping[str, type[BaseModel]], *, with_plain: bool = False) -> dict[str, BaseModel]:
        """Those that are there; `with_plain` also those that need nothing to be said."""
        found: dict[str, BaseModel] = {}
        for name, model in models.items():
            is_plain = with_plain and not any(info.is_required() for info in model.model_fields.values())
            if name in self._tree or is_plain:
                section = self._read(model, self._tree.get(name), (name,))
                if section is not None:
                    found[name] = section
        return found

    def _agents(self) -> dict[str, BaseModel]:
        entries = self._tree.get("agents")
        if entries is None:
            return {}
        if not isinstance(entries, dict):
            self._findings.add(("agents",), "must be names, each with a `type` and what belongs to it")
            return {}
        read = {name: self._agent(name, entry) for name, entry in entries.items()}
        return {name: agent for name, agent in read.items() if agent is not None}

    def _agent(self, name: str, entry: Any) -> BaseModel | None:  # noqa: ANN401 - a raw tree
        path: KeyPath = ("agents", name)
        if not isinstance(entry, dict):
            self._findings.add(path, f"must hold a `type`: {', '.join(self._tables.agents)}")
            return None
        kind = entry.get("type")
        if not isinstance(kind, str) or kind not in self._tables.agents:
            hint = did_you_mean(kind, self._tables.agents) if isinstance(kind, str) else ""
            self._findings.add((*path, "type"), f"unknown; {hint}" if hint else self._missing_type())
            return None
        agent: BaseModel | None = self._read(self._tables.agents[kind].config, entry, path)
        return agent

    def _missing_type(self) -> str:
        return f"missing; one of {', '.join(self._tables.agents)}"

    def _people(self, key: str, written: tuple[str, ...]) -> tuple[Allowed, ...]:
        found: list[Allowed] = []
        for index, text in enumerate(written):
            try:
                found.append(parse_person(text, list(self._tables.platforms)))
            except ValueError as error:
                self._findings.add(("access", key, index), str(error))
        return tuple(found)

    def _read(self, model: type[BaseModel], value: Any, path: KeyPath) -> Any:  # noqa: ANN401 - an instance of `model`
        if value is None:
            value = {}
        if not isinstance(value, dict):
            self._findings.add(path, f"must hold keys: {', '.join(model.model_fields)}")
            return None
        try:
            section = model.model_validate(self._filled(model, self._with_origin(value, path), path))
        except ValidationError as error:
            self._findings.add_invalid(error, model, path)
            self._hint_missing(path)
            return None
        self._check_whole(section)
        return section

    def _check_whole(self, section: BaseModel) -> None:
        if isinstance(section, Whole):
            try:
                section.check()
            except ConfigError as error:
                for line in str(error).splitlines():
                    self._findings.add((), line)

    def _hint_missing(self, path: KeyPath) -> None:
        """A token that is missing may be set in the environment: say its name."""
        for name, key in CUSTOMARY.items():
            for index, mistake in enumerate(self._findings.mistakes):
                if key[:-1] == path and mistake == Mistake(".".join(map(str, key)), "missing", mistake.where):
                    said = f"missing; set it here or in {name}"
                    self._findings.mistakes[index] = Mistake(mistake.path, said, mistake.where)

    def _filled(self, model: type[BaseModel], value: Mapping[str, Any], path: KeyPath) -> dict[str, Any]:
        """Without keys that say nothing, and with secrets fetched from where they are kept."""
        filled: dict[str, Any] = {}
        for key, each in value.items():
            info = model.model_fields.get(key)
            shape = info.annotation if info else None
            if each is None and info is not None:
                continue
            if info is not None and holds(shape, SecretStr):
                each = self._secret(each, (*path, key))  # noqa: PLW2901 - one value in two forms
            elif isinstance(shape, type) and issubclass(shape, BaseModel) and isinstance(each, dict):
                each = self._filled(shape, each, (*path, key))  # noqa: PLW2901
            elif isinstance(each, dict) and (inner := _entries(shape)) is not None:
                each = {  # noqa: PLW2901
                    name: self._filled(inner, entry, (*path, key, name)) if isinstance(entry, dict) else entry
                    for name, entry in each.items()
                }
            filled[key] = each
        return filled

    def _secret(self, value: Any, path: KeyPath) -> Any:  # noqa: ANN401 - a raw tree
        """`env:NAME` and `{file: path}`, also inside a list or a mapping of secrets."""
        if isinstance(value, str) and value.startswith("env:"):
            name = value.removeprefix("env:").strip()
            if not self._environ.get(name):
                self._findings.add(path, f"the environment variable {name} is not set")
            return self._environ.get(name, "")
        if isinstance(value, str) and value.startswith(AWS):
            return self._from_aws(value.removeprefix(AWS).strip(), path)
        if isinstance(value, dict):
            if set(value) == {"file"}:
                return self._from_file(value["file"], path)
            return {key: self._secret(each, (*path, key)) for key, each in value.items()}
        if isinstance(value, list):
            return [self._secret(each, (*path, index)) for index, each in enumerate(value)]
        return value

    def _from_aws(self, named: str, path: KeyPath) -> str:
        """`NAME` is the whole secret, `NAME#field` a field of its JSON object."""
        name, _, field = named.partition("#")
        try:
            found = self._fetched(name)
            return members(found).get(field, "") if field else found
        except ConfigError as error:
            self._findings.add(path, str(error))
            return ""

    def _fetched(self, name: str) -> str:
        """Each is asked for once."""
        if name not in self._aws:
            from adapters.secrets.aws import fetch  # noqa: PLC0415 - boto3 is an extra

            self._aws[name] = fetch(name, self._environ)
        return self._aws[name]

    def _with_origin(self, value: dict[str, Any], path: KeyPath) -> dict[str, Any]:
        """`from: aws:NAME`, `env:NAME` or `{file: path}`: a JSON object of keys that are not written here."""
        origin = value.get(FROM)
        if origin is None:
            return value
        try:
            text = self._secret(origin, (*path, FROM))
            found = members(text) if text and isinstance(text, str) else {}
        except ConfigError as error:
            self._findings.add((*path, FROM), str(error))
            found = {}
        return {**found, **{key: each for key, each in value.items() if key != FROM and each is not None}}

    def _from_file(self, file: Any, path: KeyPath) -> str:  # noqa: ANN401 - a raw tree
        place = self._folder / Path(str(file)).expanduser()
        self.secret_files.append(place)
        try:
            return read_secret_file(place)
        except OSError as error:
            self._findings.add(path, f"cannot read {file}: {error.strerror}")
        except ValueError:
            self._findings.add(path, f"{file} is empty, or not UTF-8")
        return ""


def members(text: str) -> dict[str, str]:
    """Of a JSON object of words, which is never quoted. ConfigError."""
    try:
        read = json.loads(text)
    except ValueError:
        read = None
    if not isinstance(read, dict) or not all(isinstance(each, str) for each in read.values()):
        raise ConfigError('what is kept there must be a JSON object of words, such as {"token": "…"}')
    return read


def _entries(shape: Any) -> type[BaseModel] | None:  # noqa: ANN401 - any annotation
    """The model of each entry, where the shape is a mapping from names to sections."""
    last = typing.get_args(shape)[-1:]
    is_model = bool(last) and isinstance(last[0], type) and issubclass(last[0], BaseModel)
    return last[0] if is_model else None


def parse_person(text: str, platforms: list[str]) -> Allowed:
    """`telegram:123`, `slack:U1`, `slack:T1/U1`. ValueError says what would be right."""
    platform, colon, rest = text.partition(":")
    first = platforms[0] if platforms else "telegram"
    if not colon:
        raise ValueError(f'"{text}" names no platform; write {first}:{text.lstrip("@")}')
    if platform not in platforms:
        raise ValueError(f'no platform "{platform}"; {did_you_mean(platform, platforms)}')
    tenant, _, user = rest.rpartition("/")
    if not ID.fullmatch(user) or any(each.isspace() for each in rest):
        raise ValueError(f'"{text}" must end in an id: names can be changed and taken by others')
    return Allowed(platform, tenant, user)
