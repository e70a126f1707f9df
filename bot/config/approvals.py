"""The section `approvals`: which acts of agents are asked about, which are allowed, which are refused."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from core.approvals.defaults import DEFAULTS
from core.approvals.policy import Policy, Rule, Then
from core.model.approvals import ActKind
from core.model.work import ProjectKey


def _listed(value: object) -> object:
    """One is a list of one."""
    return [value] if isinstance(value, str) else value


Texts = Annotated[tuple[Annotated[str, Field(min_length=1, pattern=r"\S")], ...], BeforeValidator(_listed)]
Kinds = Annotated[tuple[Literal["run", "read", "edit", "fetch", "other"], ...], BeforeValidator(_listed)]


class ApprovalRule(BaseModel):
    """One rule, as `core.approvals.policy.Rule` has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    then: Literal["allow", "ask", "deny"]
    kind: Kinds = ()
    command: Texts = ()
    path: Texts = ()
    domain: Texts = ()
    project: Texts = ()
    deletes: bool = False
    second: bool = False
    why: str = Field(default="", max_length=200)

    @model_validator(mode="after")
    def _fits_together(self) -> ApprovalRule:
        if sum(map(bool, (self.command or self.deletes, self.path, self.domain))) > 1:
            raise ValueError("a rule is about commands, paths or domains: make one of each")
        if self.second and self.then != "ask":
            raise ValueError("`second` goes with `then: ask` alone")
        project = ProjectKey(self.project[0] if self.project else "")
        if not any(self.rule.speaks_of(project, kind) for kind in ActKind):
            raise ValueError("`kind` and the rest do not go together: no act is like that")
        return self

    @property
    def rule(self) -> Rule:
        return Rule(
            Then(self.then),
            tuple(ActKind(each) for each in self.kind),
            self.command,
            self.path,
            self.domain,
            self.project,
            self.deletes,
            self.second,
            self.why or "a rule of the configuration says so",
        )


class ApprovalsSection(BaseModel):
    """`rules` come before the built-in ones, and the first that fits counts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: tuple[ApprovalRule, ...] = ()
    defaults: bool = True
    hours: float = Field(default=0, ge=0)
    """How long a question about an act stays open; 0: `limits.answer_hours`."""

    def policy(self) -> Policy:
        return Policy([*(each.rule for each in self.rules), *(DEFAULTS if self.defaults else ())])
