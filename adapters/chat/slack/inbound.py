"""Slack's payloads as chat events. Pure: no network, no state, and it never raises, whatever the bytes are.

The raw form is `{"kind", "body"}` and, where `gestures` had to decide it, `"gesture"`: the name of the message.
https://docs.slack.dev/reference/events/message and …/interaction-payloads/block_actions-payload
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.chat.slack.gestures import message_of, names
from core.model.chat import (
    Author,
    ButtonToken,
    Cause,
    ChatEvent,
    Halted,
    Joined,
    Mention,
    Person,
    PostRef,
    Pressed,
    Said,
    ThreadRef,
)

SPOKEN = {"", "file_share", "thread_broadcast"}
"""Subtypes of `message` that a person says. Everything unknown is left alone."""

LINK_PREFIX = "url:"
"""Begins the action_id of a button that opens a page: its press is no press."""


@dataclass(frozen=True, slots=True)
class Me:
    """Who we are in the workspace; `team` is the tenant of every thread."""

    team: str = ""
    user: str = ""
    bot: str = ""


def kind_of(body: Mapping[str, Any]) -> str:
    """`event`, `command`, `action`, or for what nobody reads: `other`."""
    if body.get("type") == "event_callback":
        return "event"
    if "command" in body and "type" not in body:
        return "command"
    return "action" if body.get("type") == "block_actions" else "other"


def read(raw: bytes, me: Me) -> ChatEvent | None:
    try:
        envelope = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    body = _dict(_dict(envelope).get("body"))
    match _dict(envelope).get("kind"):
        case "event":
            return _read_event(body, _text(_dict(envelope).get("gesture")), me)
        case "command":
            return _read_command(body, me)
        case "action":
            return _read_action(body, me)
        case _:
            return None


# --------------------------------------------------------------------------------------------- events


def _read_event(body: dict[str, Any], gesture: str, me: Me) -> ChatEvent | None:
    event = _dict(body.get("event"))
    channel = _text(event.get("channel"))
    team = me.team or _text(body.get("team_id"))
    if not _is_id(channel) or not _is_id(team):
        return None
    match _text(event.get("type")), _text(event.get("subtype")):
        case "message" | "app_mention", subtype if subtype in SPOKEN:
            return _read_message(body, event, gesture, ThreadRef("slack", team, channel), me)
        case "message", "message_changed":
            return _read_edit(body, event, gesture, ThreadRef("slack", team, channel), me)
        case "member_joined_channel", _:
            return _read_join(body, event, ThreadRef("slack", team, channel), me)
        case "agent_session_stopped", _:
            return _read_stop(body, event, ThreadRef("slack", team, channel))
        case _:
            return None


def _read_message(body: dict[str, Any], event: dict[str, Any], gesture: str, room: ThreadRef, me: Me) -> Said | None:
    ts, root = _text(event.get("ts")), _text(event.get("thread_ts"))
    known = [_text(name) for name in names(room.tenant, room.chat, event)]
    if not known or not _is_person(event, me) or event.get("hidden") is True:
        return None
    text, has_mention = _clean(_text(event.get("text")), me)
    is_direct = _is_direct(event, room.chat)
    return Said(
        cause=Cause(gesture or known[0]),
        thread=ThreadRef("slack", room.tenant, room.chat, root or ts),
        person=_speaker(body, event),
        text=text,
        is_addressed=is_direct or has_mention or event.get("type") == "app_mention",
        is_direct=is_direct,
        in_thread=root not in {"", ts},
        message=ts,
        author=_author(event),
        mentions=_mentioned(_text(event.get("text")), room.tenant, me),
    )


def _read_edit(body: dict[str, Any], event: dict[str, Any], gesture: str, room: ThreadRef, me: Me) -> Said | None:
    """Only what a person changed: Slack also sends this when it has unfurled a link or a reply has come."""
    inner, before = _dict(message_of(event)), _dict(event.get("previous_message"))
    edited = _text(_dict(inner.get("edited")).get("ts"))
    if not edited or inner is event or inner.get("text") == before.get("text"):
        return None
    if _text(_dict(inner.get("edited")).get("user")) not in {"", _text(inner.get("user"))}:
        return None  # by somebody else than who said it
    if _text(inner.get("subtype")) not in SPOKEN:
        return None
    said = _read_message(body, {"channel_type": event.get("channel_type"), **inner}, gesture, room, me)
    if said is None:
        return None
    return Said(
        cause=Cause(f"{said.cause}:edit:{edited}"),
        thread=said.thread,
        person=said.person,
        text=said.text,
        is_addressed=said.is_addressed,
        is_direct=said.is_direct,
        in_thread=said.in_thread,
        message=said.message,
        corrects=said.cause,
        author=said.author,
    )


def _read_stop(body: dict[str, Any], event: dict[str, Any], room: ThreadRef) -> Halted | None:
    root, user = _text(event.get("thread_ts")), _text(event.get("user"))
    if not root or not user:
        return None
    return Halted(
        cause=Cause(f"slack:{room.tenant}:{room.chat}:stop:{root}:{_text(body.get('event_id'))}"),
        thread=ThreadRef("slack", room.tenant, room.chat, root),
        person=_speaker(body, event),
        is_direct=_is_direct(event, room.chat),
        author=_author(event),
    )


def _read_join(body: dict[str, Any], event: dict[str, Any], room: ThreadRef, me: Me) -> Joined | None:
    """We were invited; that others join is no matter."""
    inviter = _text(event.get("inviter")) or _text(event.get("user"))
    if not me.user or _text(event.get("user")) != me.user:
        return None
    cause = Cause(f"slack:{room.tenant}:{room.chat}:joined:{_text(body.get('event_id'))}")
    return Joined(cause, room, Person("slack", _text(event.get("team")) or room.tenant, inviter))


def _is_person(event: Mapping[str, Any], me: Me) -> bool:
    user = _text(event.get("user"))
    is_bot = bool(event.get("bot_id") or event.get("bot_profile"))
    return bool(user) and not is_bot and user not in {me.user, "USLACKBOT"}


def _is_direct(event: Mapping[str, Any], channel: str) -> bool:
    """A group direct message (`mpim`) is a group. `app_mention` may come without a channel type."""
    kind = _text(event.get("channel_type"))
    return kind == "im" or (not kind and channel.startswith("D"))


def _speaker(body: Mapping[str, Any], event: Mapping[str, Any]) -> Person:
    """Of the person's own workspace: over Slack Connect the delivery's `team_id` may be that of the host.

    Where a shared channel does not say whose the person is, the tenant is one that nobody has.
    """
    profile = _dict(event.get("user_profile"))
    own = [event.get("user_team"), event.get("source_team"), event.get("team"), profile.get("team")]
    fallback = "unknown" if body.get("is_ext_shared_channel") is True else _text(body.get("team_id"))
    name = _text(profile.get("display_name")) or _text(profile.get("real_name")) or _text(profile.get("name"))
    return Person("slack", next((_text(team) for team in own if _text(team)), fallback), _text(event.get("user")), name)


def _author(event: Mapping[str, Any]) -> Author:
    """As far as the message itself says; else Slack must be asked."""
    profile = _dict(event.get("user_profile"))
    if event.get("is_stranger") is True or profile.get("is_stranger") is True:
        return Author.EXTERNAL
    is_guest = profile.get("is_restricted") is True or profile.get("is_ultra_restricted") is True
    return Author.GUEST if is_guest else Author.PERSON


# ------------------------------------------------------------------------- slash commands and buttons


def _read_command(body: dict[str, Any], me: Me) -> Said | None:
    """`/patchbay execute DEMO-1` is `/execute DEMO-1`. Slack says no thread with it, so a post of ours opens one."""
    team, channel = me.team or _text(body.get("team_id")), _text(body.get("channel_id"))
    user, trigger = _text(body.get("user_id")), _text(body.get("trigger_id"))
    if not (_is_id(team) and _is_id(channel) and user and trigger):
        return None
    asked, _ = _clean(_text(body.get("text")), me)
    is_direct = channel.startswith("D")
    return Said(
        cause=Cause(f"slack:{team}:{channel}:c:{trigger}"),
        thread=ThreadRef("slack", team, channel),
        person=Person("slack", _text(body.get("team_id")) or team, user, _text(body.get("user_name"))),
        text="/" + (asked.removeprefix("/").lstrip() or "help"),
        is_direct=is_direct,
        opens_thread=True,
        chat_title="" if is_direct else _text(body.get("channel_name")),
        mentions=_mentioned(_text(body.get("text")), team, me),
    )


def _read_action(body: dict[str, Any], me: Me) -> Pressed | None:
    container, message, user = _dict(body.get("container")), _dict(body.get("message")), _dict(body.get("user"))
    actions = body.get("actions")
    action = _dict(actions[0]) if isinstance(actions, list) and actions else {}
    team = me.team or _text(_dict(body.get("team")).get("id"))
    channel = _text(container.get("channel_id")) or _text(_dict(body.get("channel")).get("id"))
    ts = _text(container.get("message_ts")) or _text(message.get("ts"))
    name = _text(action.get("action_id"))
    token = _text(action.get("value")) or name
    person = _text(user.get("id"))
    if not (_is_id(team) and _is_id(channel) and ts and token and person) or name.startswith(LINK_PREFIX):
        return None
    root = _text(container.get("thread_ts")) or _text(message.get("thread_ts")) or ts
    thread = ThreadRef("slack", team, channel, root)
    when = _text(action.get("action_ts")) or _text(body.get("trigger_id"))
    home = _text(user.get("team_id")) or _text(_dict(body.get("team")).get("id"))
    return Pressed(
        # with the person and the time: the press of a stranger must not use up that of the owner
        cause=Cause(f"slack:{team}:{channel}:p:{ts}:{person}:{token}:{when}"),
        thread=thread,
        person=Person("slack", home, person, _text(user.get("name")) or _text(user.get("username"))),
        token=ButtonToken(token),
        post=PostRef(thread, ts),
        is_direct=channel.startswith("D"),
    )


# ------------------------------------------------------------------------------------- words and ids

_ESCAPED = re.compile(r"<([^<>]*)>")


def _clean(text: str, me: Me) -> tuple[str, bool]:
    """The words as they were typed, without the mention of us; and whether there was one.

    https://docs.slack.dev/messaging/formatting-message-text/#advanced: `<@U1|name>`, `<#C1|name>`, `<!here>`, links.
    """
    mention = re.compile(rf"<@{re.escape(me.user)}(?:\|[^<>]*)?>[ \t\u00a0]*[:,]?[ \t\u00a0]*") if me.user else None
    has_mention = bool(mention and mention.search(text))
    if mention:
        text = mention.sub("", text)
    typed = _ESCAPED.sub(lambda token: _spell(token[1]), text)
    return typed.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").strip(), has_mention


def _mentioned(text: str, team: str, me: Me) -> tuple[Mention, ...]:
    """Who is named by an id. Whose workspace theirs is, the text does not say: our own, until Slack is asked."""
    tokens = [token[1] for token in _ESCAPED.finditer(text) if token[1].startswith("@")]
    named = [(_spell(token), token[1:].partition("|")[0]) for token in tokens]
    return tuple(Mention(words, Person("slack", team, user)) for words, user in named if user not in {"", me.user})


def _spell(token: str) -> str:
    target, _, label = token.partition("|")
    if target.startswith(("@", "#")):
        return target[0] + (label.lstrip("@#") or target[1:])
    if target.startswith("!"):
        return label or "@" + target[1:].partition("^")[0]
    if target.startswith(("mailto:", "tel:")):
        return label or target.partition(":")[2]
    return target


def _is_id(value: str) -> bool:
    return bool(value) and ":" not in value


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    """Text that every database takes: no half of a surrogate pair, no NUL."""
    return value.encode("utf-8", "replace").decode().replace("\0", "") if isinstance(value, str) else ""
