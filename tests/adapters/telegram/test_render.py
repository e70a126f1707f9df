"""What an agent writes is shown as it meant it, Telegram's own parser accepts it, and it rings at nobody."""

from __future__ import annotations

import html
import json
import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.chat.telegram.literal import as_written
from adapters.chat.telegram.render import EMPTY, Mark, Rendered, cut, keyboard, message_fields, render, units
from core.model.chat import Button, ButtonToken, Post
from tests.adapters.spec import spec_examples

pytest.importorskip("tdjson", reason="tdjson has no wheel for this machine")
from tests.adapters.telegram import tdlib  # after the check


def test_telegram_accepts_every_commonmark_example() -> None:
    examples = spec_examples()
    refused = [trouble for source, _ in examples if (trouble := tdlib.refusal(render(source)))]

    assert len(examples) == 652
    assert refused == []


def test_no_words_of_a_commonmark_example_are_lost() -> None:
    """HTML is shown as written here, where the reference renders it: those examples are left to the test below."""
    lost = []
    for source, shown in spec_examples():
        if "<" in source:
            continue
        alone = re.sub(r'<img[^>]*alt="([^"]*)"[^>]*>', r" \1 ", shown)
        words = re.findall(r"[^\W\d]+", html.unescape(re.sub(r"<[^>]*>", " ", alone)))
        text = "".join(re.findall(r"[^\W\d]+", render(source).text))  # the numbers of a list are not in its HTML
        if "".join(words) not in text and words:
            lost.append((source, render(source).text))

    assert lost == []


SPANS = [
    ("**bold**", "bold", [Mark("bold", 0, 4)]),
    ("*it* and _it_", "it and it", [Mark("italic", 0, 2), Mark("italic", 7, 9)]),
    ("~~gone~~", "gone", [Mark("strikethrough", 0, 4)]),
    ("😀 **b**", "😀 b", [Mark("bold", 3, 4)]),
    ("`a < b`", "a < b", [Mark("code", 0, 5)]),
    ("```python\nx = 1\n```", "x = 1", [Mark("pre", 0, 5, language="python")]),
    ("```py title=x\nx\n```", "x", [Mark("pre", 0, 1)]),
    ("~~~\na\n\nb\n~~~", "a\n\nb", [Mark("pre", 0, 4)]),
    ("[site](https://example.com/a?b=1)", "site", [Mark("text_link", 0, 4, url="https://example.com/a?b=1")]),
    ("<https://example.com>", "https://example.com", [Mark("text_link", 0, 19, url="https://example.com")]),
    ("> quote", "quote", [Mark("blockquote", 0, 5)]),
    ("***both***", "both", [Mark("italic", 0, 4), Mark("bold", 0, 4)]),
    ("| a | b |\n|---|---|\n| 1 | 22 |", "a | b \n--+---\n1 | 22", [Mark("pre", 0, 20)]),
    ("# Title\ntext", "Title\ntext", [Mark("underline", 0, 5), Mark("bold", 0, 5)]),
    ("- a\n- b", "• a\n• b", []),
    ("3. a\n4. b", "3. a\n4. b", []),
    ("- [ ] a\n- [x] b", "☐ a\n☑ b", []),
    ("[file](src/app.py)", "file", []),
    ("[bad](http://[x) [bad](http://a b.c)", "bad [bad](http://a b.c)", []),
    ("[you](tg://user?id=1)", "you", []),
    ("<https://exam", "<https://exam", []),
    ("[a](http://a.b:0) [b](https://examp", "a [b](https://examp", []),
    ("[a](https://exa)", "a (https://exa)", []),
    (
        "😀 **[the app](http://localhost:3000/a_b)** `x` [b](http://host/x)",
        "😀 the app (http://localhost:3000/a_b) x b (http://host/x)",
        [Mark("bold", 3, 10), Mark("code", 39, 40)],
    ),
    ("<http://localhost:8000>", "http://localhost:8000", []),
    ("![e](tg://emoji?id=5368324170671202286)", "e", []),
    ("List<String> and <b>x</b>", "List<String> and <b>x</b>", []),
    ("<div>\nx\n</div>", "<div>\nx\n</div>", []),
    ("<!-- note -->", "<!-- note -->", []),
    ("a || b || c", "a || b || c", []),
    ("`a || b` || c", "a || b || c", [Mark("code", 0, 6)]),
    ("$HOME/$USER costs $5", "$HOME/$USER costs $5", []),
    (r"\$5 \|\| \<b>", "$5 || <b>", []),
    (r"\\$x$", r"\$x$", []),
    ("    indented $x$", "indented $x$", [Mark("pre", 0, 12)]),
    ("", EMPTY, []),
    (" \n\u200b", EMPTY, []),
    ("[a]: https://x.example", "[a]: https://x.example", []),
]


@pytest.mark.parametrize(("source", "text", "marks"), SPANS, ids=[each[0] for each in SPANS])
def test_spans(source: str, text: str, marks: list[Mark]) -> None:
    shown = render(source)

    assert (shown.text, sorted(shown.marks, key=repr)) == (text, sorted(marks, key=repr))
    assert tdlib.refusal(shown) == ""


def test_no_mention_rings() -> None:
    line = "@durov (@durov) **@durov** _@x_y_ @**durov** [@durov](https://e.example) x/@durov é@durov"
    source = f"{line}\n\n> @durov\n- @durov"
    shown = render(source)

    assert len(tdlib.mentions(source)) > 5
    assert tdlib.mentions(shown.text) == []
    assert shown.text.replace("\u2060", "").count("@durov") == 9


def test_marks_move_with_what_is_put_into_a_mention() -> None:
    shown = render("@**durov** **@durov** *x*")

    assert shown.text == "@\u2060durov @\u2060durov x"
    assert shown.marks == (Mark("bold", 2, 7), Mark("bold", 8, 15), Mark("italic", 16, 17))


