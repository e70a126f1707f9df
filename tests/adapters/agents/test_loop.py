"""The built-in loop over a scripted model, on all three APIs: what it does, what it tells, how it ends."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta

import pytest

from adapters.agents import loop
from core.model.errors import AgentCapped, AgentError, AgentLimit, AgentUnready
from core.model.events import ActionEnded, AgentEvent, PlanShown, TextSaid, TurnEnd, UsageSeen
from tests.adapters.agents.conftest import Looping
from tests.adapters.agents.turns import Notes, nobody_asked
from tests.fakes.llm import Fault, Reply, Status, ToolUse, Use, Words

READS_ARGUMENTS = pytest.mark.parametrize("looping", ["anthropic", "openai"], indirect=True)
"""Ollama's server reads the arguments itself: there they are garbage in the stream."""
SHOWS_HEADERS = pytest.mark.parametrize("looping", ["anthropic", "openai"], indirect=True)
"""Ollama's package does not show the headers of an answer."""


async def test_it_edits_runs_a_command_and_answers(looping: Looping) -> None:
    (looping.folder / "app.py").write_text("x = 1\n")
    looping.llm.script(
        [
            Reply("I will mend it.", (ToolUse("edit", {"path": "app.py", "old": "x = 1", "new": "x = 2"}),)),
            Use("bash", command="cat app.py"),
            Words("**Done**: `x` is 2."),
        ]
    )

    result = await looping.take(looping.turn("Make x 2."))

    assert result.answer == "**Done**: `x` is 2."
    assert result.end is TurnEnd.DONE
    assert result.model == "scripted"
    assert looping.results() == ["x = 2\n"]
    assert looping.notes.titles == ["edit app.py", "cat app.py"]
    assert looping.notes.said == "I will mend it.\n\n**Done**: `x` is 2."
    assert looping.llm.left == 0


async def test_what_it_may_use_and_who_it_is_goes_with_every_request(looping: Looping) -> None:
    looping.llm.script([Words("Fertig.")])

    await looping.take(looping.turn("Hallo", language="German", model="other"))

    body = looping.llm.requests[0].body
    assert body["model"] == "other"
    assert "German" in json.dumps(body)
    assert looping.prompt() == "Hallo"
    tools = [each.get("name") or each["function"]["name"] for each in body["tools"]]
    assert tools == ["bash", "read", "edit", "plan", "ask_user"]
    assert not {"anyOf", "oneOf", "$ref"} & set(json.dumps(body["tools"]).split('"'))


async def test_tokens_are_counted_over_the_turn(looping: Looping) -> None:
    looping.llm.script(
        [Use("bash", command="true"), Words("Done.", input_tokens=250, output_tokens=30)],
    )

    result = await looping.take()

    seen = [each.usage.input_tokens for each in looping.notes.events if isinstance(each, UsageSeen)]
    assert seen == [100, 350]
    assert (result.usage.input_tokens, result.usage.output_tokens) == (350, 40)
    assert result.usage.cost is None


async def test_parallel_calls_are_all_answered_in_order(looping: Looping) -> None:
    looping.llm.script(
        [
            Reply(
                uses=(
                    ToolUse("bash", {"command": "echo one"}),
                    ToolUse("bash", {"command": "echo two >&2; exit 3"}),
                    ToolUse("read", {"path": "missing.txt"}),
                )
            ),
            Words("Done."),
        ]
    )

    await looping.take()

    one, two, three = looping.results()
    assert one == "one\n"
    assert "two\n" in two
    assert "[exit 3]" in two
    assert "No such file" in three
    assert [(each.ok, each.exit_code) for each in looping.notes.ends] == [(True, 0), (False, 3), (False, None)]
    assert looping.notes.are_paired


async def test_a_plan_is_shown(looping: Looping) -> None:
    looping.llm.script(
        [Use("plan", entries=[{"text": "look", "done": True}, {"text": "mend", "done": False}]), Words("Done.")]
    )

    await looping.take()

    assert PlanShown((("look", True), ("mend", False))) in looping.notes.events


