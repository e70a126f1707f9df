"""A long part of a post: its beginning in the chat, the whole as a file, and nothing lost where that is refused."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.files import BEGINNING, LONGEST, answer, beginning, bounded, file_of, in_brief, joined, shown
from core.model.chat import Button, File, Post, PostKey
from core.model.errors import ChatBusy, ChatError, FileRefused, SendUnknown
from core.posts import MOST_CHARACTERS
from tests.core.test_posts import Outbox
from tests.databases import sqlite_store
from tests.fakes.platform import FakePlatform

LONG = "\n\n".join(f"Paragraph {number}: " + "word " * 60 for number in range(60)).strip()
STOP = ((Button("Show diff", "/diff w1"),),)
POST = Post("✅ **Mend it**", STOP, file=File("answer.md", LONG), below="**2 files changed**\n\nPull request: #3")


@pytest.fixture
async def outbox(tmp_path: Path) -> AsyncIterator[Outbox]:
    async with sqlite_store(tmp_path) as store:
        box = Outbox(store)
        box.platform = FakePlatform(limit=4000)
        box.posts = box.made()
        await box.start()
        try:
            yield box
        finally:
            await box.stop()


async def said(outbox: Outbox, post: Post, key: str = "answer") -> None:
    await outbox.posts.say(PostKey(key), outbox.platform.thread, post)
    await outbox.quiet()


async def patiently(outbox: Outbox, post: Post) -> None:
    """However often it is put off."""
    await outbox.posts.say(PostKey("answer"), outbox.platform.thread, post)
    for _ in range(8):
        await asyncio.sleep(0.002)
        await outbox.clock.forward(61)
    await outbox.quiet()


def files(outbox: Outbox) -> list[File]:
    return [each.file for each in outbox.platform.posts if each.file is not None]


# --------------------------------------------------------------------------------------------- in words


def test_what_fits_is_said_in_words() -> None:
    assert joined(Post("head", file=File("answer.md", "said"), below="facts")).text == "head\n\nsaid\n\nfacts"
    assert joined(Post("", file=File("a.diff", "+x\n```\n"))).text == "````diff\n+x\n```\n````"
    assert joined(Post("only")) == Post("only")
    assert answer(" \n") is None


def test_a_brief_post_keeps_what_stands_around() -> None:
    text = in_brief(POST).text

    assert text.startswith("✅ **Mend it**\n\nParagraph 0: ")
    assert f"word\n\n…\n\n*The whole answer ({len(LONG):,} characters) is in the file below.*" in text
    assert text.endswith("**2 files changed**\n\nPull request: #3")
    assert len(text) < BEGINNING + 200
    assert in_brief(POST).buttons == STOP


def test_a_post_that_is_long_itself_is_a_message_in_a_file() -> None:
    post = Post(LONG, STOP)

    assert file_of(post) == File("message.md", LONG)
    assert in_brief(post).text.endswith(f"*The whole message ({len(LONG):,} characters) is in the file below.*")


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("```py\n" + "x = 1\n" * 900 + "```", "x = 1\n```\n\n…"),
        ("> ~~~~\n" + "> quoted\n" * 900, "> quoted\n> ~~~~\n\n…"),
        ("1. - ```\n" + "     listed\n" * 900, "     listed\n     ```\n\n…"),
        ("```\ncode\n```\n" + "word " * 900, "word\n\n…"),
        ("```py\n```py\n````\n" + "word " * 900, "word\n\n…"),
        ("x" * 9000, "x\n\n…"),
        ("word\n" * 900, "word\n\n…"),
        ("x" + "a\u0301" * 2000, "a\u0301\n\n…"),
        ("x" + "👨\u200d👩\u200d👧" * 2000, "👨\u200d👩\u200d👧\n\n…"),
    ],
)
def test_a_beginning_ends_where_it_can_be_read(text: str, end: str) -> None:
    assert beginning(text).endswith(end)
    assert text.startswith(beginning(text).removesuffix("\n\n…").rpartition("\n")[0])
    assert len(beginning(text)) < BEGINNING + 40
    assert beginning("short") == "short"


def test_what_has_no_end_is_cut_and_says_so() -> None:
    text = bounded("x" * (LONGEST + 1234))

    assert text.endswith("\n\n… 1,234 more characters are left out")
    assert bounded("short") == "short"
    assert "its first 2,000,000 characters are in the file below" in in_brief(Post("", file=File("a.diff", text))).text


def test_nothing_in_a_file_turns_or_hides_words() -> None:
    assert file_of(Post("", file=File("answer.md", "a\u202eb\x1b[1m👨\u200d💻"))).text == "ab👨\u200d💻"
    assert file_of(Post("", file=File("a.diff", "a\u202eb\r\n"))).text == "a<U+202E>b\r\n"


# ------------------------------------------------------------------------------------------ in a chat


async def test_four_messages_are_said_in_words(outbox: Outbox) -> None:
    await said(outbox, Post("head", file=File("answer.md", "x" * 15_900)))

    assert len(outbox.shown()) == 4
    assert files(outbox) == []


async def test_a_longer_answer_is_said_in_brief_and_sent_whole(outbox: Outbox) -> None:
    await said(outbox, POST)

    brief, whole = outbox.platform.posts
    assert brief.text == in_brief(POST).text
    assert brief.labels == ["Show diff"]
    assert (whole.key, whole.text, whole.file) == ("answer#file", "", File("answer.md", LONG))
    await said(outbox, POST)
    assert len(outbox.platform.posts) == 2


async def test_what_needs_no_asking_is_a_file_at_once(outbox: Outbox) -> None:
    outbox.platform._limit = 10**9

    await said(outbox, Post("x" * (MOST_CHARACTERS + 1)))

    assert [each.name for each in files(outbox)] == ["message.md"]


async def test_what_stands_around_a_file_may_be_long_too(outbox: Outbox) -> None:
    await said(outbox, Post("head", file=File("answer.md", LONG), below=LONG))

    [file] = files(outbox)
    assert file == File("message.md", f"head\n\n{LONG}\n\n{LONG}")
    assert len(outbox.shown()) == 2


async def test_a_platform_without_files_gets_all_of_it_in_words(outbox: Outbox) -> None:
    outbox.platform.takes_files = False

    await said(outbox, POST)

    assert "".join(outbox.shown()) == joined(POST).text


async def test_a_secret_is_in_no_file(outbox: Outbox) -> None:
    await said(outbox, Post("", file=File("answer.md", f"{LONG} hunter2"), below="hunter2"))

    assert files(outbox)[0].text.endswith("•••")
    assert outbox.shown()[0].endswith("•••")


async def test_a_file_comes_after_its_post_even_if_the_bot_dies_between(outbox: Outbox) -> None:
    outbox.platform.fail("post", ChatBusy("slow down", 60))
    await outbox.posts.say(PostKey("answer"), outbox.platform.thread, POST)
    await outbox.say("later", "later")
    for _ in range(4):
        await asyncio.sleep(0.002)
    await outbox.restart()
    await outbox.quiet(61)

    assert [each.key for each in outbox.platform.posts] == ["answer", "answer#file", "later"]


async def test_a_file_whose_receipt_was_lost_is_found(outbox: Outbox) -> None:
    outbox.platform.fail("post", SendUnknown("lost"), accepted=True)
    outbox.platform.fail("file", SendUnknown("lost"), accepted=True)

    await patiently(outbox, POST)

    assert [each.key for each in outbox.platform.posts] == ["answer", "answer#file"]


async def test_a_file_that_cannot_be_looked_up_is_sent_again_with_its_label(outbox: Outbox) -> None:
    outbox.platform.can_find = False
    outbox.platform.fail("file", SendUnknown("lost"), accepted=True)

    await patiently(outbox, POST)

    brief, first, again = outbox.platform.posts
    assert brief.text == in_brief(POST).text
    assert first.file == again.file == File("answer.md", LONG)
    assert (first.text, again.text[:2]) == ("", "♻️")


@pytest.mark.parametrize("is_restarted", [False, True])
async def test_a_file_that_is_refused_is_said_in_words(outbox: Outbox, *, is_restarted: bool) -> None:
    outbox.platform.fail("file", FileRefused("The app may not send files."))

    await said(outbox, POST)
    if is_restarted:
        await outbox.restart()
        await outbox.quiet(61)

    brief, lead, *rest = outbox.shown()
    assert brief == in_brief(POST).text
    head, _, begins = lead.partition("\n\n")
    assert head == "📎 `answer.md` could not be sent as a file. The app may not send files. Here it is in words:"
    assert "".join([begins, *rest]) == LONG
    assert files(outbox) == []


async def test_a_chat_that_takes_nothing_is_not_asked_again(outbox: Outbox) -> None:
    outbox.platform.fail("file", ChatError("The bot was removed from this chat."))

    await said(outbox, POST)

    assert outbox.shown() == [in_brief(POST).text]


async def test_words_shown_anew_hold_the_long_part(outbox: Outbox) -> None:
    await outbox.say("k", "wait")
    await outbox.quiet()

    await outbox.posts.show(PostKey("k"), Post("head", file=File("answer.md", "said")))
    await outbox.quiet(2)

    assert outbox.shown() == ["head\n\nsaid"]
    assert shown(File("x.txt", "a\n")) == "```txt\na\n```"
