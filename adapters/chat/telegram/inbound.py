"""From a raw update of the Bot API to what a person said or pressed. Pure.

https://core.telegram.org/bots/api#update
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from core.model.chat import ButtonToken, Cause, ChatEvent, Joined, Mention, Person, PostRef, Pressed, Said, ThreadRef

PLATFORM = "telegram"

NOBODY = frozenset({777000, 1087968824, 136817688})
"""Telegram itself, an anonymous administrator, a channel: accounts that stand for no one person."""

NOT_THEIR_OWN = ("sender_chat", "via_bot", "forward_origin", "forward_date", "business_connection_id")
"""Fields of a message that its sender did not write, or did not write as a person."""

COMMAND = re.compile(r"/(\w+)(?:@(\w+))?")

Fields = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Me:
    """Who the bot is; `username` without @, empty when the server does not tell."""

    id: str
    username: str = ""

    def is_named(self, mention: str) -> bool:
        return bool(self.username) and mention.lstrip("@").lower() == self.username.lower()


def read(raw: bytes, me: Me) -> ChatEvent | None:
    """None: nothing for us. Never raises."""
    try:
        update = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    match update:
        case {"message": dict() as message}:
            return _said(message, me)
        case {"edited_message": dict() as message}:
            return _corrected(message, me)
        case {"callback_query": dict() as query}:
            return _pressed(query, me)
        case {"my_chat_member": dict() as change}:
            return _joined(change, me)
    return None


def _said(message: Fields, me: Me) -> Said | None:
    chat, number = _chat(message), _number(message, "message_id")
    person = _person(message.get("from"))
    if chat is None or number is None or person is None or any(message.get(each) for each in NOT_THEIR_OWN):
        return None
    heard = _hear(message, me, is_direct=chat.kind == "private")
    if heard is None:
        return None
    root = _root(message)
    return Said(
        cause=Cause(f"{PLATFORM}:{me.id}:{chat.id}:{number}"),
        thread=ThreadRef(PLATFORM, me.id, str(chat.id), root),
        person=person,
        text=heard.text,
        is_addressed=heard.is_addressed,
        is_direct=chat.kind == "private",
        in_thread=bool(root),
        message=str(number),
        chat_title=chat.title,
        mentions=heard.mentions,
        answers=_answered(message),
    )


def _corrected(message: Fields, me: Me) -> Said | None:
    said = _said(message, me)
    if said is None:
        return None
    edited = _number(message, "edit_date") or 0
    return replace(said, cause=Cause(f"{said.cause}:edit:{edited}"), corrects=said.cause)


def _pressed(query: Fields, me: Me) -> Pressed | None:
    """The message may be an inaccessible one: it still has its chat and its id."""
    handle, token, message = query.get("id"), query.get("data"), query.get("message")
    person = _person(query.get("from"))
    if not (isinstance(handle, str) and handle and isinstance(token, str) and token and isinstance(message, dict)):
        return None
    chat, number = _chat(message), _number(message, "message_id")
    if chat is None or number is None or person is None:
        return None
    thread = ThreadRef(PLATFORM, me.id, str(chat.id), _root(message))
    return Pressed(
        cause=Cause(f"{PLATFORM}:{me.id}:press:{handle}"),
        thread=thread,
        person=person,
        token=ButtonToken(token),
        post=PostRef(thread, str(number)),
        handle=handle,
        is_direct=chat.kind == "private",
    )


def _joined(change: Fields, me: Me) -> Joined | None:
    """The bot was added to a group, or has become an administrator of it; that it was taken out is no matter.

    Nor is who did it, be it an anonymous administrator: an admin of the bot decides what that group is worth.
    """
    chat, sender, date = _chat(change), change.get("from"), _number(change, "date")
    now = change.get("new_chat_member")
    status = now.get("status") if isinstance(now, dict) else None
    number = _number(sender, "id") if isinstance(sender, dict) else None
    if chat is None or number is None or chat.kind == "private" or status not in {"member", "administrator"}:
        return None
    thread = ThreadRef(PLATFORM, me.id, str(chat.id))
    cause = Cause(f"{PLATFORM}:{me.id}:{chat.id}:joined:{date or 0}")
    return Joined(cause, thread, Person(PLATFORM, "", str(number)), chat.title)


@dataclass(frozen=True, slots=True)
class _Chat:
    id: int
    kind: str
    title: str


def _chat(message: Fields) -> _Chat | None:
    """A channel has no person who speaks; an unknown kind of chat is none of ours."""
    match message.get("chat"):
        case {"id": int(number), "type": "private" | "group" | "supergroup" as kind, **rest} if not isinstance(
            number, bool
        ):
            title = rest.get("title")
            return _Chat(number, kind, title if isinstance(title, str) else "")
    return None


def _person(sender: object) -> Person | None:
    if not isinstance(sender, dict) or sender.get("is_bot"):
        return None
    number = _number(sender, "id")
    if number is None or number in NOBODY:
        return None
    first, username = sender.get("first_name"), sender.get("username")
    name = first if isinstance(first, str) and first else f"@{username}" if isinstance(username, str) else ""
    return Person(PLATFORM, "", str(number), name)


def _root(message: Fields) -> str:
    """A reply in a group without topics has a thread id too, which is no topic; the General topic has none."""
    number = _number(message, "message_thread_id")
    return str(number) if number is not None and message.get("is_topic_message") is True else ""


def _number(fields: Fields, name: str) -> int | None:
    value = fields.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class _Heard:
    text: str
    is_addressed: bool
    mentions: tuple[Mention, ...] = ()


def _hear(message: Fields, me: Me, *, is_direct: bool) -> _Heard | None:
    """None: no words (a photo alone, a service message), or a command for another bot."""
    text, entities = _words(message)
    if not text.strip():
        return None
    spans, people = list(_mentions(text, entities, me)), tuple(_people(text, entities, me))
    text = _without(text, spans) if spans else text.strip()
    is_addressed = is_direct or bool(spans) or _answers_us(message, me)
    command = COMMAND.match(text)
    if command is None:
        return _Heard(text, is_addressed, people)
    if command[2] and not (is_direct or me.is_named(command[2])):
        return None
    return _Heard(f"/{command[1]}{text[command.end() :]}", is_addressed=True, mentions=people)


def _words(message: Fields) -> tuple[str, list[object] | None]:
    for words, marks in (("text", "entities"), ("caption", "caption_entities")):
        text, entities = message.get(words), message.get(marks)
        if isinstance(text, str) and text:
            return text, entities if isinstance(entities, list) else None
    return "", None


def _answers_us(message: Fields, me: Me) -> bool:
    """A reply to a post of ours. In a topic that we opened, everything looks like a reply to its opening."""
    answered = message.get("reply_to_message")
    if not isinstance(answered, dict) or "forum_topic_created" in answered:
        return False
    author = answered.get("from")
    return isinstance(author, dict) and str(_number(author, "id")) == me.id


def _answered(message: Fields) -> Person | None:
    """Whose message this replies to, as a person: nobody who speaks as a group or a channel."""
    answered = message.get("reply_to_message")
    if not isinstance(answered, dict) or "forum_topic_created" in answered or answered.get("sender_chat"):
        return None
    return _person(answered.get("from"))


def _people(text: str, entities: list[object] | None, me: Me) -> Iterator[Mention]:
    """Who is named by an id. `@name` has none, and a name may be somebody else's tomorrow."""
    for entity in entities or ():
        if isinstance(entity, dict) and entity.get("type") == "text_mention":
            span, person = _span(text, entity), _person(entity.get("user"))
            if span is not None and person is not None and person.id != me.id:
                yield Mention(" ".join(text[span[0] : span[1]].split()), person)


