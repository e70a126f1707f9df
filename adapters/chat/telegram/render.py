"""From the Markdown of a post to Telegram's text and entities, without any parse mode. Pure.

https://core.telegram.org/bots/api#messageentity - offsets and lengths count UTF-16 code units.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

import telegramify_markdown
from telegram.constants import InlineKeyboardButtonLimit, InlineKeyboardMarkupLimit, MessageLimit

from adapters.chat.telegram.literal import as_written
from core.model.chat import Button, Post
from core.model.codec import Json

LIMIT = int(MessageLimit.MAX_TEXT_LENGTH)
ENTITIES = int(MessageLimit.MESSAGE_ENTITIES)
LABEL = 40
"""Characters of a button's label that a phone shows."""

ROW = int(InlineKeyboardMarkupLimit.BUTTONS_PER_ROW)
BUTTONS = int(InlineKeyboardMarkupLimit.TOTAL_BUTTON_NUMBER)
DATA_BYTES = int(InlineKeyboardButtonLimit.MAX_CALLBACK_DATA)

EMPTY = "(nothing)"
JOINER = "\u2060"
"""WORD JOINER: between @ and a name it shows nothing, and Telegram finds no mention."""

CODE = frozenset({"code", "pre"})
KINDS = frozenset({"bold", "italic", "underline", "strikethrough", "blockquote", "text_link", *CODE})

CONTROL = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # ANSI: colours and cursor
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # ANSI: titles and links
    r"|\x1b[@-_]?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
    r"|[\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"  # bidi and unseen
    r"|(?<![^\x00-\x7f])[\u200c\u200d]|[\u200c\u200d](?![^\x00-\x7f])"  # joiners where they join nothing
)
SURROGATE = re.compile(r"[\ud800-\udfff]")
MENTION = re.compile(r"(?<![A-Za-z0-9_])@(?=\w)")
LANGUAGE = re.compile(r"[A-Za-z0-9_+#.-]{1,32}")


@dataclass(frozen=True, slots=True)
class Mark:
    """A MessageEntity. `start` and `end` in UTF-16 code units."""

    kind: str
    start: int
    end: int
    url: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Rendered:
    text: str
    marks: tuple[Mark, ...]

    @property
    def entities(self) -> list[Json]:
        return [_mark_json(each) for each in self.marks]


def render(markdown: str) -> Rendered:
    """What one message shows. What does not fit is cut at the end, with an ellipsis."""
    text, marks = render_whole(markdown)
    if units(text) <= LIMIT:
        return Rendered(text, marks)
    text = text[: cut(text, LIMIT - 1)].rstrip() + "…"
    return Rendered(text, _within(marks, units(text)))


@lru_cache(maxsize=32)
def render_whole(markdown: str) -> tuple[str, tuple[Mark, ...]]:
    """Of any length. Kept for a moment: a post is measured, then sent; a retry and an edit ask again."""
    source = clean(markdown)
    text, found = _converted(source)
    if not _is_seen(text):
        text, found = (source.strip(), []) if _is_seen(source) else (EMPTY, [])
    marks = _kept(found, units(text))
    return _defused(text, marks)


def _converted(source: str) -> tuple[str, list[telegramify_markdown.MessageEntity]]:
    markdown = as_written(source)
    if markdown is None:
        return source.rstrip(), []
    text, found = telegramify_markdown.convert(markdown, latex_escape=False, config=_symbols())
    return text.rstrip(), found


