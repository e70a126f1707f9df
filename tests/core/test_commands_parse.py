"""What is a command, what is a mistake, and what are plain words: the parsers of the one table."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core import commands
from core.commands import COMMANDS
from core.commands.code import parse_named
from core.commands.projects import Create as CreateProject
from core.commands.projects import LinkAsk
from core.commands.runs import Answer
from core.commands.settings import Change
from core.commands.tasks import Create as CreateTask
from core.commands.tasks import Execute
from core.model.errors import BadAsk
from core.model.work import ProjectKey, RunId, TaskKey

DEMO = ProjectKey("DEMO")

READ: list[tuple[str, str, Any]] = [
    ("/start", "start", ""),
    ("/start 123-456", "start", "123-456"),
    ("/start with you", "start", ""),
    ("start ABCDEFGHJK", "start", "ABCDEFGHJK"),
    ("/help", "help", ""),
    ("/help /Execute", "help", "execute"),
    ("/help create task", "help", "create"),
    ("help", "help", ""),
    ("help link", "help", "link"),
    ("  /projects  ", "projects", ""),
    ("/create_project DEMO", "create_project", CreateProject(DEMO, ())),
    ("/create-project demo Demo Project o/r", "create_project", CreateProject(DEMO, ("Demo", "Project", "o/r"))),
    ("create_project DEMO Demo", "create_project", CreateProject(DEMO, ("Demo",))),
    ("/link DEMO", "link", LinkAsk(DEMO, "")),
    ("/link\tdemo claude", "link", LinkAsk(DEMO, "claude")),
    ("link DEMO", "link", LinkAsk(DEMO, "")),
    ("/tasks", "tasks", None),
    ("/tasks demo", "tasks", "DEMO"),
    ("/create_task DEMO  Implement   login", "create_task", CreateTask(DEMO, "Implement login")),
    ("/create_task DEMO two\nlines", "create_task", CreateTask(DEMO, "two lines")),
    ("/execute demo-1", "execute", Execute(TaskKey("DEMO-1"), "", "")),
    (
        "/execute\nDEMO-1 claude  and  mind the\ntests",
        "execute",
        Execute(TaskKey("DEMO-1"), "claude", "and  mind the\ntests"),
    ),
    ("\n/status", "status", ""),
    ("/cancel", "cancel", ""),
    ("/cancel abcd", "cancel", "abcd"),
    ("/diff", "diff", ""),
    ("/diff DEMO-1", "diff", "DEMO-1"),
    ("diff DEMO-1", "diff", "DEMO-1"),
    ("/digest", "digest", ()),
    ("/digest NOW", "digest", ("NOW",)),
    ("/digest off", "digest", ("off",)),
    ("/digest weekdays 09:00 Europe/Berlin", "digest", ("weekdays", "09:00", "Europe/Berlin")),
    ("/settings", "settings", Change("", "")),
    ("/settings Agent", "settings", Change("agent", "")),
    ("/settings quiet 22:00-07:00", "settings", Change("quiet", "22:00-07:00")),
    ("/answer run-1 Light  blue", "answer", Answer(RunId("run-1"), "Light  blue")),
]


@pytest.mark.parametrize(("text", "word", "made"), READ)
def test_a_command_is_read(text: str, word: str, made: object) -> None:
    ask = commands.parse(text)

    assert ask is not None
    assert (ask.command.word, ask.given) == (word, made)


PLAIN = [
    "",
    "Mend the login",
    "help me with the login",
    "status of the build is red, mend it",
    "start with the tests",
    "link the header to the home page",
    "link header",
    "projects need a page",
    "create_project DEMO",
    "create_task",
    "execute the tests",
    "diff the two versions",
    "diff it",
    "digest the meeting",
    "settings should be saved",
    "cancel the order when it is empty",
    "merge",
    "resume abcd",
    "answer run-1 yes",
]


@pytest.mark.parametrize("text", PLAIN)
def test_plain_words_are_no_command(text: str) -> None:
    assert commands.parse(text) is None


MISTAKES = [
    ("/", "I know no command `/`"),
    ("/exceute DEMO-1", "Did you mean `/execute`?"),
    ("/wxyz", "/help lists what I understand."),
    ("/projects all", "takes no words"),
    ("/create_project", "/create_project DEMO Demo Project"),
    ("/create_project 1X Name", "is not a project key"),
    ("/link", "Say `/link KEY`"),
    ("/link DEMO claude please", "Say `/link KEY`"),
    ("/tasks DEMO open", "Say `/tasks`"),
    ("/create_task DEMO", "/create_task DEMO Implement login feature"),
    (f"/create_task DEMO {'x' * 201}", "201 characters; at most 200"),
    ("/execute", "Say `/execute DEMO-1`"),
    ("/execute DEMO", "is not a task key"),
    ("/cancel a b", "/history lists them"),
    ("/digest now please", "/digest weekdays"),
    ("/digest whenever", "can't read that as a time"),
    ("/settings agnet", "Did you mean `agent`?"),
    ("/settings agent claude now", "/settings [agent|model"),
    ("/answer run-1", "plain words"),
]


@pytest.mark.parametrize(("text", "words"), MISTAKES)
def test_a_mistake_says_how_to_say_it(text: str, words: str) -> None:
    with pytest.raises(BadAsk) as told:
        commands.parse(text)

    assert words in str(told.value)


def read(text: str) -> tuple[commands.Ask | None, str]:
    try:
        return commands.parse(text), ""
    except BadAsk as error:
        return None, str(error)


@given(st.text(max_size=80))
def test_any_text_is_a_command_a_mistake_or_plain(text: str) -> None:
    ask, mistake = read(text)

    assert ask is None or ask.command in COMMANDS
    assert not mistake or text.strip().startswith("/")


@given(st.sampled_from([each.word for each in COMMANDS]), st.text(max_size=60))
def test_no_words_after_a_command_break_its_parser(word: str, rest: str) -> None:
    ask, mistake = read(f"/{word} {rest}")

    assert mistake or (ask is not None and ask.command.word == word)


def test_every_command_is_named_once_and_says_what_it_does() -> None:
    words = [each.word for each in COMMANDS]

    assert len(words) == len(set(words))
    assert all(each.usage.startswith(f"/{each.word}") and each.summary for each in COMMANDS)


def test_a_bare_key_is_read_by_its_own_parser() -> None:
    ask = commands.parse("pr DEMO-7")

    assert ask is not None
    assert ask.command.parse is parse_named
