"""The policy: what is allowed, asked about and refused, and that no way of writing a command fools it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.approvals.defaults import DEFAULTS
from core.approvals.hidden import hidden
from core.approvals.policy import NO_RULE, UNREAD, Policy, Rule, Ruling, Then
from core.approvals.script import GAP, Simple, Word, of_argv
from core.approvals.shell import MOST_CHARS, MOST_DEPTH, read
from core.model.approvals import Act, ActKind
from core.model.work import Checkout, ProjectKey, RunId

HERE = Checkout(RunId("r1"), ProjectKey("DEMO"), "/work/r1", "b", "main", "0" * 40)
DEFAULT = Policy(DEFAULTS)
ALLOW, ASK, DENY = Then.ALLOW, Then.ASK, Then.DENY


def run(line: str, **changes: object) -> Act:
    made = Act(ActKind.RUN, line, ("bash", "-c", line), line, HERE.path)
    return replace(made, **changes)  # type: ignore[arg-type]


def edit(path: str) -> Act:
    return Act(ActKind.EDIT, path, folder=HERE.path, target=path, content="x")


def then(act: Act, policy: Policy = DEFAULT) -> Then:
    return policy.rule(act, HERE).then


ORDINARY = [
    "ls -la && cat README.md",
    "pytest -q tests 2>&1 | tail -20",
    "rg -n 'def main' src | head",
    "python - <<'EOF'\nprint('rm -rf /')\nEOF",
    'for f in src/*.py; do python -m py_compile "$f" || exit 1; done',
    "sed -i 's/a/b/' src/app.py && git diff --stat",
    "cd src && ruff check --fix . ; cd ..",
    "npm test -- --watch=false > /tmp/out.txt 2>&1; tail /tmp/out.txt",
    "rm -rf build dist node_modules/.cache && make",
    "rm old.txt src/unused.py",
    "find . -name '*.pyc' -delete",
    "find . -type f -name '*.py' -exec grep -l TODO {} +",
    "if [ -f x ]; then echo yes; else echo no; fi",
    "[[ -d src && ! -f x ]] && echo ok",
    "export A=1; B=$(date +%s) make check",
    "git status && git log --oneline | head -5 && git diff HEAD~1",
    "cat .github/workflows/ci.yml",
    "grep -rn uses: .github",
    "cp src/a.py src/b.py; mv src/b.py src/c.py; touch src/d.py",
    "tee notes.txt <<< hello",
    "diff <(sort a) <(sort b)",
    'echo $((1 + 2)) ${HOME} "${x%.py}"',
    "timeout 60 pytest -x; env CI=1 make test; nice -n 5 make",
    "xargs -n1 basename < list.txt",
    "true # sudo rm -rf /",
    'echo "a \\"b\\" \\$x \\`y\\` \\\n z"',
    "",
    "ls 2>&- <&-; source env.sh; . ./x; bash run.sh; bash --version; sh -- x",
    "cat <<EOF > x\nnever ended",
    "printf $'a\\n'",
    "git commit -m \"$(cat <<'EOF'\nAdd it: it's done\nEOF\n)\"",
]


@pytest.mark.parametrize("command", ORDINARY)
def test_ordinary_work_needs_nobody(command: str) -> None:
    assert DEFAULT.rule(run(command), HERE).then is ALLOW


ROOT_WAYS = [
    "sudo ls",
    "/usr/bin/sudo ls",
    "s'u'do ls",
    '"sudo" ls',
    "su\\do ls",
    "su\\\ndo ls",
    "$'sudo' ls",
    "A=1 sudo ls",
    "env sudo ls",
    "env -i A=b sudo ls",
    "env -S 'sudo ls'",
    "env -S'sudo ls'",
    "env --split-string='sudo ls'",
    "env bash -c 'sudo ls'",
    "env -S 'bash -c \"sudo ls\"'",
    "bash -c 'sudo ls'",
    "bash -xc 'sudo ls'",
    "bash -o pipefail -c 'sudo ls'",
    "bash --norc -c 'sudo ls'",
    "sh -c \"bash -c 'sudo ls'\"",
    "nice -n 5 sudo ls",
    "timeout -k 5 10 sudo ls",
    "nohup nice timeout 5 env sudo ls",
    "xargs sudo ls < x",
    "echo x | xargs -I{} sh -c 'sudo ls {}'",
    "find . -name x -exec sudo rm {} \\;",
    "find . -exec sh -c 'sudo rm $1' _ {} +",
    "ls; sudo ls",
    "ls & sudo ls",
    "ls && sudo ls",
    "ls || sudo ls",
    "ls | sudo tee x",
    "ls |& sudo tee x",
    "ls\nsudo ls",
    "(sudo ls)",
    "{ sudo ls; }",
    "( (sudo ls) )",
    "echo $(sudo ls)",
    'echo "$(sudo ls)"',
    "echo `sudo ls`",
    'echo "`sudo ls`"',
    "echo `echo \\`sudo ls\\``",
    "cat <(sudo ls)",
    "cat <<EOF\n$(sudo ls)\nEOF",
    "bash <<EOF\nsudo ls\nEOF",
    "bash -s <<'EOF'\nsudo ls\nEOF",
    "bash /dev/stdin <<'EOF'\nsudo ls\nEOF",
    "bash <<< 'sudo ls'",
    "if true; then sudo ls; fi",
    "while sudo ls; do true; done",
    "for x in 1 2; do sudo ls; done",
    "for x in $(sudo ls); do true; done",
    "! sudo ls",
    "time sudo ls",
    "exec sudo ls",
    "command sudo ls",
    "builtin command sudo ls",
    "eval 'sudo ls'",
    "eval sudo ls",
    "trap 'sudo ls' EXIT",
    "> out sudo ls",
    "ls &> out; sudo ls",
    "busybox sh -c 'sudo ls'",
    "flock x -c 'sudo ls'",
    "watch 'sudo ls'",
    "git push origin main",
    "git -C . push",
    "[[ -f $(sudo ls) ]]",
]
UNREADABLE = [
    "$CMD ls",
    '"$CMD" ls',
    "$(echo sudo) ls",
    "`echo sudo` ls",
    "su?o ls",
    "{sudo,ls}",
    "~/x",
    "$'\\x73udo' ls",
    'eval "$x"',
    'bash -c "$x"',
    "curl x | sh",
    "echo ls | bash",
    "source /dev/stdin",
    ". <(echo ls)",
    "f() { ls; }; f",
    "function f { ls; }",
    "case x in x) ls;; esac",
    "a=(1 2)",
    "((i++))",
    "echo ${x:-$(ls)}",
    "echo ${!x@P}",
    "alias ls=sudo",
    "echo 'open",
    'echo "open',
    "echo $'open",
    "echo $'open\\",
    "echo `open",
    "echo $(ls",
    "echo $((1",
    "echo ${x",
    "ls )",
    "ls >",
    "cat << $x",
    "[[ -f x",
    "for x in <(ls); do true; done",
    "ls \\",
    'echo {a,$(ls)}x{b,"c"}',
    "echo $\\\n(ls)",
    "env $X",
    "find . -exec $X {} \\;",
    "xargs " + "a " * 300,
    "x" * (MOST_CHARS + 1),
    "ls \0",
    "echo " + "$(echo " * 2000,
    "bash -c " * 3 + "ls",
    "trap $x EXIT",
]


@pytest.mark.parametrize("command", ROOT_WAYS)
def test_what_is_refused_hides_behind_nothing(command: str) -> None:
    assert DEFAULT.rule(run(command), HERE).then is DENY


def test_a_policy_that_looks_at_the_first_word_lets_nearly_all_of_them_pass() -> None:
    """The control."""
    passed = [command for command in ROOT_WAYS if command.split()[0] not in {"sudo", "git"}]

    assert len(passed) >= len(ROOT_WAYS) - 3


@pytest.mark.parametrize("command", UNREADABLE)
def test_what_cannot_be_read_counts_as_the_strictest(command: str) -> None:
    ruling = DEFAULT.rule(run(command), HERE)

    assert ruling.then is DENY


@pytest.mark.parametrize("line", ["case $1 in a) ls;; esac", "f() { ls; }; f", 'for word; do echo > "$word"; done'])
def test_what_the_owner_has_written_needs_nobody(line: str) -> None:
    step = Act(ActKind.RUN, "tidy", ("sh", "-c", line, "sh", "words"), is_configured=True)

    assert then(step) is Then.ALLOW
    assert then(replace(step, is_configured=False)) is Then.DENY


def test_the_owners_rules_count_for_what_the_owner_has_written_too() -> None:
    policy = Policy((Rule(Then.DENY, commands=("terraform *",)), Rule(Then.ASK, kinds=(ActKind.READ,)), *DEFAULTS))
    step = Act(ActKind.RUN, "plan", ("terraform", "apply"), is_configured=True)

    assert then(step, policy) is Then.DENY
    assert then(replace(step, argv=("make",)), policy) is Then.ALLOW
    assert then(replace(step, argv=("sh", "-c", "case a in a) ls;; esac")), policy) is Then.DENY


def test_a_command_line_that_is_not_what_the_shell_gets_is_not_believed() -> None:
    assert then(run("ls", argv=("bash", "-c", "ls; ls"))) is DENY
    assert then(run("ls", argv=())) is ALLOW
    assert then(run("", argv=("ls",), command="")) is ALLOW
    assert then(run("", argv=(), command="")) is DENY
    assert then(run("", argv=("sh", "-c", "sudo ls"), command="")) is DENY


DELETING = [
    "rm -rf src",
    "rm -r .",
    "rm -rf ./",
    "rm -fr *",
    "rm *",
    "rm *.py",
    'rm -rf "$x"',
    "rm --recursive src",
    "rm -rf build/../src",
    "rm " + " ".join(f"f{n}" for n in range(11)),
    "cd src && rm -rf *",
    "find . -delete",
    "find . -name '*.py' -delete",
    "find src -type f -exec rm {} +",
    "find . | xargs rm -rf",
    "git clean -fdx",
    "rsync -a --delete a/ b/",
    "bash -c 'rm -rf src'",
    "echo $(rm -rf src)",
]


@pytest.mark.parametrize("command", DELETING)
def test_deleting_much_is_asked_about(command: str) -> None:
    assert DEFAULT.rule(run(command), HERE).then is ASK


@pytest.mark.parametrize("command", ["git clean -n", "rm -rf /tmp/x", "find . -name '__pycache__' -exec rm -r {} +"])
def test_what_is_made_again_may_go(command: str) -> None:
    assert then(run(command)) is ALLOW


GUARDED = [
    ".github/workflows/ci.yml",
    "./.github/workflows/ci.yml",
    ".GitHub/Workflows/CI.yml",
    "/work/r1/.github/workflows/ci.yml",
    "src/../.github/workflows/ci.yml",
    ".husky/pre-commit",
    ".pre-commit-config.yaml",
    ".vscode/settings.json",
    ".mcp.json",
    "sub/.mcp.json",
    "package-lock.json",
    "web/yarn.lock",
    "CODEOWNERS",
]


@pytest.mark.parametrize("path", GUARDED)
def test_what_reaches_beyond_the_run_is_asked_about(path: str) -> None:
    assert then(edit(path)) is ASK
    assert then(run(f"echo x > {path}")) is ASK
    assert then(run(f"cp x {path}")) is ASK
    assert then(run(f"bash -c 'sed -i s/a/b/ {path}'")) is ASK
    assert then(run(f"cat x | tee -a {path}")) is ASK
    assert then(run(f"dd if=x of={path}")) is ASK
    assert then(replace(edit(path), kind=ActKind.READ)) is ALLOW


@pytest.mark.parametrize(
    "command",
    [
        "cd .github/workflows && echo x > ci.yml",
        "cd .github; cd workflows; echo x > ci.yml",
        'cd "$x" && echo x > ci.yml',
        "cd - && echo x > ci.yml",
        "cd && echo x > ci.yml",
        'echo x > "$out"',
        'echo x > "$a/../x"',
        'echo x > ".github/$f"',
        "echo x > .github/*/ci.yml",
        "echo x > $PWD/.github/workflows/ci.yml",
        "cp ci.yml .github/workflows/",
        "cp -t .github/workflows ci.yml",
        "mv .github old",
        "echo x >| .husky/pre-push",
        "echo x &>> .envrc",
    ],
)
def test_a_path_that_may_be_one_of_these_counts_as_one(command: str) -> None:
    assert then(run(command)) is ASK


@pytest.mark.parametrize("path", ["src/app.py", "README.md", "AGENTS.md", "pyproject.toml", "/tmp/x", "src/lock.py"])
def test_ordinary_files_need_nobody(path: str) -> None:
    assert then(edit(path)) is ALLOW
    assert then(run(f"echo x > {path}")) is ALLOW


def test_of_very_many_files_any_may_be_any() -> None:
    assert then(run("touch " + " ".join(f"f{n}" for n in range(400)))) is ALLOW
    assert then(run("touch " + " ".join(f"f{n}" for n in range(600)))) is ASK


def test_many_folders_are_not_followed_but_taken_for_unknown() -> None:
    many = "; ".join(f"cd d{n}" for n in range(8))

    assert then(run(f"{many}; echo x > ci.yml")) is ASK


# --------------------------------------------------------------------------------------- own rules


ONLY = Policy([Rule(ALLOW, commands=("npm test", "make *", "timeout 60 npm test")), Rule(ASK, why="anything else")])


@pytest.mark.parametrize("command", ["npm test", "make", "make a b", "npm test && make all", "timeout 60 npm test"])
def test_what_is_surely_allowed_is(command: str) -> None:
    assert then(run(command), ONLY) is ALLOW


@pytest.mark.parametrize(
    "command",
    [
        "npm test x",
        "npm",
        "NODE_OPTIONS=--require=./x.js npm test",
        "PATH=. ; npm test",
        "/tmp/npm test",
        "env npm test",
        "npm test; ls",
        "npm test | tee x",
        "npm test $(ls)",
        "npm $x",
        "npm test > src/x.py",
        "npm() { ls; }; npm test",
        "make `ls`",
        "make $x",
        "bash -c 'npm test'",
        "eval npm test",
        "npm\\\n test2",
        "alias npm=ls; npm test",
        "(npm test; ls)",
    ],
)
def test_what_is_only_perhaps_allowed_is_not(command: str) -> None:
    assert then(run(command), ONLY) is ASK


def test_quotes_change_nothing() -> None:
    assert then(run("'npm' \"test\""), ONLY) is ALLOW
    assert then(run("npm \\\n test"), ONLY) is ALLOW


def test_the_first_rule_that_fits_counts() -> None:
    policy = Policy([Rule(ALLOW, commands=("rm -rf src",)), *DEFAULTS])

    assert then(run("rm -rf src"), policy) is ALLOW
    assert then(run("rm -rf src tests"), policy) is ASK


def test_rules_of_other_projects_and_kinds_say_nothing() -> None:
    policy = Policy(
        [
            Rule(DENY, projects=("SHOP",)),
            Rule(DENY, kinds=(ActKind.FETCH,), domains=("evil.example", "*.evil.example")),
            Rule(ASK, kinds=(ActKind.READ,), paths=("secrets/**",), second=True, why="they are secret"),
            Rule(ALLOW),
        ]
    )
    fetch = Act(ActKind.FETCH, "fetch", target="evil.example")

    assert then(run("ls"), policy) is ALLOW
    assert policy.rule(run("ls"), replace(HERE, project=ProjectKey("SHOP"))).then is DENY
    assert then(fetch, policy) is DENY
    assert then(replace(fetch, target="a.EVIL.example."), policy) is DENY
    assert then(replace(fetch, target="good.example"), policy) is ALLOW
    read_it = Act(ActKind.READ, "read", folder=HERE.path, target="secrets/key")
    assert policy.rule(read_it, HERE) == Ruling(ASK, second=True, why="they are secret")
    assert then(replace(read_it, target="src/key"), policy) is ALLOW
    assert then(Act(ActKind.OTHER, "x"), policy) is ALLOW


def test_what_no_rule_speaks_of_is_asked_about() -> None:
    for act in (run("ls"), edit("x"), Act(ActKind.FETCH, "x", target="y"), Act(ActKind.OTHER, "x")):
        assert Policy([]).rule(act, HERE) == Ruling(ASK, why=NO_RULE)
    assert Policy([]).rule(run("$x"), HERE) == Ruling(ASK, why=UNREAD)
    two = Policy([Rule(ASK, commands=("deploy *",), second=True), Rule(ALLOW)])
    assert two.rule(run("$x"), HERE) == Ruling(ASK, second=True, why=UNREAD)


def test_by_default_what_leaves_the_sandbox_is_asked_about() -> None:
    assert then(Act(ActKind.FETCH, "x", target="example.com")) is ASK
    assert then(Act(ActKind.OTHER, "x")) is ASK


def test_globs_are_as_people_know_them() -> None:
    policy = Policy([Rule(DENY, paths=("a/**/z.?", "docs", "b/*.md", "**.key")), Rule(ALLOW)])

    for path in ("a/z.c", "a/b/c/z.c", "docs", "x/docs", "b/x.md", "x/y.key"):
        assert then(edit(path), policy) is DENY, path
    for path in ("a/z.cc", "docsx", "b/c/x.md", "x"):
        assert then(edit(path), policy) is ALLOW, path
    only = Policy([Rule(ALLOW, paths=("src/**",)), Rule(DENY)])
    assert then(edit("src/a/b.py"), only) is ALLOW
    assert then(edit("SRC/a.py"), only) is DENY


# ------------------------------------------------------------------------------------------- reading


def test_an_empty_command_is_nothing_that_hides() -> None:
    assert hidden(Simple(())).is_whole
    assert not hidden(Simple((Word("ls"),)), MOST_DEPTH + 1).is_whole
    assert not of_argv(()).is_whole
    assert not read("ls", MOST_DEPTH + 1).is_whole
    assert not read("echo `echo \\`ls\\``", MOST_DEPTH).is_whole


@given(st.text(alphabet="abs \n'\"\\$`(){}<>|&;#*=[]~!-", max_size=60))
def test_any_line_can_be_asked_about(line: str) -> None:
    ruling = DEFAULT.rule(run(line), HERE)

    assert ruling.then in set(Then)
    assert all(GAP not in word.text or not word.is_known for each in read(line).commands for word in each.words)


@given(st.text(max_size=30))
def test_a_quoted_word_is_that_word(word: str) -> None:
    if GAP in word:
        return
    quoted = "'" + word.replace("'", "'\\''") + "'"
    [command] = read(f"echo {quoted}").commands

    assert [each.text for each in command.words] == ["echo", word]
