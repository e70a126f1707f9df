"""“Did you mean …?”"""

from __future__ import annotations

from core.near import near


def test_the_closest_word_is_named_as_it_is_written() -> None:
    assert near("cluade", ["Claude", "codex"]) == "Did you mean `Claude`?"
    assert near("statsu", ["status"], before="/") == "Did you mean `/status`?"


def test_nothing_close_is_nothing() -> None:
    assert near("xyz", ["status"]) == ""
    assert near("status", []) == ""
