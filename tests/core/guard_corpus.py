"""Paths that the guard must find, by class, the tricks that hide them, and ordinary ones that it must leave alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from core.guard import GuardClass

GUARDED: Mapping[GuardClass, str] = {
    GuardClass.WORKFLOWS: """
        .github/workflows/ci.yml .github/workflows/deep/reusable.yaml .github/actions/setup/action.yml
        .gitlab-ci.yml ci/build.gitlab-ci.yml .circleci/config.yml .buildkite/pipeline.yml .woodpecker.yml
        .woodpecker/test.yaml .drone.yml azure-pipelines.yml azure-pipelines-release.yml .azure-pipelines/pr.yml
        Jenkinsfile Jenkinsfile.release build/deploy.jenkinsfile bitbucket-pipelines.yml .travis.yml appveyor.yml
        .cirrus.yml .semaphore/semaphore.yml .teamcity/settings.kts .tekton/push.yaml cloudbuild.yaml buildspec.yml
        .forgejo/workflows/test.yml .gitea/workflows/test.yml .builds/alpine.yml codefresh.yml
        packages/app/.github/workflows/ci.yml .goreleaser.yml
    """,
    GuardClass.LOCKS: """
        package-lock.json web/package-lock.json yarn.lock pnpm-lock.yaml bun.lock bun.lockb npm-shrinkwrap.json
        poetry.lock uv.lock pdm.lock Pipfile.lock requirements.lock Cargo.lock go.sum composer.lock Gemfile.lock
        mix.lock pubspec.lock Podfile.lock Package.resolved gradle.lockfile packages.lock.json flake.lock deno.lock
        .terraform.lock.hcl infra/.terraform.lock.hcl MODULE.bazel.lock gradle/wrapper/gradle-wrapper.jar .npmrc
        .yarnrc.yml .yarn/releases/yarn-4.cjs .cargo/config.toml pip.conf
    """,
    GuardClass.HOOKS: """
        .husky/pre-commit .husky/_/husky.sh .githooks/pre-push .git-hooks/post-checkout .pre-commit-config.yaml
        .pre-commit-hooks.yaml lefthook.yml .lefthook.toml .lefthook/pre-push/x.sh .overcommit.yml
        .lintstagedrc.json lint-staged.config.mjs .huskyrc.json
    """,
    GuardClass.AGENTS: """
        .claude/settings.json .claude/commands/x.md .claude.json CLAUDE.md docs/CLAUDE.md AGENTS.md api/AGENTS.md
        .mcp.json .cursor/mcp.json .cursor/rules/a.mdc .cursorrules .codex/config.toml GEMINI.md
        .gemini/settings.json .aider.conf.yml .continue/config.yaml .windsurfrules .clinerules .clinerules/a.md
        .roo/rules.md .kiro/steering.md .augment/rules.md .github/copilot-instructions.md
        .github/instructions/a.instructions.md .github/agents/x.md opencode.json .opencode/agent/x.md .goosehints
        .junie/guidelines.md
    """,
    GuardClass.EDITORS: """
        .vscode/tasks.json .vscode/settings.json .idea/workspace.xml .devcontainer/devcontainer.json
        .devcontainer.json .fleet/run.json .zed/tasks.json app.code-workspace .envrc sub/.envrc .exrc .dir-locals.el
        mise.toml .gitpod.yml .vs/launch.vs.json
    """,
    GuardClass.REPOSITORY: """
        .gitattributes sub/.gitattributes .gitmodules .gitconfig .lfsconfig CODEOWNERS .github/CODEOWNERS
        docs/CODEOWNERS .github/dependabot.yml renovate.json .github/renovate.json5 .mergify.yml
        .github/settings.yml
    """,
}

LOOKS = {"a": "\u0430", "c": "\u0441", "e": "\u0435", "o": "\u043e", "p": "\u0440", "i": "\u0456", "s": "\u0455"}


def _swapped(path: str) -> str:
    return "".join(LOOKS.get(each, each) for each in path)


def _wide(path: str) -> str:
    return "".join(chr(ord(each) + 0xFEE0) if each.isalpha() else each for each in path)


TRICKS: Mapping[str, Callable[[str], str]] = {
    "large": str.upper,
    "mixed": lambda path: "".join(each.upper() if at % 2 else each for at, each in enumerate(path)),
    "title": str.title,
    "look-alikes": _swapped,
    "one look-alike": lambda path: _swapped(path[:6]) + path[6:],
    "wide": _wide,
    "zero width": lambda path: f"{path[:3]}\u200b{path[3:]}",
    "joiner at the end": lambda path: f"{path}\u200d",
    "right to left": lambda path: f"\u202e{path}",
    "soft hyphen": lambda path: f"{path[:2]}\u00ad{path[2:]}",
    "dots at the end": lambda path: f"{path}..",
    "space at the end": lambda path: f"{path} ",
    "dots within": lambda path: path.replace("/", "./"),
    "stream": lambda path: f"{path}::$DATA",
    "stream of a folder": lambda path: path.replace("/", "::$INDEX_ALLOCATION/"),
    "backslashes": lambda path: path.replace("/", "\\"),
    "in a folder": lambda path: f"vendor/other/{path}",
    "dot leader": lambda path: path.replace(".", "\u2024"),
    "accents": lambda path: path.replace("a", "a\u0301").replace("o", "o\u0308"),
}

_ORDINARY = """
    README.md readme.txt LICENSE CHANGELOG.md CONTRIBUTING.md src/main.py src/app/__init__.py src/app/models.py
    tests/test_models.py tests/conftest.py docs/index.md docs/workflows.md docs/github/workflows.md
    docs/agents/guide.md docs/claude-integration.md pyproject.toml setup.py setup.cfg requirements.txt
    requirements-dev.in package.json tsconfig.json vite.config.ts webpack.config.js jest.config.js .gitignore
    .editorconfig .dockerignore Dockerfile docker-compose.yml Makefile CMakeLists.txt Cargo.toml go.mod pom.xml
    build.gradle settings.gradle Gemfile composer.json src/index.ts src/components/Button.tsx src/hooks/useThing.ts
    src/hooks/index.ts hooks/useAuth.js lib/lock.py src/locks/mutex.rs src/agents/loop.py agents/base.py
    src/cursor.py src/cursor/pager.go src/idea.md ideas/notes.md app/workflows/billing.py workflows/etl.sql
    src/github/client.py github/api.go gitlab/runner.py ci/README.md scripts/build.sh scripts/deploy.py bin/tool
    public/index.html assets/logo.svg static/app.css locale/de.po .github/ISSUE_TEMPLATE/bug.md
    .github/PULL_REQUEST_TEMPLATE.md .github/FUNDING.yml .github/SECURITY.md migrations/0001_initial.py db/schema.rb
    config/routes.rb config/database.yml terraform/main.tf k8s/deployment.yaml charts/app/values.yaml
    proto/api.proto api/openapi.yaml src/lib.rs cmd/server/main.go internal/server/server_test.go
    src/main/java/App.java src/test/java/AppTest.java Sources/App/main.swift lib/app.ex test/app_test.exs
    notebook.ipynb data/sample.csv data/fixtures.json .prettierrc .eslintrc.json .flake8 .ruff.toml ruff.toml
    mypy.ini tox.ini noxfile.py .env.example .python-version .nvmrc .tool-versions docs/r\u00e9sum\u00e9.md
    docs/\u0434\u043e\u043a\u0443\u043c\u0435\u043d\u0442.md docs/\u65e5\u672c\u8a9e.md a/b/c/d/e/f.txt
    src/claude/client.py src/vscode/extension.ts vscode/package.json src/husky.ts src/lefthook/parser.go
    mcp/server.py src/mcp.json.ts src/package-lock.ts lockfile.py yarn/lock.md src/codeowners.py
    src/dependabot/client.rb renovate/config.md src/gitmodules.c src/gitattributes.c drone/flight.py
    travis/readme.md circleci/orb.md azure/functions.py jenkins/client.py buildkite.md envrc.md src/drone.yml.md
    templates/email.html styles/main.scss images/photo.jpg fonts/a.woff2 vendor/readme.md third_party/zlib/zlib.c
    examples/hello.py benchmarks/run.py .coveragerc .pylintrc .mailmap AUTHORS NOTICE VERSION a.out.md x/y.lock.md
    src/aider.py opencode/readme.md goose.py junie.txt kiro.css roo.js windsurf.md cline.ts continue.md
"""


def paths(words: str) -> list[str]:
    return words.split()


ORDINARY = paths(_ORDINARY)