async def test_a_question_ends_the_turn_and_the_answer_is_the_next(looping: Looping) -> None:
    looping.llm.script(
        [
            Reply(
                "Two ways are open.",
                (
                    ToolUse("ask_user", {"question": "Which colour?", "options": ["red", "blue"]}),
                    ToolUse("bash", {"command": "echo also"}),
                ),
            ),
            Words("Red it is."),
        ]
    )
    first = looping.turn("Paint it.")

    asked = await looping.take(first)
    answered = await looping.take(looping.turn("red", session=asked.session))

    assert asked.end is TurnEnd.ASKED
    assert (asked.question, asked.options) == ("Which colour?", ("red", "blue"))
    assert asked.answer == "Two ways are open."
    assert asked.session == first.run
    assert answered.answer == "Red it is."
    assert looping.prompt() == "red"
    assert "also" in json.dumps(looping.llm.requests[-1].body)


@pytest.mark.parametrize(
    "use",
    [
        ToolUse("bash", {}),
        ToolUse("bash", {"command": 7}),
        ToolUse("bash", {"command": "a\0b"}),
        ToolUse("bash", {"command": "true", "seconds": "soon"}),
        ToolUse("bash", {"command": "x" * 200_000}),
        ToolUse("plan", {"entries": "none"}),
        ToolUse("plan", {"entries": [{"done": True}]}),
        ToolUse("ask_user", {"question": "Which?", "options": [1]}),
        ToolUse("edit", {"path": "a", "old": "", "new": "\ud800"}),
        ToolUse("no_such_tool", {}),
    ],
)
async def test_a_wrong_call_is_told_to_the_model(looping: Looping, use: ToolUse) -> None:
    looping.llm.script([Reply(uses=(use,)), Words("Then not.")])

    result = await looping.take()

    assert result.answer == "Then not."
    (told,) = looping.results()
    assert told
    assert looping.notes.are_paired
    assert all(not each.ok for each in looping.notes.ends)


@READS_ARGUMENTS
@pytest.mark.parametrize("raw", ['{"command": "ec', "[1]", "nonsense", '"text"'])
async def test_arguments_that_are_no_json_object_are_told_to_the_model(looping: Looping, raw: str) -> None:
    looping.llm.script([Reply(uses=(ToolUse("bash", raw=raw),)), Words("Then not.")])

    result = await looping.take()

    assert result.answer == "Then not."
    assert "not a whole JSON object" in looping.results()[0]


async def test_the_middle_of_a_long_output_is_left_out(looping: Looping) -> None:
    looping.llm.script([Use("bash", command="seq 1 2000000"), Words("Done.")])

    await looping.take()

    (told,) = looping.results()
    assert told.startswith("1\n2\n3\n")
    assert told.endswith("1999999\n2000000\n")
    assert "left out" in told
    assert len(told) < 12_100


async def test_a_command_that_takes_too_long_is_ended_and_the_model_goes_on(looping: Looping) -> None:
    looping.llm.script([Use("bash", command="echo begun; sleep 60", seconds=1), Words("It hung.")])

    result = await looping.take()

    assert result.answer == "It hung."
    assert "begun" in looping.results()[0]
    assert "ended after 1 s" in looping.results()[0]
    assert [(each.ok, each.exit_code) for each in looping.notes.ends] == [(False, None)]


@pytest.mark.parametrize("fault", [Fault.TRUNCATED, Fault.MALFORMED, Fault.DISCONNECT, Status(529), Status(500)])
async def test_a_reply_that_fails_is_tried_again(looping: Looping, fault: Fault | Status) -> None:
    looping.llm.script([fault, fault, Words("The whole answer.")])

    result = await looping.take()

    assert result.answer == "The whole answer."
    assert looping.clock.slept == [0.5, 1.0]
    assert "half of" not in json.dumps(looping.llm.requests[-1].body)


@pytest.mark.parametrize("fault", [Fault.TRUNCATED, Fault.MALFORMED, Fault.DISCONNECT, Status(529), Status(429)])
async def test_a_reply_that_never_succeeds_is_an_error_never_an_answer(looping: Looping, fault: Fault | Status) -> None:
    looping.llm.always = fault

    with pytest.raises(AgentError, match=r"sam: the model could not be reached .* 6 times"):
        await looping.take()

    assert looping.clock.slept == list(loop.BACK_OFF_SECONDS)


@pytest.mark.parametrize("looping", ["ollama"], indirect=True)
async def test_garbage_is_tried_again(looping: Looping) -> None:
    looping.llm.script([Reply(uses=(ToolUse("bash", raw='{"command"'),)), Words("Then so.")])

    assert (await looping.take()).answer == "Then so."
    assert looping.clock.slept == [0.5]


