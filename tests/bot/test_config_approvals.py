"""The section `approvals`: rules before the built-in ones, and every mistake in them told."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from bot.config.show import show
from core.approvals.policy import Ruling, Then
from core.model.approvals import Act, ActKind
from core.model.work import Checkout, ProjectKey, RunId
from tests.bot.test_config import complaints, read

HERE = Checkout(RunId("r"), ProjectKey("SHOP"), "/w", "b", "main", "0" * 40)
BASE = "telegram: {token: env:T}\napprovals:\n"


def test_rules_of_the_file_come_first(tmp_path: Path) -> None:
    text = """\
  rules:
    - {then: deny, command: "terraform *", why: plans are made elsewhere}
    - {then: ask, path: [deploy/**, "*.sql"], project: SHOP, second: true}
    - {then: allow, command: [rm -rf src, rm -rf old]}
    - {then: ask, kind: [fetch, read], domain: example.com}
  hours: 2
"""
    config = read(tmp_path, BASE + text)
    policy = config.approvals.policy()

    def line(words: str) -> Act:
        return Act(ActKind.RUN, words, ("bash", "-c", words), words, "/w")

    assert policy.rule(line("terraform plan"), HERE) == Ruling(Then.DENY, why="plans are made elsewhere")
    assert policy.rule(line("rm -rf src"), HERE).then is Then.ALLOW
    assert policy.rule(line("rm -rf tests"), HERE).then is Then.ASK, "the built-in rules come after"
    assert policy.rule(Act(ActKind.EDIT, "x", folder="/w", target="db/x.sql"), HERE).second
    assert config.approvals.hours == 2
    assert yaml.safe_load(show(config))["approvals"]["rules"][0]["command"] == ["terraform *"]


def test_without_the_built_in_rules_everything_else_is_asked_about(tmp_path: Path) -> None:
    policy = read(tmp_path, BASE + "  defaults: false\n").approvals.policy()

    assert policy.rule(Act(ActKind.EDIT, "x", target="x"), HERE).then is Then.ASK


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("{then: maybe}", "then"),
        ("{command: ls}", "then"),
        ("{then: ask, comand: ls}", "comand"),
        ("{then: ask, command: ls, path: x}", "commands, paths or domains"),
        ("{then: deny, second: true}", "then: ask"),
        ("{then: ask, kind: edit, command: ls}", "do not go together"),
        ("{then: ask, kind: jump}", "kind"),
        ('{then: ask, command: " "}', "command"),
    ],
)
def test_a_rule_that_makes_no_sense_is_told(tmp_path: Path, rule: str, told: str) -> None:
    assert any(told in each for each in complaints(tmp_path, f"{BASE}  rules: [{rule}]\n"))