def clean(text: str) -> str:
    """Without terminal escapes, controls, and characters that turn or hide words."""
    return SURROGATE.sub("\ufffd", CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")))


def units(text: str) -> int:
    """Its length as Telegram counts it."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le")) // 2


def cut(text: str, limit: int) -> int:
    """The index before which at most `limit` UTF-16 units stand, and no character is torn apart."""
    end = min(len(text), limit)
    while units(text[:end]) > limit:
        end -= max(1, (units(text[:end]) - limit) // 2)
    whole = end
    while 0 < whole < len(text) and _clings(text, whole):
        whole -= 1
    return whole or end  # a single cluster longer than the limit is torn after all


def _clings(text: str, index: int) -> bool:
    """The character at `index` belongs to the one before: an accent, a joined emoji, a skin colour, half a flag."""
    here, before = text[index], text[index - 1]
    if here.isascii():
        return False
    if "\u200d" in {here, before} or "\U0001f3fb" <= here <= "\U0001f3ff" or unicodedata.category(here)[0] == "M":
        return True
    if not _is_flag_half(here):
        return False
    run = 0
    while index - run > 0 and _is_flag_half(text[index - run - 1]):
        run += 1
    return run % 2 == 1


def _is_flag_half(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def keyboard(rows: Iterable[Sequence[Button]]) -> dict[str, Json] | None:
    """An inline keyboard, or None without buttons. Rows that are too long go on below."""
    shown: list[Json] = []
    total = 0
    for row in rows:
        keys: list[Json] = [key for key in map(_key, row) if key is not None]
        del keys[BUTTONS - total :]
        total += len(keys)
        shown += [keys[at : at + ROW] for at in range(0, len(keys), ROW)]
    return {"inline_keyboard": shown} if shown else None


def _key(button: Button) -> Json:
    label = clean(button.label).strip() or "…"
    if len(label) > LABEL:
        label = label[: cut(label, LABEL - 1)] + "…"
    if button.url:
        return {"text": label, "url": button.url} if _is_web(button.url) else None
    if not button.token or len(button.token.encode()) > DATA_BYTES:
        return None
    return {"text": label, "callback_data": button.token}


def message_fields(post: Post) -> dict[str, Json]:
    """The fields that sendMessage and editMessageText share."""
    shown = render(post.text)
    fields: dict[str, Json] = {"text": shown.text, "link_preview_options": {"is_disabled": True}}
    if shown.marks:
        fields["entities"] = shown.entities
    markup = keyboard(post.buttons)
    if markup is not None:
        fields["reply_markup"] = markup
    return fields


@lru_cache(maxsize=1)
def _symbols() -> telegramify_markdown.RenderConfig:
    """Plain marks in place of the library's emoji; quotes are never folded away."""
    config = telegramify_markdown.RenderConfig.isolated()
    config.cite_expandable = False
    symbol = config.markdown_symbol
    for level in range(1, 7):
        setattr(symbol, f"heading_level_{level}", "")
    symbol.task_completed, symbol.task_uncompleted = "☑", "☐"
    symbol.unordered_list_item, symbol.horizontal_rule = "•", "———"
    return config


def _kept(found: Iterable[telegramify_markdown.MessageEntity], length: int) -> tuple[Mark, ...]:
    """At most as many as Telegram reads, outermost first; none that it refuses, or that would ring at someone."""
    marks = []
    for each in sorted(found, key=lambda entity: (entity.offset, -entity.length)):
        end = min(each.offset + each.length, length)
        url = each.url or ""
        if each.type not in KINDS or end <= each.offset or (each.type == "text_link" and not _is_web(url)):
            continue
        language = each.language if each.language and LANGUAGE.fullmatch(each.language) else ""
        marks.append(Mark(each.type, each.offset, end, url, language))
    return tuple(marks[:ENTITIES])


def _is_web(url: str) -> bool:
    """Not `tg://user?id=…`, which is a mention, nor an address that Telegram's parser refuses."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    is_named = bool(host) and re.fullmatch(r"[\w.-]+", host or "") is not None
    return parts.scheme in {"http", "https"} and is_named and re.search(r"\s", url) is None


def _is_seen(text: str) -> bool:
    return any(unicodedata.category(each)[0] not in "CZM" for each in text)


def _defused(text: str, marks: tuple[Mark, ...]) -> tuple[str, tuple[Mark, ...]]:
    """With a joiner in every mention outside code, and the marks moved accordingly."""
    if "@" not in text:
        return text, marks
    code = [each for each in marks if each.kind in CODE]
    places, ats = [], []
    done = at = 0
    for match in MENTION.finditer(text):
        at, done = at + units(text[done : match.end()]), match.end()
        if not any(each.start < at <= each.end for each in code):
            places.append(done)
            ats.append(at)
    shift = _shifter(ats)
    for place in reversed(places):
        text = text[:place] + JOINER + text[place:]
    return text, tuple(
        Mark(each.kind, shift(each.start, 1), shift(each.end, 0), each.url, each.language) for each in marks
    )


def _shifter(ats: list[int]) -> Callable[[int, int], int]:
    """A start moves behind a joiner put exactly there (`inclusive` 1); an end stays before it (0)."""
    return lambda at, inclusive: at + sum(1 for each in ats if each < at + inclusive)


def _mark_json(mark: Mark) -> Json:
    fields: dict[str, Json] = {"type": mark.kind, "offset": mark.start, "length": mark.end - mark.start}
    if mark.url:
        fields["url"] = mark.url
    if mark.language:
        fields["language"] = mark.language
    return fields


def _within(marks: Iterable[Mark], length: int) -> tuple[Mark, ...]:
    return tuple(
        Mark(each.kind, each.start, min(each.end, length), each.url, each.language)
        for each in marks
        if each.start < length
    )
