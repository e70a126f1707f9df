"""The policy: a table of rules that says what is allowed, asked about or refused. The first that matches counts. Pure.

A rule that allows matches only what surely is what it says. One that asks or refuses matches whatever may be so. Of a
line with several commands the strictest counts; one that cannot be read is taken for the strictest there is.
"""

from __future__ import annotations

import itertools
import posixpath
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

from core.approvals.files import deletes_much, places, written
from core.approvals.hidden import hidden
from core.approvals.match import (
    fits_domain,
    perhaps_command,
    perhaps_path,
    placed,
    surely_command,
    surely_path,
)
from core.approvals.script import GAP, Script, Simple, of_argv
from core.approvals.shell import read
from core.model.approvals import Act, ActKind
from core.model.work import Checkout, ProjectKey

UNREAD = "it cannot be read surely what this would run; say it in simpler commands, one after another"
NO_RULE = "no rule speaks of it"
MOST_WRITES = 500
"""Files that a line may name to write them; of more, any may be any: to look through them takes too long."""


class Then(StrEnum):
    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Rule:
    """Every list that is not empty must fit. `second`: two people must say yes. `why` is told to agent and people.

    `commands`: words, each a glob; a last `*` stands for any more. `paths`: globs, relative to the checkout; without a
    `/` a name anywhere. `domains`: `example.com`, `*.example.com`. `deletes`: the command deletes much.
    `configured`: of what the owner has written only.
    """

    then: Then
    kinds: tuple[ActKind, ...] = ()
    commands: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    deletes: bool = False
    second: bool = False
    why: str = ""
    configured: bool = False

    @property
    def takes_all(self) -> bool:
        """Of what it speaks of: no rule after it counts."""
        return not (self.commands or self.paths or self.domains or self.deletes)

    def speaks_of(self, project: ProjectKey, kind: ActKind, *, is_configured: bool = False) -> bool:
        """Commands are run, paths are read or edited, domains are called."""
        if self.configured and not is_configured:
            return False
        if (self.projects and project not in self.projects) or (self.kinds and kind not in self.kinds):
            return False
        match kind:
            case ActKind.RUN:
                return not (self.paths or self.domains)
            case ActKind.READ | ActKind.EDIT:
                return not (self.commands or self.domains or self.deletes)
            case ActKind.FETCH:
                return not (self.commands or self.paths or self.deletes)
        return not (self.commands or self.paths or self.domains or self.deletes)


@dataclass(frozen=True, slots=True)
class Ruling:
    then: Then
    second: bool = False
    why: str = ""

    @property
    def strictness(self) -> tuple[int, bool]:
        return (list(Then).index(self.then), self.second)


class Policy:
    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = tuple(rules)

    def rule(self, act: Act, checkout: Checkout) -> Ruling:
        """Whether it may be done. Never raises."""
        project, own = checkout.project, act.is_configured
        match act.kind:
            case ActKind.RUN:
                return self._command(act, checkout)
            case ActKind.READ | ActKind.EDIT:
                path = placed(act.target, checkout.path, _folder(act, checkout))
                return self._first(project, act.kind, lambda rule: _fits_path(rule, path), own)
            case ActKind.FETCH:
                return self._first(project, act.kind, lambda rule: _fits_domain(rule, act.target), own)
        return self._first(project, act.kind, lambda _rule: True, own)

    def _command(self, act: Act, checkout: Checkout) -> Ruling:
        script = _script(act)
        rulings = [self._simple(each, checkout.project, act.is_configured) for each in script.commands]
        if not script.is_whole:
            rulings.append(self._strictest(checkout.project, act.is_configured))
        rulings += self._writes(script, act, checkout)
        empty = Ruling(Then.ALLOW)  # a line without any command does nothing
        return max(rulings, key=lambda ruling: ruling.strictness, default=empty)

    def _simple(self, simple: Simple, project: ProjectKey, own: bool) -> Ruling:  # noqa: FBT001 - handed on
        inside = hidden(simple)
        if not inside.is_whole:
            return self._strictest(project, own)
        all_of_it = (simple, *inside.commands)
        return self._first(project, ActKind.RUN, lambda rule: _fits_command(rule, simple, all_of_it), own)

    def _writes(self, script: Script, act: Act, checkout: Checkout) -> Iterator[Ruling]:
        """A file that a command names to write it is an edit of that file."""
        commands = [each for one in script.commands for each in (one, *hidden(one).commands)]
        folder = _folder(act, checkout)
        names = {word.text for one in commands for word in written(one)}
        folders = places(commands)
        if len(names) * len(folders) > MOST_WRITES:
            names, folders = {GAP}, [""]
        for name, place in itertools.product(sorted(names), folders):
            path = placed(name, checkout.path, posixpath.join(folder, place))
            yield self._first(checkout.project, ActKind.EDIT, partial(_fits_path, path=path), act.is_configured)

    def _first(self, project: ProjectKey, kind: ActKind, fits: Callable[[Rule], bool], own: bool) -> Ruling:  # noqa: FBT001 - handed on
        for rule in self._rules:
            if rule.speaks_of(project, kind, is_configured=own) and fits(rule):
                return Ruling(rule.then, rule.second and rule.then is Then.ASK, rule.why)
        return Ruling(Then.ASK, why=NO_RULE)

    def _strictest(self, project: ProjectKey, own: bool) -> Ruling:  # noqa: FBT001 - handed on
        """Of every rule that may speak of a command."""
        mine = [rule for rule in self._rules if rule.speaks_of(project, ActKind.RUN, is_configured=own)]
        last = next((number for number, rule in enumerate(mine) if rule.takes_all), len(mine))
        mine = mine[: last + 1]
        then = max((rule.then for rule in mine), key=list(Then).index, default=Then.ASK)
        return Ruling(then, any(rule.second for rule in mine if rule.then is then is Then.ASK), UNREAD)


def _script(act: Act) -> Script:
    """A command line counts only if it is what the shell is given."""
    if not act.command:
        return of_argv(act.argv)
    script = read(act.command)
    return script if act.argv[2:] == (act.command,) or not act.argv else replace(script, is_whole=False)


def _folder(act: Act, checkout: Checkout) -> str:
    return act.folder or checkout.path


def _fits_command(rule: Rule, simple: Simple, all_of_it: Sequence[Simple]) -> bool:
    if rule.deletes and not any(deletes_much(each) for each in all_of_it):
        return False
    if not rule.commands:
        return True
    if rule.then is Then.ALLOW:
        return any(surely_command(pattern, simple) for pattern in rule.commands)
    return any(perhaps_command(pattern, each) for pattern in rule.commands for each in all_of_it)


def _fits_path(rule: Rule, path: str) -> bool:
    fits = surely_path if rule.then is Then.ALLOW else perhaps_path
    return not rule.paths or any(fits(pattern, path) for pattern in rule.paths)


def _fits_domain(rule: Rule, domain: str) -> bool:
    return not rule.domains or any(fits_domain(pattern, domain) for pattern in rule.domains)
