"""The guard: everything that runs, instructs or hides is found, whatever its path looks like; nothing else is."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.guard import GuardAction, GuardClass, GuardPolicy, holder, judge
from core.guard.judge import leaves
from core.guard.policy import OFF
from core.model.tree import PathChange, Staged
from tests.core.guard_corpus import GUARDED, ORDINARY, TRICKS, paths

POLICY = GuardPolicy()
KNOWN = "tok" + "en-of-the-bot-12345"


def redact(text: str) -> str:
    return text.replace(KNOWN, "[redacted]")


def classes(change: PathChange, policy: GuardPolicy = POLICY) -> tuple[GuardClass, ...]:
    found = judge(Staged("t", (change,)), policy, holder(redact))
    return found[0].classes if found else ()


def test_every_guarded_path_is_found_and_no_trick_hides_one() -> None:
    missed, count = list[str](), 0
    for guarded, words in GUARDED.items():
        plain = paths(words)
        tricked = [trick(path) for path in plain for trick in TRICKS.values()]
        here = [path for path in [*plain, *tricked] if guarded not in classes(PathChange(path))]
        total = len(plain) + len(tricked)
        sys.stdout.write(f"{guarded}: {total - len(here)} of {total} found\n")
        missed, count = missed + here, count + total

    assert missed == []
    assert count >= 150


def test_nothing_ordinary_is_held_back() -> None:
    held = {path: found for path in ORDINARY if (found := classes(PathChange(path, size=900, added="x = 1")))}
    sys.stdout.write(f"{len(ORDINARY) - len(held)} of {len(ORDINARY)} ordinary paths pass\n")

    assert held == {}
    assert len(ORDINARY) >= 150


@pytest.mark.parametrize("guarded", GUARDED)
def test_what_is_allowed_passes(guarded: GuardClass) -> None:
    """The control: with the guard off, all of it goes through."""
    for path in paths(GUARDED[guarded]):
        assert classes(PathChange(path), OFF) == ()
        assert guarded not in classes(PathChange(path), GuardPolicy({guarded: GuardAction.ALLOW}))


MODES = [
    (PathChange("a", mode="160000"), GuardClass.SUBMODULES),
    (PathChange("a", mode="000000", old_mode="160000"), GuardClass.SUBMODULES),
    (PathChange("a", mode="100755", old_mode="100644"), GuardClass.EXECUTABLES),
    (PathChange("a", mode="100755", old_mode="120000"), GuardClass.EXECUTABLES),
    (PathChange("a.bin", is_binary=True, size=1_000_001), GuardClass.BINARIES),
    (PathChange("a.txt", size=5_000_001), GuardClass.BIG),
    (PathChange("a", mode="120000", target="/etc/passwd"), GuardClass.SYMLINKS),
    (PathChange("a", added=f"key = '{KNOWN}'"), GuardClass.SECRETS),
    (PathChange("a", added=f"key = '{KNOWN[:5]}\u200b{KNOWN[5:]}'"), GuardClass.SECRETS),
    (PathChange(f"{KNOWN}.txt"), GuardClass.SECRETS),
    (PathChange("GITHUB~1/x"), GuardClass.NAMES),
    (PathChange("a\u202egnp.exe"), GuardClass.NAMES),
    (PathChange("a\udcff"), GuardClass.NAMES),
    (PathChange("a:b"), GuardClass.NAMES),
    (PathChange("a."), GuardClass.NAMES),
]


@pytest.mark.parametrize(("change", "guarded"), MODES)
def test_what_a_mode_a_size_a_name_or_a_content_says(change: PathChange, guarded: GuardClass) -> None:
    assert classes(change) == (guarded,)
    assert classes(change, OFF) == ()


PASSING = [
    PathChange("run.sh", mode="100755"),
    PathChange("run.sh", mode="100755", old_mode="100755"),
    PathChange("run.sh", mode="100644", old_mode="100755"),
    PathChange("a.png", is_binary=True, size=1_000_000),
    PathChange("a.txt", size=5_000_000),
    PathChange("gone.bin", mode="000000", old_mode="100644", is_binary=True),
    PathChange("gone ", mode="000000", old_mode="100644"),
    PathChange("link", mode="120000", target="docs/index.md"),
    PathChange("docs/link", mode="120000", target="../README.md"),
]


@pytest.mark.parametrize("change", PASSING)
def test_what_passes(change: PathChange) -> None:
    assert classes(change) == ()


LINKS = [
    ("a", "b", False),
    ("a/b/c", "../../x", False),
    ("a/b", "./../x", False),
    ("a", "..", True),
    ("a/b", "../..", True),
    ("a", "../x", True),
    ("a/b", "../../x", True),
    ("a", "/etc", True),
    ("a", "C:\\x", True),
    ("a", "~/x", True),
    ("a", "d/../x", True),
    ("a", "..\\..\\x", True),
    ("a", ".git/config", True),
    ("a", "b/.GIT", True),
    ("a", "", True),
    ("a", ".", True),
]


@pytest.mark.parametrize(("path", "target", "does"), LINKS)
def test_links_that_may_lead_out_of_the_tree(path: str, target: str, *, does: bool) -> None:
    assert leaves(path, target) is does


@pytest.mark.parametrize("place", [".github/workflows", ".github", ".husky", ".vscode", ".claude", "sub/.yarn"])
@pytest.mark.parametrize("mode", ["120000", "160000", "100644"])
def test_a_link_a_submodule_or_a_file_in_the_place_of_a_guarded_folder(place: str, mode: str) -> None:
    assert set(classes(PathChange(place, mode=mode, target="x"))) & GUARDED.keys()


def test_each_end_of_a_rename_is_judged_by_itself() -> None:
    """git tells it as a path that is gone and one that is new."""
    gone, new = replace(PathChange(".github/workflows/ci.yml"), mode="000000", old_mode="100644"), PathChange("ci.txt")
    into = PathChange("ci.txt", mode="000000", old_mode="100644"), PathChange(".github/workflows/ci.yml")

    out = judge(Staged("t", (gone, new)), POLICY, holder(redact))
    back = judge(Staged("t", into), POLICY, holder(redact))

    assert [each.change for each in out] == [gone]
    assert [each.change for each in back] == [into[1]]


def test_the_strictest_class_of_a_path_counts_and_why_is_said() -> None:
    policy = GuardPolicy({GuardClass.WORKFLOWS: GuardAction.DENY})
    change = PathChange(".github/workflows/ci.yml", added=KNOWN)

    [usual] = judge(Staged("t", (change,)), POLICY, holder(redact))
    [strict] = judge(Staged("t", (change,)), policy, holder(redact))

    assert (usual.action, strict.action) == (GuardAction.EXPRESSLY, GuardAction.DENY)
    assert usual.why == "runs in a build service, **holds a secret**"


def test_the_configuration_names_more() -> None:
    policy = GuardPolicy(extra=("deploy/", "*.tf", "config/*.prod.yaml"))

    for path in ("deploy/x", "a/deploy/x", "infra/main.tf", "Config/a.PROD.yaml"):
        assert classes(PathChange(path), policy) == (GuardClass.EXTRA,)
    assert classes(PathChange("deployment/x"), policy) == ()


def test_what_was_too_much_to_be_looked_through_is_held_back() -> None:
    changes = (PathChange("a", size=3, added="abc"), PathChange("b", size=3))

    found = judge(Staged("t", changes, is_cut=True), POLICY, holder(redact))

    assert [(each.change.path, each.classes) for each in found] == [("b", (GuardClass.BIG,))]


@given(st.text(max_size=60), st.sampled_from(sorted(TRICKS)), st.text(max_size=60))
def test_no_path_is_too_strange_to_be_judged(path: str, trick: str, target: str) -> None:
    judge(Staged("t", (PathChange(TRICKS[trick](path), mode="120000", target=target),)), POLICY, holder(redact))
