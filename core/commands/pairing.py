"""/pair, and /start with a code: letting somebody in, from both sides.

Who says the code of a person has no role by that: its maker is shown which account said it, and confirms. A code of the
machine (`patchbay pair`) makes an owner at once, for who reads that terminal could write the configuration as well.
"""

from __future__ import annotations

from datetime import timedelta

import structlog

from core.commands.base import WHOLE_BOT, Command, Desk, Line, Reply, Scene, say
from core.model.chat import Button, Person, Post, PostKey, Style, ThreadRef
from core.model.errors import BadAsk, ChatError, NotAllowed, NotFound
from core.model.people import EVERYWHERE, GRANTED_BY_ADMINS, ROLES, Grant, Invite, InviteState, Role
from core.near import near
from core.ports import Reaching

log = structlog.get_logger()

CODE_MINUTES = 10
CONFIRM = timedelta(days=1)
"""How long the maker of a code may take to say whether its use was meant."""

PAIRED = "🔑 You are now an owner of this bot. Say /help to see what I understand, or /projects to begin."
WRONG_CODE = "That code is not right, or it was used before, or is too old. Ask for a new one."
TOO_MANY = "Those were too many codes. Wait an hour, and then ask for a new one."
NAME_LENGTH = 60


def parse_pair(line: Line) -> Role:
    if len(line.words) > 1 or (line.is_bare and line.words and line.words[0].lower() not in ROLES):
        raise BadAsk("Say `/pair`, or `/pair developer`.")
    return parse_role(line.words[0]) if line.words else Role.VIEWER


def parse_role(word: str) -> Role:
    role = ROLES.get(word.lower())
    if role is None:
        raise BadAsk(f"`{word[:20]}` is no role. {near(word, ROLES) or 'There are ' + ', '.join(ROLES) + '.'}")
    return role


def may_give(role: Role, scene: Scene) -> None:
    """NotAllowed."""
    if scene.role < Role.OWNER and role > GRANTED_BY_ADMINS:
        raise NotAllowed(f"Only an owner may make somebody {role}; an admin may up to {GRANTED_BY_ADMINS.word}.")


async def pair(role: Role, scene: Scene, desk: Desk) -> Reply | None:
    may_give(role, scene)
    if await desk.store.outgoing(PostKey(f"reply:{scene.cause}")) is not None:
        return None  # heard again: the code that was told stays the one that counts
    room = scene.thread if scene.is_direct else await direct(scene.person, desk)
    code, until = desk.new_code(), desk.clock.now() + timedelta(minutes=CODE_MINUTES)
    await desk.store.offer_invite(code, Invite(str(scene.cause), role, scene.person, room.room, until))
    text = (
        f"🔑 For one person, to become {role}. Within {CODE_MINUTES} minutes they say to me, in a direct chat:\n\n"
        f"```\n/start {code}\n```\n"
        "Then I show you which account said it, and ask whether that is who you meant."
    )
    return say(text, is_private=True)


async def enter(code: str, scene: Scene, desk: Desk) -> Reply | None:
    """Somebody says a code in private."""
    now = desk.clock.now()
    if not await desk.store.may_try(scene.person, now):
        log.warning("code.too_many", person=str(scene.person))
        await desk.posts.say(PostKey(f"codes:{scene.person}:{now:%Y%m%d%H}"), scene.thread, Post(TOO_MANY))
        return None
    if await desk.store.pair(code, scene.person, now):
        log.info("person.paired", person=str(scene.person))
        return say(PAIRED)
    invite = await desk.store.claim_invite(code, scene.person, scene.thread.room, now)
    if invite is None:
        log.warning("code.wrong", person=str(scene.person))
        return say(WRONG_CODE)
    await _ask_maker(invite, scene.person, desk)
    return say("🔑 Thank you. Who gave you this code is asked now whether you are who was meant; I tell you then.")


async def _ask_maker(invite: Invite, person: Person, desk: Desk) -> None:
    text = (
        f"🔑 **{shown(person)}** said your code, to become {invite.role}. The account is `{person_word(person)}`. "
        "Is that who you meant?"
    )
    rows = ((Button("Let in", f"/let_in {invite.id}", Style.PRIMARY), Button("Refuse", f"/keep_out {invite.id}")),)
    room = invite.room
    place = ThreadRef(room.platform, room.tenant, room.chat)
    await desk.posts.say(PostKey(f"invite:{invite.id}"), place, Post(text, rows))


