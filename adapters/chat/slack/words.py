"""Text that is safe to show in Slack: no mention that rings, no control character, no link that hides where it goes.

Slack reads its own `<…>` tokens inside a `markdown` block too: `<!channel>`, `<@U1>`, `<https://a|b>`. A `<` written as
`&lt;` is shown as `<` and not read again, so outside of code every `<` is written so. In code, where an entity might be
shown as it stands, only what would be a token is broken. A path that Markdown would make bold is made code. `&` and `>`
stay: neither begins anything, and `>` is a quote.
https://docs.slack.dev/reference/block-kit/blocks/markdown-block and …/messaging/formatting-message-text
"""

from __future__ import annotations

import re
from collections.abc import Callable

from core.model.fences import Fence, after
from core.model.hosts import hidden_host
from core.model.visible import visible

JOINER = "\u2060"
"""A word joiner: no width, breaks a token and never a line."""

_SHOUT = re.compile(r"@(?=(?:channel|here|everyone|group)\b)", re.IGNORECASE)
_TOKEN = re.compile(
    r"<(?=@[A-Z0-9]|#[A-Z0-9]|!(?:channel|here|everyone|group|subteam|date)\b|[a-z][a-z0-9+.-]*:[^<>\s]*\|)",
    re.IGNORECASE,
)
_AUTOLINK = re.compile(r"<(https?://[^\s<>|]+)>")
_CODED = re.compile(r"&(?:#0{0,5}60|#[xX]0{0,4}3[cC]|LT);?|&(?P<at>#0{0,5}64|#[xX]0{0,4}40|commat);?")
"""The signs that begin a token or a mention, as character references: CommonMark reads these as the signs."""

_PATH = re.compile(r"(?<![^\s(*])(?<!\]\()[\w./\\~+-](?:[\w./\\~+*-]{0,200}[\w/])?(?=[\s,;:.!?)*]|$)")
_EMPHATIC = re.compile(r"/[*_]{1,3}[\w/.]|\w_{1,3}(?:/|\.\w)")
"""A path such as `src/__init__.py`, to Markdown bold in its middle."""

_LINK = re.compile(
    r"\[(?P<words>(?:\\.|[^\[\]\\]|\[[^\[\]]{0,200}\]){1,500})\]"
    r"\([ \t]{0,9}<?(?P<url>https?://(?:[^\s<>()]|\([^\s()]{0,200}\)){1,2000})>?(?:[ \t]+[^()\n]{0,500})?\)",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"^([ \t>]*)\[(?=[^\[\]\n]{1,999}\]:)")

_LESS = re.compile(r"(?<!\\)(\\*+)<")
_SPAN = re.compile(r"(?<!`)(`{1,8})(?!`)[^\n]{1,500}?(?<!`)\1(?!`)")


def defuse(markdown: str) -> str:
    """Markdown for a `markdown` block. Doing it twice is doing it once."""
    return _each(addressed(markdown), _in_code, _escape)


def addressed(markdown: str) -> str:
    """What can be seen, with the host beside a link whose words name another. Doing it twice is doing it once."""
    return _each(visible(markdown), lambda code: code, _with_hosts)


def _each(markdown: str, in_code: Callable[[str], str], in_prose: Callable[[str], str]) -> str:
    fence: Fence | None = None
    lines = []
    for line in markdown.split("\n"):
        was, fence = fence, after(fence, line)
        lines.append(in_code(line) if was or fence else _of_spans(line, in_code, in_prose))
    return "\n".join(lines)


def plain(markdown: str, limit: int) -> str:
    """For notifications and clients without blocks: the words, links beside their labels, Slack's marks escaped."""
    text = re.sub(r"^[ \t]*(?:`{3,}|~{3,})[^\n]*\n?", "", visible(markdown), flags=re.MULTILINE)
    text = re.sub(r"!?\[([^\[\]\n]{0,500})\]\((https?://[^()\s]{1,2000})\)", _beside, text)
    text = _AUTOLINK.sub(r"\1", text)
    text = re.sub(r"^#{1,6}[ \t]+|\*\*|`", "", text, flags=re.MULTILINE).strip()
    if len(text) > limit:
        text = text[: limit - 1].rstrip() + "…"
    return _SHOUT.sub("@" + JOINER, text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def _beside(link: re.Match[str]) -> str:
    label, address = link[1].strip(), link[2]
    return address if label in {"", address} else f"{label} {address}"


def _of_spans(line: str, in_code: Callable[[str], str], in_prose: Callable[[str], str]) -> str:
    parts, end = [], 0
    for span in _SPAN.finditer(line):
        parts += [in_prose(line[end : span.start()]), in_code(span[0])]
        end = span.end()
    return "".join([*parts, in_prose(line[end:])])


def _with_hosts(prose: str) -> str:
    """A link's address that stands elsewhere (`[1]: https://…`) is shown as it is written, and so is who uses it."""
    return _LINK.sub(_with_host, _REFERENCE.sub(r"\1\\[", prose))


def _with_host(link: re.Match[str]) -> str:
    host = hidden_host(link["words"], link["url"])
    is_told = not host or link.string.startswith(f" ({host})", link.end())
    return link[0] if is_told else f"{link[0]} ({host})"


def _escape(prose: str) -> str:
    """A `<` that a backslash escapes already loses the backslash, which would make the entity show as it stands."""
    bare = _CODED.sub(lambda found: "@" if found["at"] else "&lt;", _AUTOLINK.sub(_apart, prose))
    bare = _PATH.sub(lambda found: f"`{found[0]}`" if _EMPHATIC.search(found[0]) else found[0], bare)
    return _shout(_LESS.sub(lambda found: found[1][: len(found[1]) // 2 * 2] + "&lt;", bare))


def _apart(link: re.Match[str]) -> str:
    """The address of an autolink, which ends where a word does."""
    before, after = link.string[: link.start()][-1:], link.string[link.end() :][:1]
    return f"{' ' if before.isalnum() else ''}{link[1]}{' ' if after.isalnum() else ''}"


def _in_code(code: str) -> str:
    return _shout(_TOKEN.sub("<" + JOINER, code))


def _shout(text: str) -> str:
    return _SHOUT.sub("@" + JOINER, text)
