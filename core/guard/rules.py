"""RULES: which paths are guarded, and why. A new one is a word in this table.

A word is a name, or names with `/` between; `*` stands for anything within one name. With `/` at its end it is a folder
and all that is in it. Each counts at any depth, whatever its case, for projects lie within others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum


class GuardClass(StrEnum):
    WORKFLOWS = "workflows"
    """What a build service runs, with its secrets."""
    LOCKS = "locks"
    """Which code of others is taken, and from where."""
    HOOKS = "hooks"
    """What git runs on the machines of those who take part."""
    AGENTS = "agents"
    """What an agent is told or may do, the next time too."""
    EDITORS = "editors"
    """What runs when somebody opens the folder."""
    REPOSITORY = "repository"
    """How git and the forge treat the repository: attributes, owners of code, updates."""
    SUBMODULES = "submodules"
    SYMLINKS = "symlinks"
    """Those that lead out of the tree."""
    EXECUTABLES = "executables"
    """Files that become executable."""
    BINARIES = "binaries"
    """Larger than the limit: nobody can read what is in them."""
    BIG = "big"
    SECRETS = "secrets"
    NAMES = "names"
    """Names that another system reads as others."""
    EXTRA = "extra"
    """What the configuration names besides."""


PATHS: Mapping[GuardClass, str] = {
    GuardClass.WORKFLOWS: """
        .github/workflows/ .github/actions/ .forgejo/workflows/ .forgejo/actions/ .gitea/workflows/ .gitea/actions/
        .gitlab-ci.yml .gitlab-ci.yaml *.gitlab-ci.yml .gitlab/ci/ .gitlab-ci/ .circleci/ .buildkite/ .woodpecker/
        .woodpecker.yml .woodpecker.yaml .drone.yml .drone.yaml .drone.star .drone.jsonnet azure-pipelines*.yml
        azure-pipelines*.yaml .azure-pipelines/ .azuredevops/ .pipelines/ jenkinsfile jenkinsfile.* *.jenkinsfile
        .jenkins/ bitbucket-pipelines.yml .travis.yml .travis/ appveyor.yml .appveyor.yml .cirrus.yml .cirrus.star
        .semaphore/ .teamcity/ .tekton/ cloudbuild.yaml cloudbuild.yml cloudbuild.json buildspec.yml buildspec.yaml
        .builds/ .build.yml codefresh.yml .codefresh/ screwdriver.yaml wercker.yml .harness/ .concourse/ .dagger/
        .earthly/ .goreleaser.yml .goreleaser.yaml .releaserc .releaserc.* codemagic.yaml bitrise.yml
    """,
    GuardClass.LOCKS: """
        package-lock.json npm-shrinkwrap.json yarn.lock pnpm-lock.yaml bun.lock bun.lockb deno.lock poetry.lock
        uv.lock pdm.lock pipfile.lock requirements.lock requirements-*.lock pylock.toml pylock.*.toml conda-lock.yml
        pixi.lock cargo.lock go.sum go.work.sum composer.lock gemfile.lock gems.locked mix.lock rebar.lock
        pubspec.lock podfile.lock package.resolved cartfile.resolved gradle.lockfile buildscript-gradle.lockfile
        verification-metadata.xml gradle-wrapper.properties gradle-wrapper.jar maven-wrapper.properties
        maven-wrapper.jar packages.lock.json paket.lock flake.lock .terraform.lock.hcl chart.lock module.bazel.lock
        conan.lock shard.lock stack.yaml.lock cabal.project.freeze opam.locked manifest.toml.lock project.assets.json
        .npmrc .yarnrc .yarnrc.yml .yarn/releases/ .yarn/plugins/ .pnpmfile.cjs pnpmfile.js .pypirc pip.conf pip.ini
        .cargo/config .cargo/config.toml nuget.config .bundle/config .condarc
    """,
    GuardClass.HOOKS: """
        .husky/ .huskyrc .huskyrc.* .githooks/ .git-hooks/ githooks/ .hooks/ .pre-commit-config.yaml
        .pre-commit-config.yml .pre-commit-hooks.yaml lefthook.yml lefthook.yaml lefthook.toml lefthook.json
        .lefthook/ .lefthook.yml .lefthook.yaml .lefthook.toml lefthook-local.yml .lefthook-local.yml .overcommit.yml
        .lintstagedrc .lintstagedrc.* lint-staged.config.* .simple-git-hooks.* simple-git-hooks.* captainhook.json
        grumphp.yml .pre-commit/ .commitlintrc.js prek.toml
    """,
    GuardClass.AGENTS: """
        .claude/ .claude.json claude.md claude.local.md .cursor/ .cursorrules .cursorignore .mcp.json mcp.json .mcp/
        agents.md agent.md agents.override.md .agents/ .agent/ .codex/ gemini.md .gemini/ .aider* .continue/
        .windsurf/ .windsurfrules .clinerules/ .cline/ .roo/ .roorules .roomodes .kiro/ .augment/ .augmentignore
        .augment-guidelines copilot-instructions.md .github/instructions/ .github/prompts/ .github/agents/
        .github/chatmodes/ .copilot/ .openhands/ .openhands_instructions .opencode/ opencode.json opencode.jsonc .amp/
        .goosehints .goose/ .junie/ .trae/ .qwen/ qwen.md .crush/ crush.json .crush.json .factory/ .devin/ .jules/
        .warp/ warp.md .patchbay/
    """,
    GuardClass.EDITORS: """
        .vscode/ .idea/ .devcontainer/ .devcontainer.json .fleet/ .zed/ .vs/ .nova/ .theia/ *.code-workspace
        *.sublime-project .exrc .nvimrc .nvim.lua .vimrc .lvimrc .dir-locals.el .gitpod.yml .gitpod.dockerfile .envrc
        .direnv/ .env.fish .autoenv .autoenv.zsh mise.toml .mise.toml mise.local.toml .mise/ .rtx.toml .ona/
    """,
    GuardClass.REPOSITORY: """
        .gitattributes .gitmodules .gitconfig .lfsconfig .git-blame-ignore-revs codeowners dependabot.yml
        dependabot.yaml renovate.json renovate.json5 .renovaterc .renovaterc.* .github/renovate* .github/settings.yml
        .mergify.yml .github/mergify.yml .kodiak.toml .github/rulesets/ .gitlab/merge_request_templates/
        .gitlab/agents/ .github/policies/ .gitreview
    """,
}


def matcher(words: Iterable[str]) -> re.Pattern[str]:
    """Searched in a plain path, finds what one of the words names: the path itself, or a folder that it is in.

    A file, link or submodule in the place of one of the folders above what is named is found too.
    """
    found: list[str] = []
    for word in words:
        names = [_name(each) for each in word.casefold().strip("/").split("/")]
        above = "".join(f"(?:/{name}" for name in names[1:]) + "".join(")?" for _ in names[1:])
        whole = "/".join(names)
        found.append(f"{whole}(?:/|$)" if word.endswith("/") else f"{whole}$")
        if len(names) > 1:
            found.append(f"{names[0]}{above}$")
    return re.compile(f"(?:^|/)(?:{'|'.join(found)})") if found else re.compile(r"(?!)")


def _name(word: str) -> str:
    return "[^/]*".join(re.escape(each) for each in word.split("*"))


RULES: Mapping[GuardClass, re.Pattern[str]] = {each: matcher(words.split()) for each, words in PATHS.items()}
