"""Posts and events without secrets, before anything else is made of them."""

from __future__ import annotations

from dataclasses import replace

from core.model.chat import Post
from core.model.events import ActionBegan, AgentEvent, PlanShown
from core.ports import Redact

LONGEST_TITLE = 2000
"""Characters of what an agent names that are looked through; far fewer are shown."""


def titles_blackened(event: AgentEvent, redact: Redact) -> AgentEvent:
    """What is cut to be shown: a secret that is cut in two would not be known any more."""
    match event:
        case ActionBegan(title=title):
            return replace(event, title=redact(title[:LONGEST_TITLE]))
        case PlanShown(entries):
            return PlanShown(tuple((redact(words[:LONGEST_TITLE]), done) for words, done in entries))
        case _:
            return event


def blackened(post: Post, redact: Redact) -> Post:
    """Labels too: the answers to a question are the agent's words."""
    rows = tuple(tuple(replace(each, label=redact(each.label)) for each in row) for row in post.buttons)
    file = post.file and replace(post.file, text=redact(post.file.text))
    return replace(post, text=redact(post.text), buttons=rows, file=file, below=redact(post.below))
