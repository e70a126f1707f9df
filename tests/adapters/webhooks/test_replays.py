"""What was heard once is not heard again: after a restart neither, nor with another id, nor as somebody else's."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.chat.slack.receive import AHEAD_SECONDS, Signed
from tests.adapters.webhooks.bench import keys, life
from tests.adapters.webhooks.senders import Request, body_of, honest

SENDERS = ("telegram", "slack", "github")
TIMES = 20


def again(said: Request) -> Request:
    """The same body and signature, with other ids in the headers that nothing signs."""
    signed = [each for each in said.headers if "Delivery" not in each[0] and "Retry" not in each[0]]
    return replace(said, headers=[*signed, ("X-GitHub-Delivery", str(uuid4())), ("X-Slack-Retry-Num", "3")])


@pytest.mark.parametrize("name", SENDERS)
async def test_the_same_body_is_heard_once_over_two_lives(name: str, tmp_path: Path) -> None:
    async with keys() as made:
        said = honest(made.sender(name))
        async with life(made, tmp_path) as bench:
            first = await bench.bring_all([said, *(again(said) for _ in range(TIMES))])
            heard = len(bench.heard)
        async with life(made, tmp_path) as bench:
            second = await bench.bring_all([again(said) for _ in range(TIMES)])
            heard += len(bench.heard)

    assert set(first + second) == {202 if name == "github" else 200}, "it is acknowledged all the same"
    assert heard == 1


@pytest.mark.parametrize("name", SENDERS)
async def test_without_what_was_kept_it_would_be_heard_again(name: str, tmp_path: Path) -> None:
    async with keys() as made:
        said = honest(made.sender(name))
        for folder in ("one", "two"):
            async with life(made, tmp_path / folder) as bench:
                await bench.bring_all([said])
                assert len(bench.heard) == 1


async def test_a_message_of_slack_that_comes_under_both_its_names_is_heard_once_over_two_lives(tmp_path: Path) -> None:
    async with keys() as made:
        sender = made.slack_sender
        event = sender.event()
        mention = {**event, "event_id": "Ev" + uuid4().hex, "event": {**event["event"], "type": "app_mention"}}
        async with life(made, tmp_path) as bench:
            await bench.bring_all([honest(sender, body_of(event))])
            heard = len(bench.heard)
        async with life(made, tmp_path) as bench:
            await bench.bring_all([honest(sender, body_of(mention)), honest(sender, body_of(event))])
            heard += len(bench.heard)

    assert heard == 1


WINDOW = {-86_400: False, -301: False, -299: True, 0: True, AHEAD_SECONDS: True, AHEAD_SECONDS + 1: False, 299: False}


@pytest.mark.parametrize("age", WINDOW)
async def test_slack_is_believed_for_five_minutes_and_not_of_tomorrow(age: int) -> None:
    async with keys() as made:
        now, body = 1_790_000_000, b'{"type": "event_callback"}'
        headers = dict(made.slack_sender.prove(body, stamp=str(now + age)))

        assert Signed(made.slack_sender.secret, now=lambda: float(now)).is_from_slack(headers, body) is WINDOW[age]


async def test_what_is_replayed_after_five_minutes_is_refused(tmp_path: Path) -> None:
    async with keys() as made, life(made, tmp_path) as bench:
        body = body_of(made.slack_sender.event())
        old = made.slack_sender.prove(body, stamp=str(int(time.time()) - 301))

        assert await bench.bring_all([Request(made.slack_sender.path, old, body)]) == [401]
        assert bench.heard == []
