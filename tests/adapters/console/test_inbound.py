"""Reading console deliveries."""

from __future__ import annotations

from adapters.chat.console import inbound
from core.model.chat import ButtonToken, Cause, PostRef, Pressed, Said


def test_a_line_is_said_by_the_owner_under_a_cause_made_from_its_delivery() -> None:
    said = inbound.read(inbound.delivery("j-1", "login", "ann", "/status").raw)

    assert isinstance(said, Said)
    assert said.cause == Cause("console:local:j-1")
    assert said.thread == inbound.thread("login")
    assert (said.person.id, said.person.name) == ("owner", "ann")
    assert said.in_thread
    assert said.is_direct


def test_the_main_thread_is_the_chat_itself() -> None:
    said = inbound.read(inbound.delivery("j-2", "", "ann", "hello").raw)

    assert isinstance(said, Said)
    assert said.thread.root == ""
    assert not said.in_thread


def test_a_token_is_a_press() -> None:
    event = inbound.read(inbound.delivery("j-3", "", "ann", "Stop", "t1", "j-2").raw)

    assert isinstance(event, Pressed)
    assert event.token == ButtonToken("t1")
    assert event.post == PostRef(inbound.thread(""), "j-2")


def test_what_no_database_takes_is_taken_out() -> None:
    said = inbound.read(inbound.delivery("j-4", "", "ann", "a\0b\ud800c").raw)

    assert isinstance(said, Said)
    assert said.text == "ab?c"


def test_an_empty_line_is_nothing() -> None:
    assert inbound.read(inbound.delivery("j-5", "", "ann", "  ").raw) is None
