"""Where a link leads, told when its words say something else."""

from __future__ import annotations

import pytest

from core.model.hosts import hidden_host

OTHER = [
    ("https://good.example", "https://evil.example/x"),
    ("good.example", "https://evil.example"),
    ("see good.example now", "https://evil.example"),
    ("www.good.example", "https://evil.example"),
    ("GOOD.example/path", "https://evil.example"),
    ("**good**.example", "https://evil.example"),
    ("good&#46;example", "https://evil.example"),
    ("good\uff0eexample", "https://evil.example"),
    ("me@good.example", "https://evil.example"),
    ("https://bun.sh", "https://evil.example"),
    ("good.example", "https://good.example.evil.example"),
    ("here", "https://good.example@evil.example"),
    ("good.example", "https://good.example@evil.example"),
]


@pytest.mark.parametrize(("words", "url"), OTHER)
def test_another_host_is_told(words: str, url: str) -> None:
    assert hidden_host(words, url).endswith("evil.example")


SAME = [
    ("here", "https://good.example"),
    ("good.example", "https://good.example/x?y"),
    ("https://www.good.example/", "https://good.example"),
    ("good.example.", "https://GOOD.example:8080"),
    ("src/app.py", "https://forge.example/app.py"),
    ("README.md and x.toml", "https://forge.example/"),
    ("v1.2.3", "https://forge.example/"),
    ("#17", "https://forge.example/17"),
    ("x.y()", "not an address"),
    ("good.example", "https://[bad"),
    ("good.example", "https://" + "\u0456" * 80 + ".example"),
]


@pytest.mark.parametrize(("words", "url"), SAME)
def test_what_is_said_or_names_no_host_is_left_alone(words: str, url: str) -> None:
    assert hidden_host(words, url) == ""


def test_letters_of_another_script_are_shown_for_what_they_are() -> None:
    assert hidden_host("g\u0456thub.com", "https://g\u0456thub.com/x") == "xn--gthub-n2e.com"