async def test_a_server_that_is_not_there_is_an_error(looping: Looping, unused_tcp_port: int) -> None:
    agent = looping.agent(base_url=f"http://127.0.0.1:{unused_tcp_port}")

    with pytest.raises(AgentError, match="could not be reached"):
        await agent.take_turn(looping.turn(), looping.notes, nobody_asked)


@SHOWS_HEADERS
async def test_a_pause_that_the_provider_asks_for_is_kept(looping: Looping) -> None:
    looping.llm.script([Status(429, retry_after="7"), Words("Done.")])

    await looping.take()

    assert looping.clock.slept == [7.0]


@SHOWS_HEADERS
async def test_a_long_pause_is_a_cap_that_resets_then(looping: Looping) -> None:
    looping.llm.script([Status(429, retry_after="3600")])

    with pytest.raises(AgentCapped, match="sam: the provider's usage cap is reached") as caught:
        await looping.take()

    assert caught.value.resets_at == looping.clock.now() + timedelta(hours=1)
    assert looping.clock.slept == []


async def test_a_cap_that_says_when_it_resets_is_a_cap_until_then(looping: Looping) -> None:
    looping.llm.script([Status(429, "You've reached your weekly usage limit. Try again in 2 days 3 hours.")])

    with pytest.raises(AgentCapped, match="weekly usage limit") as caught:
        await looping.take()

    assert caught.value.resets_at == looping.clock.now() + timedelta(days=2, hours=3)


async def test_a_cap_that_resets_in_a_moment_is_waited_out(looping: Looping) -> None:
    looping.llm.script([Status(429, "usage limit reached, try again in 20s"), Words("Done.")])

    assert (await looping.take()).answer == "Done."
    assert looping.clock.slept == [20.0]


@SHOWS_HEADERS
async def test_what_is_used_up_says_in_the_headers_when_it_resets(looping: Looping) -> None:
    reset = looping.clock.now() + timedelta(hours=2)
    name = "anthropic-ratelimit-tokens-{}" if looping.api == "anthropic" else "x-ratelimit-{}-tokens"
    headers = {name.format("remaining"): "0", name.format("reset"): reset.isoformat()}
    looping.llm.script([Status(429, headers=headers)])

    with pytest.raises(AgentCapped) as caught:
        await looping.take()

    assert caught.value.resets_at == reset


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_names_the_setting(looping: Looping, status: int) -> None:
    looping.llm.script([Status(status, f"bad key {looping.key}")])

    with pytest.raises(AgentUnready, match=r"agents\.sam\.api_key") as caught:
        await looping.take()

    assert looping.key not in str(caught.value)


async def test_an_unknown_model_is_named(looping: Looping) -> None:
    looping.llm.script([Status(404, "model not found")])

    with pytest.raises(AgentError, match="scripted"):
        await looping.take()


@pytest.mark.parametrize(
    "refusal",
    [
        Status(402, "pay first"),
        Status(429, "insufficient_quota: you exceeded your current quota"),
        Status(400, "Your credit balance is too low"),
        Status(400, "You have reached your specified API usage limits."),
    ],
)
async def test_a_usage_cap_is_a_limit_that_is_named(looping: Looping, refusal: Status) -> None:
    looping.llm.script([refusal])

    with pytest.raises(AgentLimit, match="usage cap"):
        await looping.take()

    assert looping.clock.slept == []


async def test_a_request_that_is_refused_says_why(looping: Looping) -> None:
    looping.llm.script([Status(400, "no such luck")])

    with pytest.raises(AgentError, match=r"HTTP 400\): no such luck"):
        await looping.take()


async def test_a_cut_answer_is_gone_on_with(looping: Looping) -> None:
    looping.llm.script([Words("The first half, ", is_cut=True), Words("and the second.")])

    result = await looping.take()

    assert result.answer == "The first half, and the second."
    assert looping.notes.said == result.answer
    assert looping.prompt() == loop.GO_ON


async def test_an_answer_that_never_ends_is_an_error(looping: Looping) -> None:
    looping.llm.always = Words("and so on ", is_cut=True)

    with pytest.raises(AgentError, match="never came to an end"):
        await looping.take()


