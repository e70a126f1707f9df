"""The `guard` section: what a run may not publish unasked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from core.guard import GuardAction, GuardClass, GuardPolicy

Action = Literal["allow", "ask", "expressly", "deny"]


def _split(value: object) -> object:
    """`a, b` from an environment variable is the list that the file would hold."""
    return [each.strip() for each in value.split(",") if each.strip()] if isinstance(value, str) else value


def _said(words: tuple[str, ...]) -> tuple[str, ...]:
    for word in words:
        if not word.strip("/ *.") or word.startswith("/") or "**" in word or "//" in word:
            raise ValueError(f'"{word}" names nothing; write names such as deploy/ (a folder) or *.tf')
    return words


class GuardConfig(BaseModel):
    """For each class what is done: ask, allow, expressly (only who types it out) or deny."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workflows: Action = "ask"
    locks: Action = "ask"
    hooks: Action = "ask"
    agents: Action = "ask"
    editors: Action = "ask"
    repository: Action = "ask"
    submodules: Action = "ask"
    symlinks: Action = "ask"
    executables: Action = "ask"
    binaries: Action = "ask"
    big: Action = "ask"
    secrets: Action = "expressly"
    names: Action = "ask"
    extra: Action = "ask"
    binary_kb: int = Field(default=1000, ge=0)
    big_kb: int = Field(default=5000, ge=0)
    paths: Annotated[tuple[str, ...], BeforeValidator(_split), AfterValidator(_said)] = ()
    second: bool = False

    @property
    def policy(self) -> GuardPolicy:
        return GuardPolicy(
            {each: GuardAction(getattr(self, each.value)) for each in GuardClass},
            self.binary_kb * 1000,
            self.big_kb * 1000,
            self.paths,
            self.second,
        )
