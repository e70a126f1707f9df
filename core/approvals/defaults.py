"""The rules that hold where the configuration says no others: in the sandbox nearly everything goes.

There an act has no network and no token, and sees one checkout whose changes people look at before they are merged. So
only what reaches beyond the run is asked about, and what is never right is refused with a word about what is.
"""

from __future__ import annotations

from core.approvals.policy import Rule, Then
from core.model.approvals import ActKind

CI = (
    ".github/**",
    ".gitlab-ci.yml",
    ".gitlab/**",
    ".circleci/**",
    ".travis.yml",
    ".drone.yml",
    ".woodpecker/**",
    ".buildkite/**",
    ".forgejo/**",
    ".gitea/**",
    "Jenkinsfile",
    "azure-pipelines.yml",
    "bitbucket-pipelines.yml",
    "CODEOWNERS",
)
HOOKS = (".husky/**", ".githooks/**", ".pre-commit-config.yaml", "lefthook.yml", ".gitmodules", ".git/**", ".envrc")
CONFIGURATION = (
    ".claude/**",
    ".codex/**",
    ".cursor/**",
    ".gemini/**",
    ".mcp.json",
    ".vscode/**",
    ".idea/**",
    ".devcontainer/**",
    ".cursorrules",
    ".windsurfrules",
)
LOCKS = (
    "package-lock.json",
    "npm-shrinkwrap.json",
    "yarn.lock",
    "pnpm-lock.yaml",
    "bun.lock",
    "uv.lock",
    "poetry.lock",
    "Pipfile.lock",
    "pdm.lock",
    "Cargo.lock",
    "go.sum",
    "Gemfile.lock",
    "composer.lock",
    "flake.lock",
)
ROOTS = (
    *(f"{each} *" for each in ("sudo", "su", "doas", "pkexec", "runuser", "mount", "umount", "nsenter", "chroot")),
    *(f"{each} *" for each in ("insmod", "modprobe", "mkfs*", "shutdown", "reboot", "halt", "poweroff")),
)

DEFAULTS: tuple[Rule, ...] = (
    Rule(Then.ALLOW, configured=True, why="the owner has written it"),
    Rule(Then.DENY, commands=ROOTS, why="there is no other account and no machine to run here; do without"),
    Rule(Then.DENY, commands=("git push *",), why="the bot publishes your work by itself when you are done"),
    Rule(Then.ASK, kinds=(ActKind.EDIT,), paths=CI, why="it runs elsewhere, with secrets"),
    Rule(Then.ASK, kinds=(ActKind.EDIT,), paths=HOOKS, why="it runs on the machines of people"),
    Rule(Then.ASK, kinds=(ActKind.EDIT,), paths=CONFIGURATION, why="it steers the agents and editors of people"),
    Rule(Then.ASK, kinds=(ActKind.EDIT,), paths=LOCKS, why="a lock file is made by its tool, not by hand"),
    Rule(Then.ASK, deletes=True, why="it deletes much"),
    Rule(Then.ASK, kinds=(ActKind.FETCH, ActKind.OTHER), why="it leaves the sandbox"),
    Rule(Then.ALLOW),
)
