"""Links whose words name one host and lead to another: which host is to be told beside them. Pure."""

from __future__ import annotations

import html
import re
from urllib.parse import urlsplit

_ENDS = "bat c cc cfg cs css csv go h hs html ini java jpg js json lock log md ml pdf pl png ps py rb rs sh so sql svg"
_MORE = "toml ts tsx txt xml yaml yml zip"
FILES = frozenset([*_ENDS.split(), *_MORE.split()])
"""Ends of names that are files far more often than hosts; with `https://` before it, a name is a host all the same."""

_MARKS = re.compile(r"[\\*~`\u2060]")
_NAMED = re.compile(
    r"(?P<start>[a-z][a-z0-9+.-]{0,20}:/{1,3}|//|(?=www\.))?(?:[^\s/@]{0,100}@)?"
    r"(?<![\w.-])(?P<host>(?:[\w-]{1,63}[.\u3002\uff0e]){1,10}(?P<end>[^\W\d_][\w-]{1,62}))",
    re.IGNORECASE,
)


def hidden_host(words: str, url: str) -> str:
    """The host of `url` where the words on the link name another, or it is easily misread; empty: neither."""
    host = _host(url)
    if not host:
        return ""
    named = [each for each in _NAMED.finditer(_MARKS.sub("", html.unescape(words))) if _is_host(each)]
    is_other = any(_plain(each["host"]) != _plain(host) for each in named)
    return host if is_other or _is_misread(url, host) else ""


def _host(url: str) -> str:
    try:
        found = urlsplit(url).hostname or ""
        return found if found.isascii() else found.encode("idna").decode()
    except ValueError:
        return ""


def _is_host(named: re.Match[str]) -> bool:
    return named["start"] is not None or named["end"].lower() not in FILES


def _is_misread(url: str, host: str) -> bool:
    """`https://good.example@evil.example`, and letters of another script that look like ours."""
    return "@" in urlsplit(url).netloc or "xn--" in host


def _plain(host: str) -> str:
    return host.lower().rstrip(".").removeprefix("www.")