def parse_invite(line: Line) -> str:
    if len(line.words) != 1:
        raise BadAsk("The button says this.")
    return line.words[0]


async def let_in(invite_id: str, scene: Scene, desk: Desk) -> Reply:
    invite, person = await _claimed(invite_id, scene, desk)
    may_give(invite.role, scene)
    held = [each for each in await desk.store.grants_of(person) if each.scope == EVERYWHERE]
    is_more = not held or held[0].role < invite.role
    grant = Grant(person, EVERYWHERE, invite.role, str(scene.person), desk.clock.now()) if is_more else None
    if not await desk.store.settle_invite(invite_id, InviteState.CONFIRMED, grant):
        return say("That was settled before.")
    log.info("person.let_in", person=str(person), role=invite.role.word, by=str(scene.person))
    await _tell(invite, f"🔑 You are in, as {invite.role}. Say /help to see what I understand.", desk)
    return say(
        f"🔑 **{shown(person)}** (`{person_word(person)}`) is now {invite.role}. /people shows all.", replaces=True
    )


async def keep_out(invite_id: str, scene: Scene, desk: Desk) -> Reply:
    invite, person = await _claimed(invite_id, scene, desk)
    if not await desk.store.settle_invite(invite_id, InviteState.REFUSED):
        return say("That was settled before.")
    log.info("person.kept_out", person=str(person), by=str(scene.person))
    await _tell(invite, "Who gave you that code says that it was not meant for you.", desk)
    return say(f"**{shown(person)}** (`{person_word(person)}`) stays out; the code is spent.", replaces=True)


async def _claimed(invite_id: str, scene: Scene, desk: Desk) -> tuple[Invite, Person]:
    """NotFound, NotAllowed: only its maker knows who was meant."""
    invite = await desk.store.invite(invite_id)
    if invite is None or invite.person is None or desk.clock.now() >= invite.until + CONFIRM:
        raise NotFound("That code is too old. /pair makes a new one.")
    if str(invite.maker) != str(scene.person):
        raise NotAllowed("Only who made that code can say whom it was meant for.")
    return invite, invite.person


async def _tell(invite: Invite, text: str, desk: Desk) -> None:
    assert invite.person_room is not None
    room = invite.person_room
    place = ThreadRef(room.platform, room.tenant, room.chat)
    await desk.posts.say(PostKey(f"invited:{invite.id}"), place, Post(text))


async def direct(person: Person, desk: Desk) -> ThreadRef:
    """Where to write to this person alone. NotAllowed: nowhere."""
    platform = desk.platforms.get(person.platform)
    try:
        if isinstance(platform, Reaching):
            return await platform.direct(person.id)
    except ChatError as error:
        log.info("person.unreachable", person=str(person), reason=str(error))
    raise NotAllowed("That is private. Say it to me in a direct chat.")


def shown(person: Person) -> str:
    """A name is whatever somebody has chosen: it forges no formatting, and no other line."""
    plain = "".join(each for each in " ".join(person.name.split()) if each.isprintable() and each not in "*`_[]<>|~\\")
    return plain[:NAME_LENGTH] or person.id


def person_word(person: Person) -> str:
    """As it is written in the configuration, and to /grant."""
    return f"{person.platform}:{person.tenant}/{person.id}" if person.tenant else f"{person.platform}:{person.id}"


PAIR = Command(
    "pair",
    "/pair [role]",
    "Make a code that lets one person in",
    parse_pair,
    pair,
    role=Role.ADMIN,
    about=lambda _: WHOLE_BOT,
)
LET_IN = Command(
    "let_in",
    "/let_in <code's id>",
    "Let in who said a code",
    parse_invite,
    let_in,
    hidden=True,
    role=Role.ADMIN,
    about=lambda _: WHOLE_BOT,
)
KEEP_OUT = Command(
    "keep_out",
    "/keep_out <code's id>",
    "Refuse who said a code",
    parse_invite,
    keep_out,
    hidden=True,
    role=Role.ADMIN,
    about=lambda _: WHOLE_BOT,
)
