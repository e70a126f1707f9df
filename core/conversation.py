"""The front door: what is said, pressed or stopped in a chat comes in here, and is answered."""

from __future__ import annotations

from dataclasses import replace

import structlog

from core import commands
from core.audit.acting import acting
from core.authority.gate import Authority
from core.authority.verdict import Decision, Verdict, Why
from core.commands import Ask, Desk, Reply, Scene, say
from core.commands.chats import INTRODUCTION
from core.commands.here import ChooseError
from core.commands.pairing import direct
from core.commands.plain import offer, plain, title_of
from core.model.chat import (
    Cause,
    ChatEvent,
    Joined,
    Post,
    PostKey,
    PostRef,
    Pressed,
    Priority,
    Said,
    SignKind,
    ThreadRef,
)
from core.model.codec import Json, from_json, to_json
from core.model.errors import BadAsk, BotError, StoreError
from core.model.people import HeardChat, Standing
from core.pasted import Pastes, has_mask
from core.signs import Signs

log = structlog.get_logger()

UNOPENED = "😵 I could not begin that; the owner's log says why. Say it again here to try once more."


class Conversation:
    """`hear` may be called again with the same event after a crash: every effect is named by the event's cause."""

    def __init__(self, desk: Desk, authority: Authority, signs: Signs, pastes: Pastes | None = None) -> None:
        self._desk, self._authority, self._signs, self._pastes = desk, authority, signs, pastes

    async def hear(self, event: ChatEvent) -> None:
        """Answer one event. A BotError is told; anything else is for the inbox to try again."""
        with acting(event):
            await self._hear_event(event)

    async def _hear_event(self, event: ChatEvent) -> None:
        if isinstance(event, Said) and has_mask(event.text) and self._pastes is not None:
            if await self._authority.knows(event):
                await self._pastes.heard(event)
            await self._weigh(event)
            await self._pastes.done(event)
        else:
            await self._weigh(event)

    async def _weigh(self, event: ChatEvent) -> None:
        verdict = await self._authority.authorise(event)
        if isinstance(event, Pressed):
            is_told = verdict.decision is Decision.TELL and verdict.said is None and verdict.why is not Why.OUT_OF_DATE
            self._signs.answer_press(event.thread.platform, event.handle, verdict.words if is_told else "")
            if is_told:
                return
        await self._do(event, verdict)

    async def opened(self, ask: Json, ref: PostRef) -> None:
        """A post of ours stands and opens the thread in which this ask goes on."""
        said = from_json(Said, ask)
        here = replace(said, thread=replace(said.thread, root=ref.id), opens_thread=False, in_thread=True)
        try:
            await self.hear(here)
        except StoreError:
            raise
        except Exception:  # a boundary: whoever sends posts must not suffer
            log.exception("opened.failed", cause=said.cause)
            await self._say(here, say(UNOPENED), "aside")

    async def set_aside(self, event: ChatEvent, key: str) -> None:
        """Tell that what was said could not be handled, and under which id it is kept."""
        if not await self._authority.knows(event):
            return
        text = f"😵 I could not handle that, three times. It is kept as `{key}`; the owner's log says why."
        await self._say(event, say(text), "aside")

    # ------------------------------------------------------------------------------------ what was decided

    async def _do(self, event: ChatEvent, verdict: Verdict) -> None:
        match verdict.decision:
            case Decision.HEAR:
                await self._hear(verdict)
            case Decision.TELL:
                await self._tell(event, verdict)
            case Decision.INTRODUCE:
                await self._introduce(event)
            case _:
                log.debug("event.dropped", why=verdict.why.value, cause=event.cause)

    async def _tell(self, event: ChatEvent, verdict: Verdict) -> None:
        """A stranger is told once, and nothing happens."""
        log.info("event.denied", why=verdict.why.value, cause=event.cause, person=str(event.person))
        if verdict.why is Why.STRANGER:
            await self._desk.posts.say(PostKey(f"stranger:{event.person}"), event.thread, Post(verdict.words))
            return
        await self._say(verdict.said or event, say(verdict.words))

    async def _introduce(self, event: ChatEvent) -> None:
        """Said first: what is cut in between is said again under the same key, which is once."""
        room = event.thread.room
        place = ThreadRef(room.platform, room.tenant, room.chat)
        log.info("chat.unknown", chat=str(room), person=str(event.person))
        await self._desk.posts.say(PostKey(f"chat:{room}"), place, INTRODUCTION)
        title = event.chat_title if isinstance(event, (Said, Joined)) else ""
        await self._desk.store.put_chat(HeardChat(room, Standing.WAITING, title, "", self._desk.clock.now()))

    async def _hear(self, verdict: Verdict) -> None:
        said = verdict.said
        assert said is not None
        if said.corrects is not None:
            await self._hear_correction(said, said.corrects)
            return
        reply = await self._answer(verdict, said)
        if reply is not None and reply.replaces and verdict.button is not None:
            await self._desk.posts.show(verdict.button.key, reply.post)
        elif reply is not None:
            await self._say(said, reply)

    async def _answer(self, verdict: Verdict, said: Said) -> Reply | None:
        """What is expected to go wrong is an answer too; only a store that cannot write is not."""
        try:
            return await self._dispatch(verdict, said)
        except ChooseError as choice:
            return choice.reply
        except StoreError:
            raise
        except BotError as error:
            return say(str(error))

    async def _dispatch(self, verdict: Verdict, said: Said) -> Reply | None:
        if verdict.mistake is not None:
            raise verdict.mistake
        ask = verdict.ask
        if ask is None or ask.command.names:
            said = replace(said, person=replace(said.person, name=await self._signs.name_of(said.person)))
        if said.opens_thread and (ask is None or ask.command.needs_thread):
            await self._open_thread(said)
            return None
        scene = await self._scene(verdict, said)
        if ask is not None:
            return await self._command(ask, scene)
        if not said.text.strip():
            return say("Say what you want done, or /help.")
        return await plain(said.text, scene, self._desk)

    async def _command(self, ask: Ask, scene: Scene) -> Reply | None:
        reply: Reply | None = await ask.command.answer(ask.given, scene, self._desk)
        if ask.command.links and (advice := self._signs.advice(scene.thread)):
            await self._desk.posts.say(PostKey(f"advice:{scene.thread.room}"), scene.thread, Post(f"💡 {advice}"))
        return reply

    async def _open_thread(self, said: Said) -> None:
        name = said.person.name or said.person.id
        text = f"▸ **{title_of(said.text)}** — asked by {name}"
        key = PostKey(f"open:{said.cause}")
        await self._desk.posts.say(key, said.thread, Post(text), Priority.ANSWER, opens=to_json(said))

    async def _hear_correction(self, said: Said, original: Cause) -> None:
        """An edited message corrects what has not begun; what has begun is not changed behind the agent's back."""
        if not said.text.strip():
            return
        if _is_command(said.text):
            await self._say(said, say("I don't take up an edited command. Send it anew."))
            return
        if await self._desk.store.amend_turn(original, said.text):
            self._signs.put(said.thread, said.message, SignKind.SEEN)
            return
        await self._say(said, offer(said.cause, said.text))

    # --------------------------------------------------------------------------------------- helpers

    async def _scene(self, verdict: Verdict, said: Said) -> Scene:
        store = self._desk.store
        return Scene(
            cause=said.cause,
            thread=said.thread,
            person=said.person,
            role=verdict.role,
            link=await store.link(said.thread),
            settings=await store.settings(said.thread.room),
            in_thread=said.in_thread,
            opens_thread=said.opens_thread,
            message=said.message,
            everywhere=verdict.everywhere,
            is_direct=said.is_direct,
            chat_title=said.chat_title,
            mentions=said.mentions,
            answers=said.answers,
        )

    async def _say(self, event: ChatEvent, reply: Reply, kind: str = "reply") -> None:
        key, thread = PostKey(f"{kind}:{event.cause}"), event.thread
        if reply.is_private and isinstance(event, Said) and not event.is_direct:
            try:
                thread = await direct(event.person, self._desk)
            except BotError as error:
                reply = say(str(error))
            else:
                note = Post("🔒 That is private: I answer you in our direct chat.")
                await self._desk.posts.say(PostKey(f"private:{event.cause}"), event.thread, note)
        await self._desk.posts.say(key, thread, reply.post)


def _is_command(text: str) -> bool:
    try:
        return commands.parse(text) is not None
    except BadAsk:
        return True
