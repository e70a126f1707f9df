"""What a configuration says once it is read: the program's own keys, and the sections of the adapters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, model_validator

from adapters.gateway.config import GatewayConfig
from adapters.sandbox.config import SandboxConfig, as_section
from bot.config.approvals import ApprovalsSection
from bot.config.budgets import BudgetsSection
from bot.config.guard import GuardConfig
from core.model.strength import weakness
from core.zones import is_zone


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _split(value: object) -> object:
    """`a, b` from an environment variable is the list that the file would hold."""
    return [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_split)]


class AccessSection(_Section):
    """Who may do what, as written: `telegram:<user id>`, `slack:<user id>`, `slack:<team id>/<user id>`.

    `chats`: groups and channels that need no approval, written in the same way.
    """

    owners: Names = ()
    admins: Names = ()
    developers: Names = ()
    reviewers: Names = ()
    viewers: Names = ()
    chats: Names = ()


class Limits(_Section):
    runs: int = Field(default=8, ge=1)
    """Runs that work at the same time; others wait."""
    turn_seconds: float = Field(default=3600, gt=0)
    """The most one turn of an agent may take; an agent's own `seconds` may be less."""
    drain_seconds: float = Field(default=20, ge=0)
    """How long a stop waits for steps to reach their end."""
    answer_hours: float = Field(default=24, gt=0)
    """How long a question to a person stays open."""
    free_mb: int = Field(default=500, ge=0)
    """Megabytes that are to stay free where the data is; with less the owners are told."""


def _strong_or_empty(secret: SecretStr) -> SecretStr:
    if secret.get_secret_value() and (why := weakness(secret.get_secret_value())):
        raise ValueError(why)
    return secret


class HttpConfig(_Section):
    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65_535)
    metrics_token: Annotated[SecretStr, AfterValidator(_strong_or_empty)] = SecretStr("")
    """Who brings it is told /readyz and /metrics. Empty: who asks on this machine is."""
    connections: int = Field(default=768, ge=1)
    """Open at the same time; beyond them only /healthz is answered."""
    connections_per_peer: int = Field(default=512, ge=1)
    """The same, of one address; a proxy is one address."""


class LogConfig(_Section):
    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["text", "json"] = "text"


class TracingConfig(_Section):
    endpoint: str = Field(default="", pattern=r"^(https?://.+)?$")
    """Where OTLP over HTTP is taken; empty: nothing is traced."""


class SecretsConfig(_Section):
    key: SecretStr = SecretStr("")
    """What secrets are sealed with, the newest first where there are several; empty: what `key_file` holds."""
    key_file: Path | None = None
    """None: `patchbay.key` beside the configuration, or beside the data folder where there is no file."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if self.key.get_secret_value() and self.key_file is not None:
            raise ValueError("key and key_file: give one of them")
        return self


class AuditConfig(_Section):
    checkpoints: Path | None = None
    """The file of signed checkpoints; None: `patchbay.checkpoints` beside the key of the secrets."""
    key_file: Path | None = None
    """What they are signed with; None: `patchbay-audit.key` there."""
    owners: bool = False
    """Send each to the owners too: to where nobody on this machine can change it."""


def _known_zone(name: str) -> str:
    if not is_zone(name):
        raise ValueError(f'no time zone "{name}"; write an IANA name such as Europe/Berlin or UTC')
    return name


def _known_database(url: SecretStr) -> SecretStr:
    scheme = url.get_secret_value().partition("://")[0]
    if url.get_secret_value() and scheme not in {"postgres", "postgresql"}:
        raise ValueError("must be postgres://user:password@host:5432/name, or empty for SQLite in the data folder")
    return url


class Own(_Section):
    """The top-level keys that belong to no adapter."""

    data: Path = Path("data")
    database_url: Annotated[SecretStr, AfterValidator(_known_database)] = SecretStr("")
    sandbox: Annotated[SandboxConfig, BeforeValidator(as_section)] = SandboxConfig()
    access: AccessSection = AccessSection()
    default_agent: str = ""
    limits: Limits = Limits()
    approvals: ApprovalsSection = ApprovalsSection()
    guard: GuardConfig = GuardConfig()
    http: HttpConfig = HttpConfig()
    log: LogConfig = LogConfig()
    tracing: TracingConfig = TracingConfig()
    gateway: GatewayConfig = GatewayConfig()
    budgets: BudgetsSection = BudgetsSection()
    secrets: SecretsConfig = SecretsConfig()
    audit: AuditConfig = AuditConfig()
    language: str = Field(default="en", pattern=r"^[a-z]{2,3}(-[A-Za-z]{2,8})?$")
    time_zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"


class Allowed(NamedTuple):
    """A person who is let in, or a chat. `tenant` empty: the only workspace or bot that there is on that platform."""

    platform: str
    tenant: str
    id: str

    def __str__(self) -> str:
        return f"{self.platform}:{self.tenant}/{self.id}" if self.tenant else f"{self.platform}:{self.id}"


@dataclass(frozen=True, slots=True)
class Access:
    """By role (`core.model.people`). Nobody else is heard, beside who was let in by these."""

    owners: tuple[Allowed, ...] = ()
    admins: tuple[Allowed, ...] = ()
    developers: tuple[Allowed, ...] = ()
    reviewers: tuple[Allowed, ...] = ()
    viewers: tuple[Allowed, ...] = ()
    chats: tuple[Allowed, ...] = ()


@dataclass(frozen=True, slots=True)
class Config:
    """Everything the program is told, checked. The mappings hold what is configured, by its name.

    `database_url` empty: SQLite in `data`. `default_agent` empty: the first that is usable.
    """

    data: Path = Path("data")
    database_url: str = field(default="", repr=False)
    sandbox: SandboxConfig = field(default_factory=SandboxConfig)
    access: Access = Access()
    default_agent: str = ""
    limits: Limits = field(default_factory=Limits)
    approvals: ApprovalsSection = field(default_factory=ApprovalsSection)
    guard: GuardConfig = field(default_factory=GuardConfig)
    http: HttpConfig = field(default_factory=HttpConfig)
    log: LogConfig = field(default_factory=LogConfig)
    tracing: TracingConfig = field(default_factory=TracingConfig)
    gateway: GatewayConfig = field(default_factory=GatewayConfig)
    budgets: BudgetsSection = field(default_factory=BudgetsSection)
    audit: AuditConfig = field(default_factory=AuditConfig)
    """Its files are always set."""
    vault: SecretsConfig = field(default_factory=SecretsConfig)
    """As `secrets` in the file; `key_file` is always set where no key is given."""
    language: str = "en"
    time_zone: str = "UTC"
    platforms: Mapping[str, BaseModel] = field(default_factory=dict)
    forges: Mapping[str, BaseModel] = field(default_factory=dict)
    agents: Mapping[str, BaseModel] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    """The file that was read, and those that secrets came from."""

    def secrets(self) -> tuple[str, ...]:
        """Every live secret that is configured, for the redactor."""
        sections = (self.http, *self.platforms.values(), *self.forges.values(), *self.agents.values(), self.gateway)
        found = [secret for section in sections for secret in _secrets_in(section)]
        found += [each.strip() for each in self.vault.key.get_secret_value().split(",")]
        password = urlsplit(self.database_url).password if self.database_url else None
        if password:
            found += [password, unquote(password)]
        return tuple(dict.fromkeys(each for each in found if each))


def _secrets_in(value: Any) -> Iterator[str]:  # noqa: ANN401 - whatever a model of an adapter holds
    if isinstance(value, SecretStr):
        yield value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets_in(getattr(value, name))
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _secrets_in(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _secrets_in(each)
