"""The front door: what is said, pressed or stopped in a chat comes in here, and is answered."""

from __future__ import annotations

from dataclasses import replace

import structlog

from core import commands
from core.authority import Authority, Role
from core.commands import Ask, Desk, Reply, Scene, say
from core.commands.here import ChooseError
from core.commands.plain import offer, plain, title_of
from core.model.chat import ChatEvent, Halted, Post, PostKey, PostRef, Pressed, Priority, Said, SignKind
from core.model.codec import Json, from_json, to_json
from core.model.errors import BadAsk, BotError, NotAllowed, StoreError
from core.signs import Signs

log = structlog.get_logger()

STRANGER = (
    "Hello! I work only for the people on my list, and you are not on it. "
    "If you should be, ask the owner of this bot to add you: your id is `{person}`."
)
PAIRED = "🔑 You are now an owner of this bot. Say /help to see what I understand, or /projects to begin."
UNOPENED = "😵 I could not begin that; the owner's log says why. Say it again here to try once more."


class Conversation:
    """`hear` may be called again with the same event after a crash: every effect is named by the event's cause."""

    def __init__(self, desk: Desk, authority: Authority, signs: Signs) -> None:
        self._desk, self._authority, self._signs = desk, authority, signs

    async def hear(self, event: ChatEvent) -> None:
        """Answer one event. A BotError is told; anything else is for the inbox to try again."""
        match event:
            case Said():
                await self._hear_said(event)
            case Pressed():
                await self._hear_pressed(event)
            case Halted():
                await self._hear_halted(event)

    async def opened(self, ask: Json, ref: PostRef) -> None:
        """A post of ours stands and opens the thread in which this ask goes on."""
        said = from_json(Said, ask)
        here = replace(said, thread=replace(said.thread, root=ref.id), opens_thread=False, in_thread=True)
        try:
            await self._hear_said(here)
        except StoreError:
            raise
        except Exception:  # a boundary: whoever sends posts must not suffer
            log.exception("opened.failed", cause=said.cause)
            await self._say(here, say(UNOPENED), "aside")

    async def set_aside(self, event: ChatEvent, key: str) -> None:
        """Tell that what was said could not be handled, and under which id it is kept."""
        if await self._authority.role(event.person, event.thread.tenant) is Role.STRANGER:
            return
        text = f"😵 I could not handle that, three times. It is kept as `{key}`; the owner's log says why."
        await self._say(event, say(text), "aside")

    # ----------------------------------------------------------------------------------------- said

    async def _hear_said(self, said: Said) -> None:
        role = await self._authority.role(said.person, said.thread.tenant)
        if role is Role.STRANGER:
            await self._meet(said)
            return
        if not said.is_addressed and not await self._is_ours(said):
            return
        if said.corrects is not None:
            await self._hear_correction(said)
            return
        reply = await self._answer(said, role)
        if reply is not None:
            await self._say(said, reply)

    async def _answer(self, said: Said, role: Role) -> Reply | None:
        """What is expected to go wrong is an answer too; only a store that cannot write is not."""
        try:
            return await self._dispatch(said, role)
        except ChooseError as choice:
            return choice.reply
        except StoreError:
            raise
        except BotError as error:
            return say(str(error))

    async def _dispatch(self, said: Said, role: Role) -> Reply | None:
        ask = commands.parse(said.text) if said.text.strip() else None
        if ask is None or ask.command.names:
            said = replace(said, person=replace(said.person, name=await self._signs.name_of(said.person)))
        if said.opens_thread and (ask is None or ask.command.needs_thread):
            await self._open_thread(said)
            return None
        scene = await self._scene(said, role)
        if ask is not None:
            return await self._command(ask, scene)
        if not said.text.strip():
            return say("Say what you want done, or /help.")
        return await plain(said.text, scene, self._desk)

    async def _command(self, ask: Ask, scene: Scene) -> Reply | None:
        if scene.role < ask.command.role:
            raise NotAllowed("Only an owner of this bot may do that here.")
        reply = await ask.command.answer(ask.given, scene, self._desk)
        if ask.command.links and (advice := self._signs.advice(scene.thread)):
            await self._desk.posts.say(PostKey(f"advice:{scene.thread.room}"), scene.thread, Post(f"💡 {advice}"))
        return reply

    async def _open_thread(self, said: Said) -> None:
        name = said.person.name or said.person.id
        text = f"▸ **{title_of(said.text)}** — asked by {name}"
        key = PostKey(f"open:{said.cause}")
        await self._desk.posts.say(key, said.thread, Post(text), Priority.ANSWER, opens=to_json(said))

    async def _hear_correction(self, said: Said) -> None:
        """An edited message corrects what has not begun; what has begun is not changed behind the agent's back."""
        original = said.corrects
        assert original is not None
        if not said.text.strip() or not await self._desk.store.has_turn(original):
            return
        if _is_command(said.text):
            await self._say(said, say("I don't take up an edited command. Send it anew."))
            return
        if await self._desk.store.amend_turn(original, said.text):
            self._signs.put(said.thread, said.message, SignKind.SEEN)
            return
        await self._say(said, offer(said.cause, said.text))

    async def _is_ours(self, said: Said) -> bool:
        """A thread in which work of ours is open needs no mention; an aside in brackets stays one."""
        if not said.in_thread or said.text.startswith(("(aside)", "!aside")):
            return False
        return await self._desk.store.open_work_in(said.thread) is not None

    # ------------------------------------------------------------------------------ pressed and halted

    async def _hear_pressed(self, pressed: Pressed) -> None:
        role = await self._authority.role(pressed.person, pressed.thread.tenant)
        if role is Role.STRANGER:
            self._signs.answer_press(pressed.thread.platform, pressed.handle, "You are not on my list.")
            return
        self._signs.answer_press(pressed.thread.platform, pressed.handle)
        button = await self._desk.store.button(pressed.token)
        if button is None or button.thread.room != pressed.thread.room:
            await self._say(pressed, say("That button is out of date. Say /status to see what is going on."))
            return
        said = Said(
            cause=pressed.cause,
            thread=button.thread if button.thread.root else pressed.thread,
            person=pressed.person,
            text=button.says,
            in_thread=bool(button.thread.root),
        )
        reply = await self._answer(said, role)
        if reply is not None and reply.replaces:
            await self._desk.posts.show(button.key, reply.post)
        elif reply is not None:
            await self._say(said, reply)

    async def _hear_halted(self, halted: Halted) -> None:
        said = Said(halted.cause, halted.thread, halted.person, "/cancel", in_thread=True)
        await self._hear_said(said)

    # --------------------------------------------------------------------------------------- helpers

    async def _scene(self, said: Said, role: Role) -> Scene:
        store = self._desk.store
        return Scene(
            cause=said.cause,
            thread=said.thread,
            person=said.person,
            role=role,
            link=await store.link(said.thread),
            settings=await store.settings(said.thread.room),
            in_thread=said.in_thread,
            opens_thread=said.opens_thread,
            message=said.message,
        )

    async def _meet(self, said: Said) -> None:
        """A stranger: paired with the right code, else told once, and nothing happens."""
        if await self._pair(said):
            log.info("person.paired", person=str(said.person))
            await self._say(said, say(PAIRED))
            return
        if not said.is_addressed:
            return
        text = STRANGER.format(person=_grant(said))
        await self._desk.posts.say(PostKey(f"stranger:{said.person}"), said.thread, Post(text))

    async def _pair(self, said: Said) -> bool:
        words = said.text.split()
        if len(words) != 2 or words[0] != "/start" or not said.is_direct:
            return False
        return await self._desk.store.pair(words[1], said.person, self._desk.clock.now())

    async def _say(self, event: ChatEvent, reply: Reply, kind: str = "reply") -> None:
        key = PostKey(f"{kind}:{event.cause}")
        await self._desk.posts.say(key, event.thread, reply.post)


def _is_command(text: str) -> bool:
    try:
        return commands.parse(text) is not None
    except BadAsk:
        return True


def _grant(said: Said) -> str:
    """As it would stand in the configuration."""
    tenant = f"{said.person.tenant}/" if said.person.tenant not in {"", said.thread.tenant} else ""
    return f"{said.person.platform}:{tenant}{said.person.id}"
