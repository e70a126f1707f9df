"""The app's manifest: what `patchbay slack-manifest` prints and a person pastes into Slack to make the app.

https://docs.slack.dev/reference/app-manifest. `agent_view` is what new apps use; DMs then look like any other, and
the bot answers in threads. An app that each workspace makes for itself is internal, so history keeps its usual limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from adapters.chat.slack.config import WEBHOOK_PATH
from core.model.errors import ConfigError
from core.ports import CommandWord

SLASH = "/patchbay"
DESCRIPTION = "Runs coding agents in a sandbox on your own server and opens the pull request."

SCOPES = {
    "app_mentions:read": "hear a mention",
    "assistant:write": "be an agent: session status and the Stop button",
    "channels:history": "hear what is said in threads without a mention",
    "channels:read": "know a channel's name",
    "chat:write": "answer",
    "commands": "the slash command",
    "files:read": "read what is attached to a message",
    "files:write": "attach a long diff or a chart",
    "groups:history": "the same in private channels",
    "groups:read": "the same in private channels",
    "im:history": "hear direct messages",
    "im:read": "know a direct message",
    "im:write": "begin a direct message",
    "mpim:history": "hear group direct messages",
    "reactions:read": "see a reaction",
    "reactions:write": "show that a message was seen",
    "users:read": "know a person's name, and who is a guest",
}
"""Each with its reason."""

EVENTS = (
    "agent_session_stopped",
    "agent_session_title_changed",
    "app_home_opened",
    "app_mention",
    "app_uninstalled",
    "member_joined_channel",
    "message.channels",
    "message.groups",
    "message.im",
    "message.mpim",
    "reaction_added",
    "tokens_revoked",
)


def manifest(
    commands: Sequence[CommandWord], mode: Literal["socket", "http"] = "socket", public_url: str = ""
) -> dict[str, Any]:
    """`public_url`: where Slack reaches us, needed for http. ConfigError."""
    if mode == "http" and not public_url.startswith("https://"):
        raise ConfigError("Slack delivers over HTTP only to a public https:// address: give it, or use Socket Mode.")
    address = public_url.rstrip("/") + WEBHOOK_PATH if mode == "http" else ""
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {"name": "Patchbay", "description": DESCRIPTION, "background_color": "#1f2937"},
        "features": {
            "app_home": {
                "home_tab_enabled": False,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "agent_view": {"agent_description": DESCRIPTION, "suggested_prompts": _prompts()},
            "bot_user": {"display_name": "patchbay", "always_online": True},
            "slash_commands": [_slash(commands, address)],
        },
        "oauth_config": {"scopes": {"bot": sorted(SCOPES)}},
        "settings": {
            "event_subscriptions": _to(address) | {"bot_events": list(EVENTS)},
            "interactivity": {"is_enabled": True} | _to(address),
            "org_deploy_enabled": False,
            "socket_mode_enabled": mode == "socket",
            "token_rotation_enabled": False,
        },
    }


def _slash(commands: Sequence[CommandWord], address: str) -> dict[str, Any]:
    """One command for all: Slack allows fifty, but their names are shared by every app of the workspace."""
    hint = " | ".join(each.word.lstrip("/") for each in commands)
    return {
        "command": SLASH,
        "description": "Talk to Patchbay: /patchbay help",
        "usage_hint": (hint if len(hint) <= 1000 else hint[:999] + "…") or "help",
        "should_escape": True,
    } | ({"url": address} if address else {})


def _to(address: str) -> dict[str, str]:
    return {"request_url": address} if address else {}


def _prompts() -> list[dict[str, str]]:
    return [
        {"title": "What can you do?", "message": "help"},
        {"title": "Which projects are there?", "message": "projects"},
        {"title": "What is running?", "message": "status"},
        {"title": "Which agents can work?", "message": "agents"},
    ]
