"""What people do in Slack arrives, committed, before Slack is told so: over Socket Mode and over HTTP."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Literal
from uuid import uuid4

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from adapters.chat.slack.platform import Slack
from adapters.chat.slack.receive import Intake, Signed
from core.model.chat import Button, ButtonToken, Halted, Post, PostKey, Pressed, Said, ThreadRef
from core.model.errors import ChatError, ConfigError
from tests.adapters.slack.conftest import COMMANDS, Inbox, config_for, listening, serving
from tests.fakes.slack import FakeSlack, Fault

Mode = Literal["socket", "http"]
MODES: tuple[Mode, ...] = ("socket", "http")


@asynccontextmanager
async def bot(slack: FakeSlack, mode: Mode, inbox: Inbox) -> AsyncIterator[Slack]:
    platform = Slack(config_for(slack, mode), COMMANDS)
    await platform.connect()
    async with listening(platform, inbox):
        if mode == "socket":
            yield platform
        else:
            async with serving(platform) as address:
                slack.events_url = address
                yield platform
    await platform.close()


@pytest.mark.parametrize("mode", MODES)
async def test_a_mention_that_comes_as_two_events_four_times_each_is_one_thing_said(
    slack: FakeSlack, mode: Mode
) -> None:
    inbox = Inbox()
    async with bot(slack, mode, inbox) as platform:
        ts = await slack.say("C1", "U1", "execute DEMO-1", times=4)

    assert len(inbox.taken) == 8
    assert len({each.id for each in inbox.taken}) == 2
    [said] = inbox.events(platform)
    assert isinstance(said, Said)
    assert said.text == "execute DEMO-1"
    assert said.is_addressed
    assert said.thread == ThreadRef("slack", slack.team, "C1", ts)
    assert said.message == ts


@pytest.mark.parametrize("mode", MODES)
async def test_a_slash_command_a_press_and_a_stop_arrive(slack: FakeSlack, mode: Mode) -> None:
    inbox = Inbox()
    async with bot(slack, mode, inbox) as platform:
        thread = ThreadRef("slack", slack.team, "C1", await slack.say("C1", "U1", "hi"))
        post = Post("Go?", ((Button("Yes", token=ButtonToken("tok-1")),),))
        ref = await platform.post(thread, post, PostKey("ask"))
        inbox.taken.clear()
        await slack.slash("C1", "U1", "execute DEMO-1")
        await slack.press(ref.id, "Yes", "U1", times=3)
        await slack.stop("C1", "U1", thread.root)

    command, press, halt = inbox.events(platform)
    assert isinstance(command, Said)
    assert (command.text, command.opens_thread, command.thread.root) == ("/execute DEMO-1", True, "")
    assert isinstance(press, Pressed)
    assert (press.token, press.post, press.thread) == ("tok-1", ref, thread)
    assert isinstance(halt, Halted)
    assert halt.thread == thread


async def test_both_ways_leave_the_same_bytes_in_the_inbox(slack: FakeSlack) -> None:
    body = slack.event({"type": "message", "channel": "C1", "user": "U1", "text": "é <&amp;>", "ts": "1.1"})
    raws = []
    for mode in MODES:
        inbox = Inbox()
        async with bot(slack, mode, inbox):
            assert await slack.deliver("events_api", body)
            raws.append(inbox.taken[0].raw)

    assert raws[0] == raws[1]


@pytest.mark.parametrize("mode", MODES)
async def test_what_the_store_could_not_take_is_not_acknowledged_and_comes_again(slack: FakeSlack, mode: Mode) -> None:
    inbox = Inbox(refuse=1)
    async with bot(slack, mode, inbox):
        body = slack.event({"type": "message", "channel": "C1", "user": "U1", "text": "hi", "ts": "1.1"})

        assert await slack.deliver("events_api", body)

    assert len(inbox.taken) == 1
    if mode == "http":
        assert slack.answers == [503, 200]


async def test_an_outage_of_the_socket_is_waited_out(slack: FakeSlack) -> None:
    inbox = Inbox()
    async with bot(slack, "socket", inbox):
        await slack.say("C1", "U1", "before")
        await slack.wait_for(lambda: len(slack.sockets) == 2)
        slack.plan("apps.connections.open", Fault("down"), Fault("error", "internal_error"), Fault("reset"))
        await slack.drop_sockets()
        await slack.say("C1", "U1", "after", mention=False)

    assert b"after" in inbox.taken[-1].raw


async def test_while_one_socket_is_renewed_the_other_one_serves(slack: FakeSlack) -> None:
    inbox = Inbox()
    async with bot(slack, "socket", inbox):
        await slack.wait_for(lambda: len(slack.sockets) == 2)
        slack.plan("apps.connections.open", Fault("slow", seconds=20.0))
        await slack.sockets[0].send_json({"type": "disconnect", "reason": "refresh_requested"})
        await slack.sockets[0].close()
        async with asyncio.timeout(15.0):
            await slack.say("C1", "U1", "in the gap", mention=False)

    assert b"in the gap" in inbox.taken[-1].raw


async def test_a_new_ts_with_the_same_client_msg_id_is_the_same_gesture(slack: FakeSlack) -> None:
    inbox = Inbox()
    async with bot(slack, "http", inbox) as platform:
        await slack.say("C1", "U1", "once", ts="1.1", client_msg_id="8a2c")
        await slack.say("C1", "U1", "once", ts="1.2", client_msg_id="8a2c")

    assert len(inbox.events(platform)) == 1


@pytest.mark.parametrize("first", ["message", "app_mention"])
async def test_two_events_of_which_only_one_has_the_client_msg_id_are_one_gesture(slack: FakeSlack, first: str) -> None:
    inbox = Inbox()
    event = {"channel": "C1", "user": "U1", "text": f"<@{slack.bot_user}> go", "ts": "1.1"}
    kinds = sorted(["message", "app_mention"], key=lambda kind: kind != first)
    async with bot(slack, "http", inbox) as platform:
        for kind in kinds:
            more = {"client_msg_id": "8a2c"} if kind == "message" else {}
            await slack.deliver("events_api", slack.event(event | {"type": kind} | more))

    assert len(inbox.taken) == 2
    assert len(inbox.events(platform)) == 1


# ------------------------------------------------------------------------------------------ connecting


async def test_connect_learns_who_we_are(platform: Slack, slack: FakeSlack) -> None:
    assert platform.tenant == slack.team


@pytest.mark.parametrize("slash", ["", "/", "//"])
async def test_the_api_base_may_end_in_a_slash_or_not(slack: FakeSlack, slash: str) -> None:
    platform = Slack(config_for(slack, api_base=slack.base.rstrip("/") + slash), COMMANDS)
    await platform.connect()
    await platform.close()

    assert [method for method, _ in slack.calls] == ["auth.test", "apps.connections.open"]


@pytest.mark.parametrize(("token", "said"), [("bot_token", "slack.bot_token"), ("app_token", "slack.app_token")])
async def test_a_wrong_token_is_named(slack: FakeSlack, token: str, said: str) -> None:
    platform = Slack(config_for(slack, "socket", **{token: "xoxb-wrong"}), COMMANDS)

    with pytest.raises(ChatError, match=said) as caught:
        await platform.connect()

    assert caught.value.is_final
    await platform.close()


async def test_an_address_where_nobody_answers_is_named() -> None:
    async with FakeSlack() as gone:
        config = config_for(gone)
    platform = Slack(config, COMMANDS)

    with pytest.raises(ChatError, match="cannot be reached at http://127") as caught:
        await platform.connect()

    assert not caught.value.is_final
    await platform.close()


@pytest.mark.parametrize(
    ("mode", "missing", "said"),
    [("http", "signing_secret", "signing_secret"), ("socket", "app_token", "app_token"), ("http", "bot_token", "bot_")],
)
async def test_what_a_mode_needs_is_asked_for_at_once(slack: FakeSlack, mode: Mode, missing: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Slack(config_for(slack, mode, **{missing: " "}), COMMANDS)


# ------------------------------------------------------------------------------------------------ http


def signed(slack: FakeSlack, body: bytes, **change: str) -> dict[str, str]:
    return slack.sign(body) | {key.replace("_", "-"): value for key, value in change.items()}


STAMP, SIGNATURE = "X_Slack_Request_Timestamp", "X_Slack_Signature"
MALFORMED = {
    "a word for a time": (b"{}", {STAMP: "abc"}),
    "a float for a time": (b"{}", {STAMP: "1e5"}),
    "a time of 5000 digits": (b"{}", {STAMP: "9" * 5000}),
    "a time of Arabic digits": (b"{}", {STAMP: "\u0661\u0662"}),
    "an old time": (b"{}", {STAMP: "1000000000"}),
    "no time": (b"{}", {STAMP: ""}),
    "no signature": (b"{}", {SIGNATURE: ""}),
    "a wrong signature": (b"{}", {SIGNATURE: "v0=" + "0" * 64}),
    "a signature that is not ASCII": (b"{}", {SIGNATURE: "v0=é"}),
    "a body that is not UTF-8": (b"\xff\xfe{}", {}),
}


@pytest.mark.parametrize("name", MALFORMED)
async def test_what_is_not_signed_well_is_401(slack: FakeSlack, name: str) -> None:
    body, change = MALFORMED[name]
    inbox = Inbox()
    async with bot(slack, "http", inbox) as platform:
        answer = await platform.receive(signed(slack, body, **change), body)

    assert answer.status == 401
    assert inbox.taken == []


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"payload=%7B", b"payload=1", b"{" * 100_000, b'{"a":' * 50_000])
async def test_what_is_signed_and_still_no_delivery_is_400(slack: FakeSlack, body: bytes) -> None:
    async with bot(slack, "http", Inbox()) as platform:
        answer = await platform.receive(signed(slack, body), body)

    assert answer.status == 400


async def test_the_address_is_verified_only_when_the_question_is_signed(slack: FakeSlack) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "c0ffee"}).encode()
    async with bot(slack, "http", Inbox()) as platform:
        good = await platform.receive(signed(slack, body), body)
        bad = await platform.receive({}, body)

    assert (good.status, good.body) == (200, b"c0ffee")
    assert bad.status == 401


async def test_before_anyone_listens_slack_is_asked_to_come_again(slack: FakeSlack) -> None:
    platform = Slack(config_for(slack, "http"), COMMANDS)

    assert (await platform.receive(signed(slack, b"{}"), b"{}")).status == 503
    assert platform.webhook_path == "/slack/events"


async def test_socket_mode_has_no_address(platform: Slack) -> None:
    assert platform.webhook_path == ""
    assert (await platform.receive({}, b"{}")).status == 503


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_no_change_of_a_signed_request_passes(data: st.DataObject) -> None:
    """One byte of the body, of the signature or of the time; and no change but is refused without an error."""
    secret, body = uuid4().hex, b'{"type":"event_callback","event_id":"Ev1"}'
    stamp = str(int(time.time()))
    digest = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    good = (stamp, f"v0={digest}", body.decode("latin1"))
    signed = Signed(secret)
    assert signed.is_from_slack({"x-slack-request-timestamp": good[0], "x-slack-signature": good[1]}, body)

    which = data.draw(st.integers(0, 2))
    at = data.draw(st.integers(0, len(good[which])))
    less = data.draw(st.integers(0, 3))
    changed = good[which][:at] + data.draw(st.text(max_size=4)) + good[which][at + less :]
    mutant = [changed if index == which else part for index, part in enumerate(good)]
    assume(mutant[which] != good[which])
    raw = mutant[2].encode("latin1", "replace")
    assume(raw != body or which != 2)

    assert not signed.is_from_slack({"X-Slack-Request-Timestamp": mutant[0], "X-Slack-Signature": mutant[1]}, raw)


async def test_a_form_that_only_checks_the_certificate_is_answered(slack: FakeSlack) -> None:
    body, inbox = b"ssl_check=1&token=x", Inbox()
    async with bot(slack, "http", inbox) as platform:
        assert (await platform.receive(signed(slack, body), body)).status == 200

    assert inbox.taken == []


def test_a_delivery_without_an_id_is_known_by_what_it_is() -> None:
    intake = Intake()
    act = {"container": {"channel_id": "C1", "message_ts": "1.1"}, "actions": [{"action_ts": "2.2"}]}

    assert intake.delivery({"type": "block_actions"} | act).id == "C1:1.1:2.2"
    assert intake.delivery({"type": "other"}).id == intake.delivery({"type": "other"}).id
    assert intake.delivery({"type": "other"}).id != intake.delivery({"type": "another"}).id
