"""Which links Telegram takes: a whole message is refused for one that its parser does not like. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from telegramify_markdown import MessageEntity

from core.model.hosts import hidden_host

LOCAL = re.compile(r"https?://[\w-]+(?::\d{1,5})?(?:/[^\s<>]*)?")


def is_web(url: str) -> bool:
    """Not `tg://user?id=…`, which is a mention, nor an address that Telegram's parser refuses: a host has a dot."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return False
    is_named = "." in host and re.fullmatch(r"[\w.-]+", host) is not None
    return parts.scheme in {"http", "https"} and is_named and port != 0 and re.search(r"\s", url) is None


def addressed(text: str, found: Sequence[MessageEntity]) -> tuple[str, list[MessageEntity]]:
    """With the address in words behind a link to this machine, such as `http://localhost:3000`, which is no link; and
    with the host behind one whose words name another.
    """
    marks, wide = list(found), text.encode("utf-16-le")
    for link in sorted(found, key=lambda each: each.offset, reverse=True):
        url, end = link.url or "", link.offset + link.length
        label = wide[link.offset * 2 : end * 2].decode("utf-16-le")
        told = _told(label, url) if link.type == "text_link" else ""
        if not told:
            continue
        words = f" ({told})".encode("utf-16-le")
        wide = wide[: end * 2] + words + wide[end * 2 :]
        marks = [_moved(each, end, len(words) // 2) for each in marks]
    return wide.decode("utf-16-le"), marks


def _told(label: str, url: str) -> str:
    if is_web(url):
        return hidden_host(label, url)
    is_said = LOCAL.fullmatch(url) is None or label in {url, url.partition("//")[2]}
    return "" if is_said else url


def _moved(mark: MessageEntity, at: int, by: int) -> MessageEntity:
    if mark.offset >= at:
        return replace(mark, offset=mark.offset + by)
    return replace(mark, length=mark.length + by) if mark.offset + mark.length > at else mark
