"""The one gate: what was said, pressed or stopped, may it be done? Asked before anything is dispatched.

Unknown kinds of events are dropped, and whatever is not allowed here is denied.
"""

from __future__ import annotations

from dataclasses import replace

from core import commands
from core.authority.roles import Place, Rights, Roles
from core.authority.verdict import Decision, Verdict, Why
from core.commands import About, Ask
from core.commands.approvals import answered
from core.commands.welcome import says_code
from core.model.chat import Cause, Halted, Joined, Person, Pressed, Said, ThreadRef
from core.model.errors import BadAsk
from core.model.people import HeardChat, Role, Standing
from core.model.work import ProjectKey, RunId, Work, WorkId
from core.ports import Clock, Store, StoredButton
from core.projects import parse_task_key

PLAIN = Role.DEVELOPER
"""For plain words: they are work for an agent."""

BY_LINK = "a link"
"""Approved a chat, as whoever made the link could."""

STRANGER = (
    "Hello! I work only for the people on my list, and you are not on it. "
    "If you should be, ask the owner of this bot to add you: your id is `{person}`."
)
NOT_LISTED = "You are not on my list."
UNVOUCHED = "I cannot find out just now whether you are a guest here, so I do nothing. Say it again in a minute."
OUT_OF_DATE = "That button is out of date. Say /status to see what is going on."


class Authority:
    def __init__(self, roles: Roles, store: Store, clock: Clock) -> None:
        self._roles, self._store, self._clock = roles, store, clock

    async def authorise(self, event: object) -> Verdict:
        match event:
            case Said():
                return await self._said(event)
            case Pressed():
                return await self._pressed(event)
            case Halted():
                return await self._said(_as_cancel(event))
            case Joined():
                return await self._joined(event)
            case _:
                return Verdict(Decision.DROP, Why.UNKNOWN_KIND)

    async def knows(self, event: Said | Pressed | Halted | Joined) -> bool:
        """It comes from somebody who was let in, in a chat that is approved."""
        if not getattr(event, "is_direct", False) and await self._standing(event) is not Standing.APPROVED:
            return False
        return not (await self._rights(event)).are_none

    # ------------------------------------------------------------------------------------------- kinds

    async def _said(self, said: Said, button: StoredButton | None = None) -> Verdict:
        ask, mistake = await self._parsed(said)
        rights = await self._rights(said)
        if not said.is_direct and (closed := await self._closed(said, ask, rights)):
            return closed
        verdict = Verdict(
            Decision.HEAR,
            Why.ROLE,
            everywhere=rights.everywhere,
            said=said,
            ask=ask,
            mistake=mistake,
            button=button,
        )
        if ask is not None and said.is_direct and says_code(ask):
            return replace(verdict, why=Why.CODE, role=rights.everywhere)
        if rights.are_none:
            return _stranger(said, rights)
        if not said.is_addressed and not await self._is_ours(said):
            return Verdict(Decision.DROP, Why.NOT_FOR_US)
        if said.corrects is not None and (why := await self._may_not_correct(said.corrects, said.person)):
            return Verdict(Decision.DROP, why)
        return await self._weighed(verdict, rights)

    async def _parsed(self, said: Said) -> tuple[Ask | None, BadAsk | None]:
        """Plain words that answer what an agent asks there are that command."""
        ask, mistake = _parsed(said)
        if ask is None and mistake is None and said.corrects is None and said.text.strip():
            try:
                answer = await answered(said, self._store, self._clock)
            except BadAsk as wrong:
                return None, wrong
            ask = Ask(*answer) if answer is not None else None
        return ask, mistake

    async def _pressed(self, pressed: Pressed) -> Verdict:
        rights = await self._rights(pressed)
        if rights.are_none:
            return Verdict(Decision.TELL, Why.STRANGER, words=UNVOUCHED if rights.is_unvouched else NOT_LISTED)
        button = await self._store.button(pressed.token)
        if button is None or button.thread.room != pressed.thread.room:
            if not pressed.is_direct and await self._standing(pressed) is not Standing.APPROVED:
                return Verdict(Decision.DROP, Why.CHAT_UNKNOWN)
            return Verdict(Decision.TELL, Why.OUT_OF_DATE, words=OUT_OF_DATE)
        said = Said(
            cause=pressed.cause,
            thread=button.thread if button.thread.root else pressed.thread,
            person=pressed.person,
            text=button.says,
            is_direct=pressed.is_direct,
            in_thread=bool(button.thread.root),
            author=pressed.author,
        )
        return await self._said(said, button)

    async def _joined(self, joined: Joined) -> Verdict:
        """It is not weighed who added the bot: an admin says so in words, or by a button."""
        standing = await self._standing(joined)
        if standing is Standing.UNKNOWN:
            return Verdict(Decision.INTRODUCE, Why.CHAT_UNKNOWN)
        return Verdict(Decision.DROP, Why.NOT_FOR_US)

    # ----------------------------------------------------------------------------------------- weighing

    async def _weighed(self, verdict: Verdict, rights: Rights) -> Verdict:
        said, ask = verdict.said, verdict.ask
        assert said is not None
        role = await self._role(said, ask, rights)
        need = _need(verdict)
        if role >= need:
            return replace(verdict, role=role)
        why = Why.TOO_SMALL if role > Role.STRANGER else Why.NO_ROLE_HERE
        if not said.is_addressed:
            return Verdict(Decision.DROP, why, role)
        return Verdict(Decision.TELL, why, role, rights.everywhere, words=refusal(need, role), said=said)

    async def _role(self, said: Said, ask: Ask | None, rights: Rights) -> Role:
        if not rights.grants:
            return rights.everywhere
        role = rights.at(await self._place(said, ask))
        return max(role, Role.VIEWER) if ask is not None and ask.command.is_general else role

    async def _place(self, said: Said, ask: Ask | None) -> Place:
        about = ask.command.about(ask.given) if ask is not None and ask.command.about is not None else About()
        room = said.thread.room
        if about.is_everywhere:
            return Place(replace(room, chat=""))
        if about.is_alone:
            return Place(room, projects=(about.project,) if about.project else ())
        link = await self._store.link(said.thread)
        linked = link.project if link else None
        named = about.project or await self._project_of(about.name) or await self._at_work(said.thread) or linked
        both = (named, linked) if about.moves_link else (named,)
        return Place(room, linked, tuple(each for each in both if each is not None))

    async def _project_of(self, name: str) -> ProjectKey | None:
        """Of what was named: a work, a task, or a run by the first characters of its id."""
        if not name:
            return None
        work = await self._store.work(WorkId(name))
        if work is None and len(name) >= 4:
            run = await self._store.run(RunId(name)) or await self._store.find_run(name)
            work = await self._store.work(run.work) if run else None
        if work is not None:
            return work.project
        try:
            return ProjectKey(parse_task_key(name).rpartition("-")[0])
        except BadAsk:
            return None

    async def _at_work(self, thread: ThreadRef) -> ProjectKey | None:
        run = await self._store.run_in(thread)
        work: Work | None = await self._store.work(run.work) if run else await self._store.open_work_in(thread)
        return work.project if work else None

    async def _rights(self, event: Said | Pressed | Halted | Joined) -> Rights:
        if isinstance(event, Joined):
            return await self._roles.rights(event.person, event.thread.tenant)
        return await self._roles.rights(event.person, event.thread.tenant, event.author)

    async def _is_ours(self, said: Said) -> bool:
        """A thread in which work of ours is open needs no mention; an aside in brackets stays one."""
        if not said.in_thread or said.text.startswith(("(aside)", "!aside")):
            return False
        return await self._store.open_work_in(said.thread) is not None

    async def _may_not_correct(self, original: Cause, person: Person) -> Why | None:
        turn = await self._store.turn_of(original)
        if turn is None:
            return Why.NOT_FOR_US
        return Why.NOT_THEIRS if str(turn.person) != str(person) else None

    # -------------------------------------------------------------------------------------------- chats

    async def _closed(self, said: Said, ask: Ask | None, rights: Rights) -> Verdict | None:
        """In a chat that nobody has approved one command works, for admins of the whole bot. None: it is approved."""
        standing = await self._standing(said)
        if standing is Standing.APPROVED:
            return None
        if ask is not None and ask.command.approves and rights.everywhere >= Role.ADMIN:
            return None
        match standing:
            case Standing.UNKNOWN:
                return Verdict(Decision.INTRODUCE, Why.CHAT_UNKNOWN)
            case Standing.WAITING:
                return Verdict(Decision.DROP, Why.CHAT_WAITING)
            case _:
                return Verdict(Decision.DROP, Why.CHAT_REFUSED)

    async def _standing(self, event: Said | Pressed | Halted | Joined) -> Standing:
        """A chat with a link is one that somebody approved before chats were."""
        room = event.thread.room
        known = await self._store.chat(room)
        if known is not None:
            return known.standing
        if self._roles.knows_chat(room):
            return Standing.APPROVED
        if not await self._store.links(room):
            return Standing.UNKNOWN
        await self._store.put_chat(HeardChat(room, Standing.APPROVED, "", BY_LINK, self._clock.now()))
        return Standing.APPROVED


