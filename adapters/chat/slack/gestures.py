"""One gesture, one cause: what a person sends once may arrive from Slack under more than one name.

`message` and `app_mention` share channel and ts; and one message may come again with another ts but the same
`client_msg_id`. Slack's own payloads carry that id in both kinds, those of stand-ins not always. So a gesture has up
to two names; the id is preferred where it is there, and whichever name was seen first stands for both ever after.
That memory is short and lives in the process: it mends what `inbound.read`, which sees one payload alone, cannot.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

REMEMBERED = 4_096
"""Names kept. Slack repeats a delivery for some five minutes, at most 30,000 an hour."""


def names(team: str, channel: str, message: Mapping[str, Any]) -> list[str]:
    """What a message may be called, the preferred name first; empty if it has no ts."""
    ts, own = message.get("ts"), message.get("client_msg_id")
    if not isinstance(ts, str) or not ts:
        return []
    by_ts = f"slack:{team}:{channel}:{ts}"
    return [f"slack:{team}:{channel}:m:{own}", by_ts] if isinstance(own, str) and own else [by_ts]


def message_of(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """The message that an event is about: itself, or for an edit the one inside."""
    inner = event.get("message")
    return inner if event.get("subtype") == "message_changed" and isinstance(inner, dict) else event


class Gestures:
    """What was seen lately, oldest first."""

    def __init__(self) -> None:
        self._first: OrderedDict[str, str] = OrderedDict()

    def settle(self, team: str, channel: str, message: Mapping[str, Any]) -> str:
        """The name that stands for this message, or empty where the preferred one does."""
        known = names(team, channel, message)
        if not known:
            return ""
        stands = next((self._first[name] for name in known if name in self._first), known[0])
        for name in known:
            self._first[name] = stands
            self._first.move_to_end(name)
        while len(self._first) > REMEMBERED:
            self._first.popitem(last=False)
        return "" if stands == known[0] else stands
