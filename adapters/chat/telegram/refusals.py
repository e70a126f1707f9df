"""What a refusal of the Bot API means for the one who posts: PTB's and the server's words to ours. Pure."""

from __future__ import annotations

import re

from adapters.chat.telegram.request import Held, NotSent, Refused, ReplyLost, Trouble
from core.model.errors import ChatBusy, ChatError, FileRefused, PostGone, SendFailed, SendUnknown

PATIENCE_SECONDS = 5.0
"""When the server asks to wait and does not say how long."""

UNKNOWN_FIELD = re.compile(r"Bad Request: (\w+) is not supported yet")
"""How a Bot API server that is older than a field refuses it."""

GONE = ("message to edit not found", "message can't be edited", "message_id_invalid", "message identifier is not")
FINAL = {
    "bot was blocked": "The bot was blocked by this person. They can unblock it in Telegram and write again.",
    "user is deactivated": "This Telegram account no longer exists.",
    "chat not found": "Telegram knows no such chat, or the bot was never in it. Write to the bot there first.",
    "thread not found": "The topic no longer exists. Use the command again in another topic.",
    "topic_closed": "The topic is closed. Reopen it, then use the command again.",
    "topic_deleted": "The topic no longer exists. Use the command again in another topic.",
    "not enough rights": "The bot may not write in this chat. Let an administrator allow it to send messages.",
    "have no rights": "The bot may not write in this chat. Let an administrator allow it to send messages.",
    "bot was kicked": "The bot was removed from this chat. Add it again.",
    "not a member": "The bot is not a member of this chat. Add it again.",
    "can't initiate conversation": "The bot may not write first. The person must start the chat with it.",
}
"""A part of Telegram's text, in lower case, and what it means for the people in the chat."""


def sending_error(error: Trouble) -> ChatError:
    """What `post` raises."""
    if isinstance(error, ReplyLost):
        return SendUnknown(f"Telegram did not answer ({error.message}); the message may or may not have arrived.")
    if isinstance(error, Held):
        return SendFailed(error.message)
    if isinstance(error, NotSent):
        return SendFailed(f"Telegram cannot be reached ({error.message}).")
    return _refusal(error)


def filing_error(error: Trouble) -> ChatError:
    """What `post` raises for a file. Where it is the file that is refused, words may still be said."""
    trouble = sending_error(error)
    if not isinstance(error, Refused) or not trouble.is_final or error.status == 401:
        return trouble
    words = error.description.lower()
    if any(part in words for part in FINAL) and not any(part in words for part in ("document", "docs")):
        return trouble
    return FileRefused(f"Telegram refuses the file: {error.description}.")


def editing_error(error: Trouble) -> ChatError:
    """What `edit` raises. An edit whose reply was lost may be sent again: it shows the same words."""
    if isinstance(error, ReplyLost):
        return SendFailed(f"Telegram did not answer ({error.message}).")
    if isinstance(error, Refused) and any(each in error.description.lower() for each in GONE):
        return PostGone("The message to edit is no longer there.")
    return sending_error(error)


def unreadable() -> ChatError:
    return SendUnknown("Telegram's answer names no message; it may or may not have arrived.")


def is_unchanged(error: Refused) -> bool:
    return error.status == 400 and "message is not modified" in error.description.lower()


def is_about_entities(error: Refused) -> bool:
    """The formatting was refused, the words were not."""
    return error.status == 400 and "entit" in error.description.lower()


def unknown_field(error: Refused) -> str | None:
    """The field that this server does not know."""
    match = UNKNOWN_FIELD.search(error.description)
    return match[1] if error.status == 400 and match else None


def new_chat(error: Refused) -> int | None:
    """The id of the supergroup that a group has become."""
    chat = error.parameters.get("migrate_to_chat_id")
    return chat if isinstance(chat, int) and not isinstance(chat, bool) else None


def connecting_error(method: str, error: Trouble, api_base: str) -> ChatError:
    """What `connect` raises."""
    if not isinstance(error, Refused):
        return ChatError(
            f"Telegram cannot be reached at {api_base} ({error.message}). Check the network and `telegram.api_base`.",
            is_final=False,
        )
    if error.status in {400, 403} and method == "setWebhook":
        return ChatError(f"Telegram refuses the webhook: {error.description}. Check `telegram.webhook_url`.")
    return _refusal(error)


def _refusal(error: Refused) -> ChatError:
    if error.status == 429 or error.retry_after is not None:
        seconds = PATIENCE_SECONDS if error.retry_after is None else error.retry_after
        return ChatBusy(f"Telegram asks to wait {seconds:g} s.", seconds)
    if error.status >= 500:
        return SendFailed(f"Telegram is in trouble ({error.status}: {error.description}).")
    if error.status in {401, 404}:
        return ChatError("Telegram does not accept the bot's token. Check `telegram.token`; @BotFather shows it.")
    words = error.description.lower()
    for part, meaning in FINAL.items():
        if part in words:
            return ChatError(meaning)
    return ChatError(f"Telegram refused the message: {error.description}")
