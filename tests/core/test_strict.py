"""What is JSON, and what only Python takes for it."""

from __future__ import annotations

import pytest

from core.model.strict import strict_json


def test_json_is_read_from_bytes_and_from_text() -> None:
    assert strict_json('{"a": [1, null, "é\\ud83e\\uddf5"]}'.encode()) == {"a": [1, None, "é🧵"]}
    assert strict_json("[]") == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff",
        b'"\xed\xa0\x80"',
        '{"a": 1}'.encode("utf-16"),
        b"\xef\xbb\xbf{}",
        b"NaN",
        b"[-Infinity]",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"1" * 5_000,
        b"{}{}",
        b"{'a': 1}",
    ],
)
def test_what_only_looks_like_it_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError):
        strict_json(body)