def refusal(need: Role, role: Role) -> str:
    yours = f"you are {role}" if role > Role.STRANGER else "what you were granted does not count here"
    return f"Only {need} may do that here; {yours}."


def _need(verdict: Verdict) -> Role:
    said, ask = verdict.said, verdict.ask
    assert said is not None
    if said.corrects is not None:
        return PLAIN
    if ask is not None:
        return ask.need
    return PLAIN if said.text.strip() and verdict.mistake is None else Role.VIEWER


def _parsed(said: Said) -> tuple[Ask | None, BadAsk | None]:
    """Nothing of an edited message is a command."""
    if said.corrects is not None or not said.text.strip():
        return None, None
    try:
        return commands.parse(said.text), None
    except BadAsk as mistake:
        return None, mistake


def _stranger(said: Said, rights: Rights) -> Verdict:
    if not said.is_addressed:
        return Verdict(Decision.DROP, Why.STRANGER)
    if rights.is_unvouched:
        return Verdict(Decision.TELL, Why.UNVOUCHED, words=UNVOUCHED, said=said)
    return Verdict(Decision.TELL, Why.STRANGER, words=STRANGER.format(person=_as_listed(said)), said=said)


def _as_listed(said: Said) -> str:
    """As it would stand in the configuration; who is not simply at home there is named with the tenant."""
    person = said.person
    is_home = person.tenant in {"", said.thread.tenant} and said.author.value == "person"
    return f"{person.platform}:{'' if is_home else person.tenant + '/'}{person.id}"


def _as_cancel(halted: Halted) -> Said:
    return Said(
        halted.cause,
        halted.thread,
        halted.person,
        "/cancel",
        is_direct=halted.is_direct,
        in_thread=True,
        author=halted.author,
    )