async def test_a_model_that_says_nothing_is_asked_again(looping: Looping) -> None:
    looping.llm.script([Use("bash", command="true"), Words(""), Words("Done.")])

    result = await looping.take()

    assert result.answer == "Done."
    assert looping.prompt() == loop.SAY_SOMETHING


async def test_a_model_that_never_says_anything_is_an_error(looping: Looping) -> None:
    looping.llm.always = Words("")

    with pytest.raises(AgentError, match="said nothing"):
        await looping.take()


async def test_the_steps_of_a_turn_are_limited(looping: Looping) -> None:
    looping.limits = {"max_steps": 3}
    looping.llm.always = Use("bash", command="echo x >> count")

    with pytest.raises(AgentLimit, match="3 steps"):
        await looping.take()

    assert (looping.folder / "count").read_text() == "x\n" * 3
    assert len(looping.llm.requests) == 3


async def test_the_tokens_of_a_turn_are_limited(looping: Looping) -> None:
    looping.limits = {"max_tokens": 300}
    looping.llm.always = Use("bash", command="true")

    with pytest.raises(AgentLimit, match="330 tokens"):
        await looping.take()


async def test_the_seconds_of_a_turn_are_limited(looping: Looping) -> None:
    looping.limits = {"seconds": 1.5}
    looping.llm.script([Fault.HANG])

    with pytest.raises(AgentLimit, match=r"1\.5 s"):
        await looping.take()


async def test_a_timeout_that_is_not_ours_is_not_called_a_limit(looping: Looping) -> None:
    class Late(Notes):
        def __call__(self, event: AgentEvent) -> None:
            raise TimeoutError("somebody else's")

    with pytest.raises(TimeoutError, match="somebody else's"):
        await looping.agent().take_turn(looping.turn(), Late(), nobody_asked)


async def test_a_stop_while_the_model_speaks_ends_at_once(looping: Looping) -> None:
    looping.llm.script([Words("Hello."), Fault.HANG])
    first = await looping.take()
    working = asyncio.create_task(looping.take(looping.turn("more", session=first.session)))
    async with asyncio.timeout(10):
        while len(looping.llm.requests) < 2:  # noqa: ASYNC110 - the fake has no event for it
            await asyncio.sleep(0.01)

    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    looping.llm.script([Words("Still here.")])
    assert (await looping.take(looping.turn("and now?", session=first.session))).answer == "Still here."
    assert "Hello." in json.dumps(looping.llm.requests[-1].body)


async def test_a_talk_that_grew_too_long_is_shortened_once(looping: Looping) -> None:
    old = [Use("bash", command=f"printf 'fact {number} '; printf '%01000d' 0") for number in range(6)]
    looping.llm.script([*old, Status(400, "prompt is too long: 9 tokens > 8 maximum"), Words("Done.")])

    result = await looping.take()

    assert result.answer == "Done."
    sent = json.dumps(looping.llm.requests[-1].body)
    assert "fact 0" in sent
    assert sent.count("0" * 1000) == 3
    assert sent.count("left out, for room") == 3


async def test_a_talk_that_cannot_be_shortened_says_so(looping: Looping) -> None:
    looping.llm.script([Status(400, "maximum context length is 8 tokens")])

    with pytest.raises(AgentLimit, match="/new"):
        await looping.take()


def test_nothing_of_a_provider_is_imported_before_the_first_turn() -> None:
    import subprocess  # noqa: PLC0415 - only this test asks another interpreter
    import sys  # noqa: PLC0415

    program = (
        "import sys, adapters.agents.anthropic, adapters.agents.openai, adapters.agents.ollama\n"
        "print([each for each in ('anthropic', 'openai', 'ollama', 'genai_prices', 'httpx', 'httpx2')"
        " if each in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ended.stdout == "[]\n"


async def test_events_are_told_as_they_happen(looping: Looping) -> None:
    looping.llm.script([Use("bash", command="true"), Words("All is done.")])

    await looping.take()

    kinds = [type(each).__name__ for each in looping.notes.events]
    texts = [each for each in looping.notes.events if isinstance(each, TextSaid)]
    assert kinds[:4] == ["SessionNamed", "UsageSeen", "ActionBegan", "ActionEnded"]
    assert len(texts) > 1
    assert looping.notes.ends[0] == ActionEnded(looping.notes.ends[0].id, ok=True, exit_code=0)
