"""/settings: agent, model, language, quiet hours and time zone of a chat, by buttons or by words."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from core.commands.base import Command, Desk, Line, Reply, Scene, say
from core.model.chat import Button, Style
from core.model.errors import BadAsk
from core.model.people import Role
from core.model.work import ChatSettings
from core.near import near
from core.zones import is_zone

LANGUAGES = {"en": "English", "de": "Deutsch", "fr": "Français", "es": "Español", "pt": "Português", "zh": "中文"}
FIELDS = ("agent", "model", "language", "quiet", "zone")
USAGE = "/settings [agent|model|language|quiet|zone] [value]"
DEFAULT = "default"
QUIET_HOURS = ("22:00-07:00", "20:00-08:00")
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Tokyo")
_QUIET = re.compile(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d")
_MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}")


@dataclass(frozen=True, slots=True)
class Change:
    """`field` empty: show all; `value` empty: show the choices of one."""

    field: str
    value: str


def parse(line: Line) -> Change:
    if not line.words:
        return Change("", "")
    field = line.words[0].lower()
    if field not in FIELDS or len(line.words) > 2:
        raise BadAsk(f"Say `{USAGE}`. {near(field, FIELDS)}".strip())
    return Change(field, line.words[1] if len(line.words) > 1 else "")


async def settings(ask: Change, scene: Scene, desk: Desk) -> Reply:
    if ask.field and not ask.value:
        return _choices(ask.field, scene, desk)
    chosen = scene.settings
    if ask.field:
        value = "" if ask.value in {DEFAULT, "off", "none"} else _checked(ask.field, ask.value, desk)
        chosen = _with(chosen, ask.field, value)
        await desk.store.put_settings(chosen)
    return _menu(chosen, scene, desk)


def _with(chosen: ChatSettings, field: str, value: str) -> ChatSettings:
    match field:
        case "agent":
            return replace(chosen, agent=value)
        case "model":
            return replace(chosen, model=value)
        case "language":
            return replace(chosen, language=value)
        case "quiet":
            return replace(chosen, quiet=value)
        case _:
            return replace(chosen, zone=value)


def _menu(chosen: ChatSettings, scene: Scene, desk: Desk) -> Reply:
    linked = f"{scene.link.project}" if scene.link else "none"
    language = chosen.language or desk.language
    lines = [
        f"- Project: {linked}",
        f"- Agent: {chosen.agent or (scene.link.agent if scene.link else '') or DEFAULT}",
        f"- Model: {chosen.model or DEFAULT}",
        f"- Language of answers: {LANGUAGES.get(language, language)}",
        f"- Quiet hours: {chosen.quiet or 'none'}",
        f"- Time zone: {chosen.zone or desk.zone}",
    ]
    row = tuple(Button(field.capitalize(), f"/settings {field}") for field in FIELDS)
    return say("\n".join(["**Settings of this chat**", "", *lines]), row[:3], row[3:], replaces=True)


def _choices(field: str, scene: Scene, desk: Desk) -> Reply:
    now = getattr(scene.settings, field) or DEFAULT
    known = {
        "agent": tuple(desk.agents),
        "model": (),
        "language": tuple(LANGUAGES),
        "quiet": QUIET_HOURS,
        "zone": ZONES,
    }[field]
    buttons = [_choice(field, value, now) for value in (*known, DEFAULT)]
    rows = [tuple(buttons[at : at + 3]) for at in range(0, len(buttons), 3)]
    own = {
        "model": "Say `/settings model <name>`, as the agent's provider calls it.",
        "quiet": "Say `/settings quiet 21:30-06:30` for other hours; posts are silent then.",
        "zone": "Say `/settings zone Europe/Paris` for another.",
    }.get(field, "")
    text = f"**{field.capitalize()}** is `{now}`. {own}".strip()
    return say(text, *rows, (Button("◀ Back", "/settings"),), replaces=True)


def _choice(field: str, value: str, now: str) -> Button:
    name = LANGUAGES.get(value, value) if field == "language" else value
    style = Style.PRIMARY if value == now else Style.PLAIN
    return Button(name, f"/settings {field} {value}", style)


def _checked(field: str, value: str, desk: Desk) -> str:
    match field:
        case "agent":
            if value not in desk.agents:
                raise BadAsk(f"There is no agent `{value[:40]}`. {near(value, desk.agents)} /agents lists them.")
        case "model":
            _refuse_unless(_MODEL.fullmatch(value) is not None, f"`{value[:40]}` cannot be the name of a model.")
        case "language":
            hint = f"Choose one of {', '.join(LANGUAGES)}."
            _refuse_unless(value in LANGUAGES, f"I know no language `{value[:20]}`. {hint}")
        case "quiet":
            _refuse_unless(_QUIET.fullmatch(value) is not None, "Quiet hours look like `22:00-07:00`.")
        case _:
            _refuse_unless(is_zone(value), f"`{value[:40]}` is no time zone I know; they look like `Europe/Berlin`.")
    return value


def _refuse_unless(claim: bool, text: str) -> None:  # noqa: FBT001 - a claim, named so
    if not claim:
        raise BadAsk(text)


def _need(ask: Change) -> Role:
    return Role.ADMIN if ask.value else Role.VIEWER


SETTINGS = Command(
    "settings",
    USAGE,
    "Show and change the settings of this chat",
    parse,
    settings,
    role=Role.VIEWER,
    needs=_need,
)
