"""/people, /grant, /revoke: who may do what where. Named by an id, a true mention or a reply, never by a name."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import structlog

from core.commands.base import WHOLE_BOT, About, Command, Desk, Line, Reply, Scene, say
from core.commands.pairing import may_give, parse_role, person_word, shown
from core.model.chat import Person
from core.model.errors import BadAsk, Conflict, NotAllowed
from core.model.people import (
    EVERYWHERE,
    GRANTED_BY_ADMINS,
    MACHINE,
    ROLES,
    Grant,
    Role,
    Scope,
    in_chat,
    in_project,
)
from core.model.work import ProjectKey
from core.projects import parse_project_key

log = structlog.get_logger()

HERE = "here"
GRANT_USAGE = "/grant <person> <role> [here|KEY]"
REVOKE_USAGE = "/revoke <person> [here|KEY]"
HOW = (
    "Name the person by an id (`telegram:123456789`, `slack:U012ABCDEF`), mention them, or reply to them; "
    "a user name is not enough, for names can be changed and taken by others."
)
_ID = re.compile(r"([a-z]+):(?:([A-Za-z0-9]+)/)?([A-Za-z0-9]+)")
_KEY = re.compile(r"[A-Z][A-Z0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Where:
    """The whole bot, or one of both."""

    is_here: bool = False
    project: ProjectKey | None = None

    @property
    def about(self) -> About:
        return About(self.project, is_alone=True) if self.is_here or self.project else WHOLE_BOT


@dataclass(frozen=True, slots=True)
class GrantAsk:
    """`who` empty: whose message this replies to."""

    who: str
    role: Role
    where: Where


@dataclass(frozen=True, slots=True)
class RevokeAsk:
    who: str
    where: Where


def parse_grant(line: Line) -> GrantAsk:
    at = next((index for index, word in enumerate(line.words) if word.lower() in ROLES), None)
    if at is None or len(line.words) > at + 2 or (line.is_bare and at == 0):
        raise BadAsk(f"Say `{GRANT_USAGE}`; roles are {', '.join(ROLES)}. {HOW}")
    return GrantAsk(" ".join(line.words[:at]), parse_role(line.words[at]), _where(line.words[at + 1 :]))


def parse_revoke(line: Line) -> RevokeAsk:
    words = line.words
    if line.is_bare and not words:
        raise BadAsk(f"Say `{REVOKE_USAGE}`. {HOW}")
    has_place = bool(words) and (words[-1].lower() == HERE or bool(_KEY.fullmatch(words[-1])))
    who = words[:-1] if has_place else words
    return RevokeAsk(" ".join(who), _where(words[-1:] if has_place else ()))


def _where(words: tuple[str, ...]) -> Where:
    if not words:
        return Where()
    return Where(is_here=True) if words[0].lower() == HERE else Where(project=parse_project_key(words[0]))


async def grant(ask: GrantAsk, scene: Scene, desk: Desk) -> Reply:
    person = await _person(ask.who, scene, desk)
    may_give(ask.role, scene)
    scope, where = await _scope(ask.where, scene, desk)
    await _must_not_be_greater(person, scope, scene, desk)
    await desk.store.put_grant(Grant(person, scope, ask.role, str(scene.person), desk.clock.now()))
    log.info("grant.given", person=str(person), role=ask.role.word, scope=scope, by=str(scene.person))
    more = desk.roles.listed_role(person)
    listed = f" The configuration makes them {more}, which counts as well." if more > ask.role else ""
    return say(f"🔑 **{shown(person)}** (`{person_word(person)}`) is now {ask.role} {where}.{listed}")


async def revoke(ask: RevokeAsk, scene: Scene, desk: Desk) -> Reply:
    person = await _person(ask.who, scene, desk)
    scope, where = await _scope(ask.where, scene, desk)
    await _must_not_be_greater(person, scope, scene, desk)
    await _must_not_be_the_last(person, scope, desk)
    is_gone = await desk.store.drop_grant(person, scope)
    log.info("grant.taken", person=str(person), scope=scope, by=str(scene.person), was=is_gone)
    said = f"**{shown(person)}** (`{person_word(person)}`)"
    text = f"{said} has no role {where} any more." if is_gone else f"{said} had nothing granted {where}."
    listed = desk.roles.listed_role(person)
    if listed > Role.STRANGER:
        text += f" The configuration makes them {listed}: take them out of `access` there, and restart the bot."
    left = [each for each in await desk.store.grants_of(person) if each.scope != scope]
    if left:
        text += " What is left: " + ", ".join(f"{each.role.word} {_place(each.scope)}" for each in left) + "."
    return say(text)


async def _must_not_be_greater(person: Person, scope: Scope, scene: Scene, desk: Desk) -> None:
    """NotAllowed: an admin changes nothing of who has more than an admin may give."""
    held = max((each.role for each in await desk.store.grants_of(person) if each.scope == scope), default=Role.STRANGER)
    if scene.role < Role.OWNER and held > GRANTED_BY_ADMINS:
        raise NotAllowed(f"Only an owner may change that: {shown(person)} is {held}.")


async def _must_not_be_the_last(person: Person, scope: Scope, desk: Desk) -> None:
    """Conflict: then nobody could let anybody in."""
    owners = [str(each) for each in await desk.store.owners()]
    is_listed = any(role is Role.OWNER for _, role in desk.roles.listed())
    if scope == EVERYWHERE and owners == [str(person)] and not is_listed:
        raise Conflict("That is the only owner of this bot. Make another one first: `/grant <person> owner`.")


async def _scope(where: Where, scene: Scene, desk: Desk) -> tuple[Scope, str]:
    if where.project is not None:
        project = await desk.projects.project(where.project)
        return in_project(project.key), f"in {project.key}"
    return (in_chat(scene.thread.room), "in this chat") if where.is_here else (EVERYWHERE, "everywhere")


async def _person(who: str, scene: Scene, desk: Desk) -> Person:
    """BadAsk: it does not say for certain who is meant."""
    if not who:
        if scene.answers is None:
            raise BadAsk(f"Whom do you mean? {HOW}")
        return scene.answers
    named = {str(each.person): each.person for each in scene.mentions if each.words == who}
    if len(named) == 1:
        return await _at_home(next(iter(named.values())), desk)
    match = _ID.fullmatch(who)
    if named or match is None or match[1] not in desk.platforms:
        raise BadAsk(f"I can't tell for certain who `{who[:40]}` is. {HOW}")
    person = Person(match[1], match[2] or _tenant(match[1], scene), match[3])
    return person if match[2] else await _at_home(person, desk)


def _tenant(platform: str, scene: Scene) -> str:
    """Of people on this platform: where the chat's own people have one, it is the chat's."""
    return scene.thread.tenant if platform == scene.person.platform and scene.person.tenant else ""


async def _at_home(person: Person, desk: Desk) -> Person:
    """With the workspace that the person truly belongs to, and the name, where the platform knows them."""
    profile = await desk.roles.profile(person)
    return replace(person, tenant=profile.tenant or person.tenant, name=profile.name) if profile else person


# ------------------------------------------------------------------------------------------------ /people


def parse_people(line: Line) -> str:
    if line.words:
        raise BadAsk("Say `/people`.")
    return ""


async def people(_ask: str, _scene: Scene, desk: Desk) -> Reply:
    lines = [
        f"- {role.word}: `{each.platform}:{each.tenant + '/' if each.tenant else ''}{each.id}` · configuration"
        for each, role in desk.roles.listed()
    ]
    for each in await desk.store.grants():
        who = f"**{shown(each.person)}** (`{person_word(each.person)}`)"
        by = each.by if each.by == MACHINE else f"`{each.by}`"
        lines.append(f"- {each.role.word} {_place(each.scope)}: {who} · by {by}, {each.at:%d %b %Y}")
    chats = [f"- {each.standing.value}: `{each.room}` {_title(each.title)}" for each in await desk.store.chats()]
    text = "\n".join(["**People**", "", *(lines or ["Nobody."]), *(["", "**Chats**", "", *chats] if chats else [])])
    return say(text, is_private=True)


def _place(scope: Scope) -> str:
    kind, _, rest = scope.partition(":")
    return {"": "everywhere", "project": f"in {rest}"}.get(kind, f"in `{rest}`")


def _title(title: str) -> str:
    return shown(Person("", "", "", title))


PEOPLE = Command(
    "people",
    "/people",
    "List who may do what, in private",
    parse_people,
    people,
    role=Role.ADMIN,
    about=lambda _: WHOLE_BOT,
)
GRANT = Command(
    "grant",
    GRANT_USAGE,
    "Give somebody a role",
    parse_grant,
    grant,
    role=Role.ADMIN,
    about=lambda ask: ask.where.about,
)
REVOKE = Command(
    "revoke",
    REVOKE_USAGE,
    "Take a role back",
    parse_revoke,
    revoke,
    role=Role.ADMIN,
    about=lambda ask: ask.where.about,
)
