"""Posts as Slack messages: within every limit, nothing lost, and nothing in them rings or hides."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.chat.slack import render, words
from adapters.chat.slack.manifest import manifest
from core.model.chat import Button, ButtonToken, Post, Style
from core.model.errors import ConfigError
from core.ports import CommandWord
from tests.adapters.slack.conftest import COMMANDS
from tests.fakes.slack import faults_of_blocks

LIVE = re.compile(
    r"<[@#][A-Z0-9]|<!(?:channel|here|everyone|group|subteam|date)\b"
    r"|<[a-z]+:[^<>\s]*\||@(?:channel|here|everyone)\b",
    re.IGNORECASE,
)
"""A mention, a ring, or a link that hides where it goes, to Slack. A `<@` without an id is two characters."""

HOSTILE = [
    "<!channel>",
    "<!here|here>",
    "<!everyone>",
    "<!subteam^S123|team>",
    "<!date^1^x|y>",
    "<@U123>",
    "<@W123|boss>",
    "<#C123|general>",
    "<https://evil.example|https://good.example>",
    "@channel @here @everyone @Channel",
    "\\<!channel>",
    "\\\\<!channel>",
    "`<!channel>`",
    "``<@U123>``",
    "```\n<!channel> <@U1> <#C1>\n```",
    "~~~\n<!here>\n~~~",
    "- ```\n  <!channel>\n  ```\n<!channel>",
    "> ```\n> <!channel>\n> ```\n> <!channel>",
    "<\u200b!channel>",
    "<\u2060@U123>",
    "@\u200bchannel",
    "<!chan\u202enel>",
    "\x1b[31m<!channel>\x1b[0m",
    "<\x1b[0m!channel>",
    "<<!channel>>",
    "<!\x00channel>",
    "[x](<!channel>)",
    "```<!channel>```",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_an_agent_writes_rings(text: str) -> None:
    shown = render.message(Post(text), "name")

    assert not LIVE.search(shown["blocks"][0]["text"])
    assert not LIVE.search(shown["text"])
    assert not LIVE.search(render.plain_message(Post(text))["text"])


@given(st.text(alphabet="<>!@#`~|\\ \n\u200b\u2060\x1b[chanelU1hre:/", max_size=60))
@settings(max_examples=500)
def test_no_mixture_of_marks_rings(text: str) -> None:
    shown = words.defuse(text)

    assert not LIVE.search(shown)
    assert words.defuse(shown) == shown


SAFE = {
    "a < b and a &lt; b": "a &lt; b and a &lt; b",
    "> quote": "> quote",
    "`a < b`": "`a < b`",
    "```py\nif a < b: pass\n```": "```py\nif a < b: pass\n```",
    "<https://example.org/a?b=1&c=2>": "https://example.org/a?b=1&c=2",
    "[x](https://example.org/?a=1&b=2)": "[x](https://example.org/?a=1&b=2)",
    "<!-- note -->": "&lt;!-- note -->",
    "```html\n<!DOCTYPE html><!-- x -->\n```": "```html\n<!DOCTYPE html><!-- x -->\n```",
    "\\<b>": "&lt;b>",
    "\x1b[1mbold\x1b[0m\r\n\u202eevil\u202c": "bold\nevil",
    "👨\u200d💻 ok\u200d": "👨\u200d💻 ok",
    "mail@example.org @alice": "mail@example.org @alice",
}


@pytest.mark.parametrize("text", SAFE)
def test_what_is_harmless_stays_readable(text: str) -> None:
    assert words.defuse(text) == SAFE[text]


PLAIN = {
    "# Done\n**yes** `x` [#1](https://e.org/1)": "Done\nyes x #1 https://e.org/1",
    "[https://e.org](https://e.org)": "https://e.org",
    "```py\nx < 1 & 2\n```": "x &lt; 1 &amp; 2",
    "": "(no text)",
    "\u200b": "(no text)",
}


@pytest.mark.parametrize("text", PLAIN)
def test_the_words_for_a_notification(text: str) -> None:
    shown = render.message(Post(text), "name")

    assert shown["text"] == PLAIN[text]
    assert len(render.message(Post("x" * 9_000), "name")["text"]) == render.FALLBACK_CHARACTERS
    assert faults_of_blocks(shown["blocks"]) == []


# ---------------------------------------------------------------------------------------------- pieces


def test_a_short_post_is_one_message() -> None:
    post = Post("hello", ((Button("Go"),),))

    assert render.split(post) == [post]


def test_a_long_post_is_split_at_paragraphs_and_numbered() -> None:
    paragraphs = [f"Paragraph {number}. " + "word " * 300 for number in range(20)]
    post = Post("\n\n".join(paragraphs), ((Button("Go", token=ButtonToken("t")),),), silent=True)

    pieces = render.split(post)

    assert len(pieces) > 2
    assert [piece.buttons for piece in pieces[:-1]] == [()] * (len(pieces) - 1)
    assert pieces[-1].buttons == post.buttons
    assert all(piece.silent for piece in pieces)
    for number, piece in enumerate(pieces, 1):
        assert piece.text.endswith(f"\n\n({number}/{len(pieces)})")
        assert piece.text.startswith("Paragraph")


def test_a_fence_that_is_cut_is_opened_again() -> None:
    code = "\n".join(f"line {number} = {number}" for number in range(2_000))
    pieces = render.split(Post(f"See:\n\n```python\n{code}\n```\n\nThat is all."))

    assert len(pieces) > 2
    for piece in pieces:
        assert piece.text.count("```") == 2
    assert all(piece.text.startswith("```python\n") for piece in pieces[1:])


@pytest.mark.parametrize("lead", ["> ", ">> ", ""])
def test_a_fence_in_a_quote_is_closed_in_its_quote(lead: str) -> None:
    code = "\n".join(f"{lead}{line}" for line in ["```py", *[f"line {number}" for number in range(3_000)], "```"])
    pieces = render.split(Post(f"See:\n\n{code}\n\nThat is all."))

    assert len(pieces) > 2
    for piece in pieces[:-1]:
        assert f"\n{lead}```\n\n(" in piece.text
    assert all(piece.text.startswith(f"{lead}```py\n{lead}line") for piece in pieces[1:])


def test_code_in_a_list_is_cut_at_the_margin() -> None:
    code = "\n".join(f"     line {number}" for number in range(2_000))
    pieces = render.split(Post(f"1. - step\n\n     ```py\n{code}\n     ```\n2. next"))

    assert all(piece.text.startswith("```py\nline") for piece in pieces[1:])
    assert "\n```\n2. next" in pieces[-1].text


TEXTS = st.lists(
    st.sampled_from(
        [
            "a" * 3_000,
            "word " * 900,
            "\n",
            "\n\n",
            "```py\n",
            "```\n",
            "~~~~\n",
            "<" * 700,
            "é👩🏽\u200d💻" * 300,
            "> q\n",
            "`" * 40,
            "@here ",
            "| a | b |\n",
            "- item\n" * 200,
            "````\n",
        ]
    ),
    max_size=24,
).map("".join)


@given(TEXTS)
@settings(max_examples=150, deadline=None)
def test_every_piece_fits_and_nothing_is_lost(text: str) -> None:
    pieces = render.split(Post(text))

    for piece in pieces:
        shown = render.message(piece, "name")["blocks"][0]["text"]
        assert render._size(shown) <= render.MESSAGE_CHARACTERS
        assert shown != render.EMPTY or not piece.text.strip()
    marks = re.compile(r"\n\n\(\d+/\d+\)$")
    joined = "\n".join(marks.sub("", piece.text) if len(pieces) > 1 else piece.text for piece in pieces)
    fence_lines = re.compile(r"^[`~>\s]*(?:py)?\s*$", re.MULTILINE)
    assert squeezed(fence_lines.sub("", joined)) == squeezed(fence_lines.sub("", text))


def squeezed(text: str) -> str:
    return re.sub(r"[\s`~]", "", text)


def test_a_character_is_never_cut() -> None:
    family = "👩🏽\u200d💻"
    pieces = render.split(Post(family * 4_000))

    for piece in pieces:
        assert piece.text.split("\n")[0].replace(family, "") == ""


def test_a_post_that_nobody_split_is_cut() -> None:
    shown = render.message(Post("```\n" + "x\n" * 20_000 + "```"), "name")["blocks"][0]["text"]

    assert shown.endswith("\n```\n…")
    assert len(shown) <= render.MESSAGE_CHARACTERS


# --------------------------------------------------------------------------------------------- buttons


def test_buttons_keep_to_the_limits() -> None:
    rows = tuple(tuple(Button("x" * 200, token=ButtonToken(f"{y}-{x}")) for x in range(30)) for y in range(60))
    blocks = render.message(Post("", rows), "n" * 300)["blocks"]

    assert faults_of_blocks(blocks) == []
    assert len(blocks) <= 50


def test_a_button_of_each_kind() -> None:
    row = (
        Button("Go", token=ButtonToken("t"), style=Style.PRIMARY),
        Button("Stop", token=ButtonToken("u"), style=Style.DANGER),
        Button("", url="https://e.org"),
    )
    [_, actions] = render.message(Post("x", (row,)), "name")["blocks"]
    go, stop, link = actions["elements"]

    assert (go["style"], go["value"], go["action_id"]) == ("primary", "t", "t")
    assert stop["style"] == "danger"
    assert (link["url"], link["text"]["text"], "value" in link, "style" in link) == ("https://e.org", "·", False, False)


# -------------------------------------------------------------------------------------------- manifest


def test_the_manifest_of_socket_mode_is_complete_without_an_address() -> None:
    made = manifest(COMMANDS, "socket")

    assert made["settings"]["socket_mode_enabled"] is True
    assert made["settings"]["interactivity"] == {"is_enabled": True}
    assert {"app_mention", "message.im", "message.channels", "agent_session_stopped"} <= set(
        made["settings"]["event_subscriptions"]["bot_events"]
    )
    assert {"chat:write", "app_mentions:read", "commands", "reactions:write", "channels:history"} <= set(
        made["oauth_config"]["scopes"]["bot"]
    )
    [slash] = made["features"]["slash_commands"]
    assert (slash["command"], slash["usage_hint"]) == ("/patchbay", "help | execute")
    assert len(made["features"]["agent_view"]["agent_description"]) <= 300
    assert len(made["features"]["agent_view"]["suggested_prompts"]) <= 4
    assert made["features"]["app_home"]["messages_tab_read_only_enabled"] is False


def test_the_manifest_for_http_names_one_address_three_times() -> None:
    made = manifest(COMMANDS, "http", "https://bot.example/")

    address = "https://bot.example/slack/events"
    assert made["settings"]["event_subscriptions"]["request_url"] == address
    assert made["settings"]["interactivity"]["request_url"] == address
    assert made["features"]["slash_commands"][0]["url"] == address
    assert made["settings"]["socket_mode_enabled"] is False


def test_http_without_a_public_address_is_refused() -> None:
    with pytest.raises(ConfigError, match="https"):
        manifest(COMMANDS, "http", "http://localhost:8080")


def test_a_very_long_list_of_commands_is_cut() -> None:
    words_ = [CommandWord("w" * 30, "", "") for _ in range(50)]

    assert len(manifest(words_)["features"]["slash_commands"][0]["usage_hint"]) <= 1000
