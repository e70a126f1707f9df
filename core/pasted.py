"""A secret that somebody pastes in a chat: it is masked before anything is stored, deleted there, and told in private.

What a delivery holds is looked through before its commit. Every secret in it, live or of a known shape, is replaced by
a mask of the same length, so that positions in the text stay right; whoever reads the delivery later, from memory or
from the database, sees the mask. Only the value of `/secret set NAME VALUE` is kept, sealed, in the same transaction,
under the delivery's own name; the command moves it to the person, and what no command has moved is dropped.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import structlog

from core.model.chat import ChatEvent, Delivery, Post, PostKey, Said, ThreadRef
from core.model.errors import BotError, ChatError, NotSupported
from core.model.forge import PullNews
from core.model.secrets import PASTED, Cleaned, SecretRef
from core.ports import Deleting, Find, Reaching, Secrets, Source
from core.posts import Posts

log = structlog.get_logger()

LEAST = 6
"""Characters; what is shorter is no secret, and could not be kept out of what is said."""

SET = re.compile(r"(?is)\s*(?:(?:<@\w+>|@\w+)[:,]?\s*)?/?secret(?:@\w+)?\s+set\s+(\S+)\s+(\S.*?)\s*")
MASK = re.compile(r"⟪·*⟫")

DELETED = "I deleted your message: it held what looks like a secret. "
LEFT = "Your message held what looks like a secret, and I cannot delete it here: **delete it yourself**. "
NOT_KEPT = (
    "I have not kept it, and no agent has seen it. Whoever was in that chat may have read it, so **make a new one "
    "where it came from**. To have me keep one, say `/secret set NAME <value>` here, in private."
)
KEPT = (
    "What you gave me to keep stands in `/secret list`. If others were in that chat they may have read it: make a new "
    "one where it came from, and give me that, in private."
)


class Pastes:
    def __init__(self, secrets: Secrets, find: Find, platforms: Mapping[str, object], posts: Posts) -> None:
        self._secrets, self._find, self._platforms, self._posts = secrets, find, platforms, posts

    async def clean(self, source: Source, delivery: Delivery, event: ChatEvent | PullNews) -> Cleaned:
        value = value_in(event.text) if isinstance(event, Said) else ""
        raw = masked(delivery.raw, self._find, value)
        if raw is delivery.raw:
            return Cleaned(delivery)
        cleaned = Delivery(delivery.platform, delivery.id, raw)
        log.info("secret.masked", platform=source.name, cause=event.cause)
        if len(value) < LEAST or MASK.fullmatch(value):
            return Cleaned(cleaned)
        return Cleaned(cleaned, await self._secrets.seal(SecretRef(PASTED, str(event.cause)), value))

    async def heard(self, said: Said) -> None:
        """Somebody of ours pasted one. Deleting is best effort; the words are in the outbox, once for each message."""
        words = (DELETED if await self._delete(said) else LEFT) + (KEPT if value_in(said.text) else NOT_KEPT)
        thread = await self._alone(said)
        await self._posts.say(PostKey(f"pasted:{said.cause}"), thread, Post(f"🔒 {words}"))

    async def done(self, said: Said) -> None:
        """What no command has taken is dropped."""
        await self._secrets.forget(SecretRef(PASTED, str(said.cause)))

    async def _delete(self, said: Said) -> bool:
        """True also where nobody else has seen it, so that nothing is there to delete."""
        if not said.message:
            return True
        platform = self._platforms.get(said.thread.platform)
        if not isinstance(platform, Deleting):
            return False
        try:
            await platform.delete(said.thread, said.message)
        except (ChatError, NotSupported) as error:
            log.info("secret.not_deleted", platform=said.thread.platform, reason=str(error))
            return False
        return True

    async def _alone(self, said: Said) -> ThreadRef:
        """With the person alone; where that cannot be, in the thread: the words tell nothing."""
        if said.is_direct:
            return said.thread
        platform = self._platforms.get(said.thread.platform)
        try:
            return await platform.direct(said.person.id) if isinstance(platform, Reaching) else said.thread
        except BotError as error:
            log.info("secret.untold_in_private", person=str(said.person), reason=str(error))
            return said.thread


def has_mask(text: str) -> bool:
    return MASK.search(text) is not None


def value_in(text: str) -> str:
    """What `/secret set NAME` is followed by; empty: it is not that."""
    found = SET.fullmatch(text)
    return found[2] if found else ""


def masked(raw: bytes, find: Find, value: str = "") -> bytes:
    """Pure. The same bytes where nothing is found. What is no JSON is looked through as it is."""
    try:
        tree = json.loads(raw)
    except (ValueError, RecursionError):
        return _plain(raw, find)
    words = list(_strings(tree))
    found = {each for each in (value, *(secret for text in words for secret in find(text))) if len(each) >= LEAST}
    found |= {html.escape(each, quote=False) for each in found}
    ordered = sorted(found, key=lambda each: (-len(each), each))
    cleaned = _clean(tree, ordered)
    return raw if cleaned == tree else json.dumps(cleaned, separators=(",", ":"), sort_keys=True).encode()


def _plain(raw: bytes, find: Find) -> bytes:
    text = raw.decode("utf-8", "replace")
    found = [each for each in find(text) if len(each) >= LEAST]
    return _replaced(text, found).encode() if found else raw


def _strings(tree: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(tree, str):
        yield tree
    elif isinstance(tree, dict):
        for each in tree.values():
            yield from _strings(each)
    elif isinstance(tree, list):
        for each in tree:
            yield from _strings(each)


def _clean(tree: Any, found: list[str]) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(tree, str):
        return _replaced(tree, found)
    if isinstance(tree, dict):
        return {key: _clean(each, found) for key, each in tree.items()}
    return [_clean(each, found) for each in tree] if isinstance(tree, list) else tree


def _replaced(text: str, found: list[str]) -> str:
    """The value of a command goes wherever it stands behind it, also one that is too short to be looked for."""
    for secret in found:
        text = text.replace(secret, _mask(secret))
    command = SET.fullmatch(text)
    if command is None or MASK.fullmatch(command[2]):
        return text
    return text[: command.start(2)] + _mask(command[2]) + text[command.end(2) :]


def _mask(secret: str) -> str:
    """As long, in the UTF-16 units that platforms count."""
    return f"⟪{'·' * (len(secret.encode('utf-16-le', 'replace')) // 2 - 2)}⟫"
