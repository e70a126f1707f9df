"""The app's manifest within Slack's documented limits: https://docs.slack.dev/reference/app-manifest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import pytest

from adapters.chat.slack.manifest import EVENTS, SCOPES, manifest
from core.commands import COMMANDS
from core.ports import CommandWord

WORDS = [CommandWord(each.word, each.usage, each.summary) for each in COMMANDS if not each.hidden]


@dataclass(frozen=True)
class Text:
    most: int
    pattern: str = r"(?s).+"


@dataclass(frozen=True)
class Many:
    most: int
    each: Any


URL = Text(3000, r"https://\S+")
FLAG = bool
SHAPE: dict[str, Any] = {
    "_metadata": {"major_version": int, "minor_version": int},
    "display_information!": {
        "name!": Text(35),
        "description": Text(140),
        "background_color": Text(7, r"#[0-9a-fA-F]{3}([0-9a-fA-F]{3})?"),
    },
    "features": {
        "app_home": {
            "home_tab_enabled": FLAG,
            "messages_tab_enabled": FLAG,
            "messages_tab_read_only_enabled": FLAG,
        },
        "agent_view": {
            "agent_description": Text(300),
            "suggested_prompts": Many(4, {"title!": Text(300), "message!": Text(300)}),
        },
        "bot_user": {"display_name!": Text(80, r"[a-z0-9._-]+"), "always_online": FLAG},
        "slash_commands": Many(
            50,
            {
                "command!": Text(32, r"/\S+"),
                "description!": Text(2000),
                "usage_hint": Text(1000),
                "should_escape": FLAG,
                "url": URL,
            },
        ),
    },
    "oauth_config": {"scopes": {"bot": Many(255, Text(100, r"[a-z_.]+(:[a-z_.]+)*"))}},
    "settings": {
        "event_subscriptions": {"request_url": URL, "bot_events": Many(100, Text(100, r"[a-z_.]+"))},
        "interactivity": {"is_enabled!": FLAG, "request_url": URL},
        "org_deploy_enabled": FLAG,
        "socket_mode_enabled": FLAG,
        "token_rotation_enabled": FLAG,
    },
}
"""A key that ends in `!` is required; no other keys are known."""


def faults(shape: Any, value: Any, where: str = "") -> Iterator[str]:
    match shape:
        case dict() if isinstance(value, dict):
            names = {each.rstrip("!"): each for each in shape}
            yield from (f"{where}.{each} is unknown" for each in value if each not in names)
            yield from (
                f"{where}.{each} is missing" for each, key in names.items() if key != each and each not in value
            )
            for each in value.keys() & names.keys():
                yield from faults(shape[names[each]], value[each], f"{where}.{each}")
        case Many() if isinstance(value, list) and 0 < len(value) <= shape.most:
            for number, each in enumerate(value):
                yield from faults(shape.each, each, f"{where}[{number}]")
        case Text() if isinstance(value, str) and len(value) <= shape.most and re.fullmatch(shape.pattern, value):
            return
        case type() if type(value) is shape:
            return
        case _:
            yield f"{where}: {value!r}"


@pytest.mark.parametrize("mode", ["socket", "http"])
def test_the_manifest_keeps_to_what_slack_takes(mode: Literal["socket", "http"]) -> None:
    made = json.loads(json.dumps(manifest(WORDS, mode, "https://bot.example.com")))

    assert list(faults(SHAPE, made)) == []
    assert len(set(made["oauth_config"]["scopes"]["bot"])) == len(SCOPES)
    assert len(set(made["settings"]["event_subscriptions"]["bot_events"])) == len(EVENTS)
    for word in WORDS:
        assert word.word in made["features"]["slash_commands"][0]["usage_hint"]


NEEDED = {
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
    "reaction_added": "reactions:read",
    "agent_session_stopped": "assistant:write",
}


@pytest.mark.parametrize("event", NEEDED)
def test_an_event_is_asked_for_together_with_its_scope(event: str) -> None:
    assert event in EVENTS
    assert NEEDED[event] in SCOPES


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (("display_information", "name"), "P" * 36, "name"),
        (("display_information", "background_color"), "grey", "background_color"),
        (("features", "bot_user", "display_name"), "Patch bay", "display_name"),
        (("features", "slash_commands"), [], "slash_commands"),
        (("settings", "interactivity", "request_url"), "http://bot.example.com", "request_url"),
        (("settings", "socket_mode_enabled"), "yes", "socket_mode_enabled"),
        (("settings", "colour"), "red", "colour is unknown"),
    ],
)
def test_the_check_finds(path: tuple[str, ...], value: object, fault: str) -> None:
    made = manifest(WORDS, "http", "https://bot.example.com")
    inner = made
    for each in path[:-1]:
        inner = inner[each]
    inner[path[-1]] = value

    assert fault in " ".join(faults(SHAPE, made))


def test_the_check_finds_what_is_missing() -> None:
    made = manifest(WORDS)
    del made["display_information"]["name"]

    assert list(faults(SHAPE, made)) == [".display_information.name is missing"]
