"""Public ways around what was approved, or around a list of commands. Each is really run where nobody looks."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.agents.asking import Permit, Refused
from core.approvals.policy import Policy, Rule, Then
from core.model.approvals import Act, ActKind
from core.model.work import Checkout, ProjectKey, RunId

HERE = Checkout(RunId("r1"), ProjectKey("DEMO"), "/work/r1", "b", "main", "0" * 40)
POLICY = Policy(
    [
        Rule(Then.DENY, commands=("touch *",)),
        Rule(Then.ALLOW, commands=("env *",)),
        Rule(Then.ALLOW, commands=("bash *",)),
        Rule(Then.ALLOW, commands=("sh *",)),
        Rule(Then.ALLOW, commands=("echo *",)),
    ]
)
"""What is wrapped is refused, every wrapper is allowed."""


def nested(depth: int) -> str:
    """`env env … touch mark`."""
    return "env " * depth + "touch mark"


QUOTED = 'bash -c "bash -c \'sh -c \\"touch mark\\"\'"'

WAYS = {
    "cve_2026_27566_env_bash": ["env bash -c 'touch mark'", "/usr/bin/env bash -c 'touch mark'", "env A=1 touch mark"],
    "cve_2026_31992_env_split": ["env -S 'touch mark'", "env --split-string='touch mark'", "env -iS 'touch mark'"],
    "cve_2026_27183_wrapper_depth": [nested(1), nested(12), nested(200), QUOTED],
    "cve_2026_28460_line_continuation": ["to\\\nuch mark", "env \\\ntouch \\\nmark", "echo x; t\\\nouch mark"],
}


def naive(line: str) -> bool:
    """A list that looks at the first word."""
    return line.split(maxsplit=1)[0].rpartition("/")[2] in {"env", "bash", "sh", "echo", "to\\"}


@pytest.mark.parametrize("name", list(WAYS))
@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash to show that it works")
def test_cve_2026_27566_31992_27183_28460_a_list_of_commands_sees_through_wrappers(name: str, tmp_path: Path) -> None:
    for line in WAYS[name]:
        act = Act(ActKind.RUN, line, ("bash", "-c", line), line, HERE.path)

        assert POLICY.rule(act, HERE).then is Then.DENY, line
        assert naive(line), "a list of first words lets it pass"
        subprocess.run(["bash", "-c", line], cwd=tmp_path, check=False, capture_output=True)
        assert (tmp_path / "mark").exists(), "and it does what is refused"
        (tmp_path / "mark").unlink()


def test_cve_2026_53822_argv_that_changes_after_the_yes_is_not_run() -> None:
    """Compared right before it is done, over every word, the folder and the names of variables."""
    act = Act(ActKind.RUN, "clean", ("rm", "-rf", "build"), "", HERE.path, ("CI",))
    permit = Permit(act, act.digest, "Olga")
    assert permit.checked() is act

    for swapped in (
        replace(act, argv=("rm", "-rf", "/")),
        replace(act, argv=("rm", "-rf build")),
        replace(act, argv=("rm", "-rf", "build", ".git")),
        replace(act, folder="/"),
        replace(act, environment=("CI", "LD_PRELOAD")),
        replace(act, command="rm -rf /"),
    ):
        with pytest.raises(Refused):
            Permit(swapped, act.digest, "Olga").checked()
        assert swapped.title == act.title, "by what people were shown it would be the same"
