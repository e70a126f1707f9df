"""/secret: what a person gives the bot to keep. The value never comes here: it is sealed before anything is stored."""

from __future__ import annotations

from dataclasses import dataclass

from core.commands.base import Command, Desk, Line, Reply, Scene, say
from core.model.errors import BadAsk, NotFound
from core.model.people import Role
from core.model.secrets import NAME, PASTED, SecretRef, of_person
from core.pasted import has_mask

USAGE = "/secret list · set <NAME> <value> · forget <NAME>"


@dataclass(frozen=True, slots=True)
class SecretAsk:
    """`verb`: list, set or forget. `has_value`: something stood behind the name, and is sealed by now."""

    verb: str
    name: str = ""
    has_value: bool = False


def parse(line: Line) -> SecretAsk:
    verb, *rest = line.words or ("list",)
    verb = verb.lower()
    if verb == "list" and not rest:
        return SecretAsk("list")
    if verb not in {"set", "forget"} or not rest or (verb == "forget" and len(rest) > 1):
        raise BadAsk(f"Say `{USAGE}`, best to me in private.")
    if not NAME.fullmatch(rest[0]):
        raise BadAsk("A name is a letter, then letters, digits, `.`, `_` and `-`, up to 64.")
    if verb == "set" and not has_mask(line.rest(2)):
        raise BadAsk(f"Say what it is as well: `/secret set {rest[0]} <value>`, at least 6 characters, in one message.")
    return SecretAsk(verb, rest[0], verb == "set")


async def secret(ask: SecretAsk, scene: Scene, desk: Desk) -> Reply:
    mine = of_person(scene.person, ask.name)
    match ask.verb:
        case "set":
            if not await desk.secrets.move(SecretRef(PASTED, str(scene.cause)), mine):
                raise NotFound(
                    "I could not keep it: it is too short, or my key is missing; the owner's log says which."
                )
            return say(f"🔒 Kept, sealed, as `{ask.name}`. Nobody can read it here again.", is_private=True)
        case "forget":
            if not await desk.secrets.forget(mine):
                raise NotFound(f"You have no secret `{ask.name}` here. `/secret list` shows which.")
            return say(f"🔒 Forgotten: `{ask.name}`.", is_private=True)
        case _:
            rows = await desk.secrets.kept(mine.scope)
            lines = [f"- `{row.ref.name}`, since {row.made_at:%Y-%m-%d}" for row in rows]
            shown = "\n".join(["**Your secrets**", "", *lines]) if lines else "You have given me no secrets."
            return say(shown, is_private=True)


SECRET = Command(
    "secret",
    USAGE,
    "Secrets of yours that the bot keeps sealed",
    parse,
    secret,
    role=Role.VIEWER,
    is_general=True,
)
