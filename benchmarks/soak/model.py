"""What the scripted model does in the town: by the last thing it was asked, and how far it has come with it."""

from __future__ import annotations

import json
import re

from tests.fakes.llm import Entry, Request, Use, Words

ASKED = re.compile(r"(Write|Ask|Slow) (n\d+)\.txt")
RESULTS = {"anthropic": '"tool_result"', "openai": '"role": "tool"', "ollama": '"role": "tool"'}
LINES = 200
SLOW_SECONDS = 60


def work(asked: Request) -> Entry:
    """It does not matter how often it is asked for the same step."""
    talk = json.dumps(asked.body["messages"])
    found = [*ASKED.finditer(talk)]
    if not found:
        return Words("There is nothing to do.")
    kind, name = found[-1].groups()
    taken = talk[found[-1].end() :].count(RESULTS[asked.api])
    if kind == "Ask":
        if taken == 0:
            return Use("ask_user", question=f"How long shall {name} be?", options=["short", "long"])
        taken -= 1
    if taken == 0:
        return Use("edit", path=f"{name}.txt", old="", new=content(name))
    if taken == 1:
        seconds = SLOW_SECONDS if kind == "Slow" else 0.3
        return Use("bash", command=f"wc -c {name}.txt; sleep {seconds}")
    return Words(f"**Done**: `{name}.txt` is there.\n\n- written\n- counted")


def content(name: str) -> str:
    return "".join(f"{name}, line {number}\n" for number in range(LINES))