def test_mentions_in_code_and_addresses_stay_as_they_are() -> None:
    assert render("`@app.route` x@example.com\n```\n@dataclass\n```").text == "@app.route x@example.com\n@dataclass"


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("@durov_ éß字😀.-/(1`*\n"), max_size=30))
@example("字@durov")
def test_no_text_rings(source: str) -> None:
    shown = render(source)
    code = [each for each in shown.marks if each.kind in {"code", "pre"}]
    outside = shown.text.encode("utf-16-le")
    for each in code:
        outside = (
            outside[: each.start * 2] + ("." * (each.end - each.start)).encode("utf-16-le") + outside[each.end * 2 :]
        )

    assert tdlib.mentions(outside.decode("utf-16-le")) == []


@settings(deadline=None)
@given(st.text(alphabet=st.characters(codec="utf-16") | st.sampled_from("*_`~<>|$[]()#\n-!@\\&"), max_size=120))
def test_whatever_is_written_is_accepted(source: str) -> None:
    assert tdlib.refusal(render(source)) == ""


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("<>|$\\ab/!-=\"' `\n#*~"), max_size=40))
def test_whatever_is_typed_stays_readable(source: str) -> None:
    """Everything but marks of Markdown is still there."""
    text = render(source).text
    for sign in "ab$":
        assert text.count(sign) >= source.count(sign) - _in_info_strings(source, sign)


def _in_info_strings(source: str, sign: str) -> int:
    """The words after an opening fence name the language, and are not shown."""
    return sum(line.count(sign) for line in source.split("\n") if re.search(r"(```|~~~)", line))


HOSTILE = (
    "\x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07x \u202eevil\u2066 z\u200bw\ufeff a\u200db \x00\x07\r\nok \ud800"
)


def test_terminal_codes_and_unseen_characters_are_gone() -> None:
    assert render(HOSTILE).text == "red x evil zw ab\nok \ufffd"
    assert render("👨\u200d💻 \u0645\u06cc\u200c\u062e\u0648").text == "👨\u200d💻 \u0645\u06cc\u200c\u062e\u0648"


def test_a_text_over_the_limit_ends_in_an_ellipsis() -> None:
    shown = render("**" + "😀" * 3000 + "**")

    assert shown.text == "😀" * 2047 + "…"
    assert units(shown.text) == 4095
    assert shown.marks == (Mark("bold", 0, 4095),)
    assert tdlib.refusal(shown) == ""


def test_formatting_over_the_limit_is_left_out() -> None:
    shown = render("**a** " * 150)

    assert len(shown.marks) == 100
    assert len(shown.text) == 299


CLUSTERS = ["é", "e\u0301\u0323", "👨\u200d👩\u200d👧", "👍🏽", "🇩🇪", "a", "\U0001f468", "字"]


@settings(deadline=None)
@given(st.lists(st.sampled_from(CLUSTERS), min_size=1, max_size=12), st.integers(1, 40))
def test_no_character_is_torn(clusters: list[str], limit: int) -> None:
    text = "".join(clusters)
    end = cut(text, limit)

    assert units(text[:end]) <= limit or end == 1
    whole = [sum(map(len, clusters[:count])) for count in range(len(clusters) + 1)]
    if limit >= 8:
        assert end in whole


def test_flags_are_cut_between_flags() -> None:
    flags = "🇩🇪🇫🇷🇮🇹"

    assert [cut(flags, limit) for limit in (4, 5, 6, 7, 8, 11)] == [2, 2, 2, 2, 4, 4]
    assert cut("x" + flags, 6) == 3


def test_fields_are_those_of_the_bot_api() -> None:
    fields = message_fields(Post("[a](https://example.com)\n```py\nx\n```"))

    assert fields["entities"] == [
        {"type": "text_link", "offset": 0, "length": 1, "url": "https://example.com"},
        {"type": "pre", "offset": 2, "length": 1, "language": "py"},
    ]


def test_keyboards() -> None:
    rows = [
        [Button(f"b{number}", token=ButtonToken(f"t{number}")) for number in range(10)],
        [Button("", token=ButtonToken("t")), Button("bad", url="javascript:1"), Button("none")],
        [Button("x" * 50, url="https://example.com"), Button("long", token=ButtonToken("t" * 65))],
        [],
    ]
    shown = json.loads(json.dumps(keyboard(rows)))["inline_keyboard"]

    assert [len(row) for row in shown] == [8, 2, 1, 1]
    assert shown[2] == [{"text": "…", "callback_data": "t"}]
    assert shown[3] == [{"text": "x" * 39 + "…", "url": "https://example.com"}]
    assert keyboard([[Button("none")]]) is None


def test_a_keyboard_has_at_most_a_hundred_buttons() -> None:
    shown = json.loads(json.dumps(keyboard([[Button("b", token=ButtonToken("t"))]] * 130)))

    assert sum(map(len, shown["inline_keyboard"])) == 100


def test_links_are_not_unfurled() -> None:
    assert message_fields(Post("https://example.com"))["link_preview_options"] == {"is_disabled": True}


def test_tangled_html_is_shown_as_typed() -> None:
    source = "<a " * 50 + "<b>" * 30 + "*x*"

    assert render(source).text.count("<") == 80

    source = "<div>\n```\n*x*\n```\n" * 20

    assert render(source) == Rendered(source.rstrip(), ())


def test_code_keeps_its_signs() -> None:
    source = "```sh\necho $HOME || exit <b>\n```"

    assert as_written(source) == source
    assert render(source) == Rendered("echo $HOME || exit <b>", (Mark("pre", 0, 23 - 1, language="sh"),))
