"""A post without secrets, before anything else is made of it."""

from __future__ import annotations

from dataclasses import replace

from core.model.chat import Post
from core.ports import Redact


def blackened(post: Post, redact: Redact) -> Post:
    """Labels too: the answers to a question are the agent's words."""
    rows = tuple(tuple(replace(each, label=redact(each.label)) for each in row) for row in post.buttons)
    file = post.file and replace(post.file, text=redact(post.file.text))
    return replace(post, text=redact(post.text), buttons=rows, file=file, below=redact(post.below))
