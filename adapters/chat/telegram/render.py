"""From the Markdown of a post to Telegram's text and entities, without any parse mode. Pure.

https://core.telegram.org/bots/api#messageentity - offsets and lengths count UTF-16 code units.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import telegramify_markdown
from telegram.constants import InlineKeyboardButtonLimit, InlineKeyboardMarkupLimit, MessageLimit

from adapters.chat.telegram.links import addressed, is_web
from adapters.chat.telegram.literal import as_written
from core.model.chat import Button, Post
from core.model.codec import Json
from core.model.visible import visible

LIMIT = int(MessageLimit.MAX_TEXT_LENGTH)
CAPTION = int(MessageLimit.CAPTION_LENGTH)
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


def render(markdown: str, limit: int = LIMIT) -> Rendered:
    """What one message shows. What does not fit is cut at the end, with an ellipsis."""
    text, marks = render_whole(markdown)
    if units(text) <= limit:
        return Rendered(text, marks)
    text = text[: cut(text, limit - 1)].rstrip() + "…"
    return Rendered(text, _within(marks, units(text)))


@lru_cache(maxsize=32)
def render_whole(markdown: str) -> tuple[str, tuple[Mark, ...]]:
    """Of any length. Kept for a moment: a post is measured, then sent; a retry and an edit ask again."""
    source = visible(markdown)
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
    return addressed(text.rstrip(), found)


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
    label = visible(button.label).strip() or "…"
    if len(label) > LABEL:
        label = label[: cut(label, LABEL - 1)] + "…"
    if button.url:
        return {"text": label, "url": button.url} if is_web(button.url) else None
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


def caption_fields(post: Post) -> dict[str, Json]:
    """The fields of sendDocument, but for the file."""
    fields: dict[str, Json] = {}
    if post.text.strip():
        shown = render(post.text, CAPTION)
        fields = {"caption": shown.text, "caption_entities": shown.entities}
    markup = keyboard(post.buttons)
    return fields if markup is None else fields | {"reply_markup": markup}


def without_marks(fields: dict[str, Json]) -> bool:
    """The same fields, without entities and with what was code defused: it could ring now. False: there are none."""
    for words, marks, limit in (("text", "entities", LIMIT), ("caption", "caption_entities", CAPTION)):
        if fields.pop(marks, None):
            text, _ = _defused(str(fields[words]), ())
            fields[words] = text if units(text) <= limit else text[: cut(text, limit - 1)].rstrip() + "…"
            return True
    return False


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
        if each.type not in KINDS or end <= each.offset or (each.type == "text_link" and not is_web(url)):
            continue
        language = each.language if each.language and LANGUAGE.fullmatch(each.language) else ""
        marks.append(Mark(each.type, each.offset, end, url, language))
    return tuple(marks[:ENTITIES])


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