def _mentions(text: str, entities: list[object] | None, me: Me) -> Iterator[tuple[int, int]]:
    """Where we are named, but not as a part of `/command@us`: as indices of `text`."""
    if entities is None:
        if me.username:
            for match in re.finditer(rf"(?<![\w@/])@{re.escape(me.username)}(?!\w)", text, re.IGNORECASE):
                if not COMMAND.fullmatch(text[: match.end()].strip()):
                    yield match.span()
        return
    for entity in entities:
        if not isinstance(entity, dict):
            continue
        span = _span(text, entity)
        if span is None:
            continue
        kind, user = entity.get("type"), entity.get("user")
        is_named = kind == "mention" and me.is_named(text[span[0] : span[1]])
        is_pointed_at = kind == "text_mention" and isinstance(user, dict) and str(_number(user, "id")) == me.id
        if is_named or is_pointed_at:
            yield span


def _span(text: str, entity: Fields) -> tuple[int, int] | None:
    """Bot API: offset and length count UTF-16 code units."""
    offset, length = _number(entity, "offset"), _number(entity, "length")
    if offset is None or length is None or offset < 0 or length <= 0:
        return None
    if text.isascii():
        return (offset, offset + length) if offset + length <= len(text) else None
    wide = text.encode("utf-16-le", "surrogatepass")
    if (offset + length) * 2 > len(wide):
        return None
    start = len(wide[: offset * 2].decode("utf-16-le", "surrogatepass"))
    return start, start + len(wide[offset * 2 : (offset + length) * 2].decode("utf-16-le", "surrogatepass"))


def _without(text: str, spans: list[tuple[int, int]]) -> str:
    for start, end in sorted(spans, reverse=True):
        before, after = text[:start].rstrip(" "), text[end:].lstrip(" ")
        after = after if before else after.lstrip(",: ")
        is_glued = not before or not after or before[-1].isspace() or after[0] in ",.:;!?\n"
        text = before + after if is_glued else f"{before} {after}"
    return text.strip()
