"""Budgets: said once before they run out, then the run parks and asks; an admin may allow more, and silence is no."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from pathlib import Path

import pytest

from core.budgets.charged import Free
from core.budgets.rules import Amount, Rules
from core.budgets.words import count, dollars, spent_of
from core.model.chat import Person, ThreadRef
from core.model.errors import AgentError, OverBudget, StoreError
from core.model.events import TurnAsk, TurnResult
from core.model.spend import Account, Budget, BudgetKind, Door, Offer, Spent, Standing, Sums
from core.model.work import ProjectKey, RunId, RunState, Usage
from core.ports import Note
from core.runs.outcome import Outcome, OutcomeKind
from tests.whole import ADMIN, MEMBER, WholeBot, whole_bot

DOLLAR = 1_000_000
OWNER = Person("fake", "home", "owner", "Olga")
ALL_KINDS = list(BudgetKind)


@pytest.fixture
async def bot(tmp_path: Path) -> AsyncIterator[WholeBot]:
    async with whole_bot(tmp_path) as bot:
        await bot.linked()
        yield bot


def limit(bot: WholeBot, *kinds: BudgetKind, micros: int | None = DOLLAR, tokens: int | None = None) -> None:
    bot.rules = Rules({kind: Amount(micros, tokens) for kind in kinds})
    bot.budgets.rules = bot.rules


async def call(bot: WholeBot, micros: int | None, tokens: int = 10) -> None:
    """As the gateway does for a request of the turn that is at work."""
    hold = await bot.budgets.begin(bot.gateway.account, "m", Spent(1, 1, 1))
    await bot.budgets.end(hold, Spent(tokens, 0, micros))


def calling(bot: WholeBot, *each: int) -> Callable[[TurnAsk, Note], Awaitable[TurnResult]]:
    """A turn that makes these calls, of so many millionths of a dollar."""

    async def turn(ask: TurnAsk, note: Note) -> TurnResult:
        for micros in each:
            try:
                await call(bot, micros)
            except OverBudget as error:
                raise AgentError(f"HTTP 402: {error}") from error
        return TurnResult("It is done.")

    return turn


@pytest.mark.parametrize("kind", ALL_KINDS)
async def test_a_budget_that_is_used_up_parks_the_run_and_an_admin_lets_it_go_on(
    bot: WholeBot, kind: BudgetKind
) -> None:
    limit(bot, kind)
    bot.agent.script = [calling(bot, DOLLAR, 1), calling(bot, 1)]
    card = await bot.ask("Mend it")

    assert "is used up: $1.00 of $1.00" in card.text
    assert card.labels == ["Allow $0.50 more", "⏹ Stop"]
    assert (await bot.only_run()).state is RunState.WAITING
    assert "waits for an admin" in (await bot.platform.shown("Budget used up")).text

    await bot.platform.press("Allow $0.50 more", person=OWNER if kind is BudgetKind.ALL else ADMIN)
    await bot.quiet()

    assert [(turn.prompt, turn.is_retry) for turn in bot.agent.turns] == [("Mend it", False), ("Mend it", True)]
    assert (await bot.only_run()).state is RunState.COMPLETED
    assert any("allowed $0.50 more" in text for text in bot.platform.texts())


async def test_who_is_no_admin_cannot_allow_it(bot: WholeBot) -> None:
    limit(bot, BudgetKind.RUN)
    bot.agent.script = [calling(bot, DOLLAR, 1)]
    await bot.ask("Mend it")

    await bot.platform.press("Allow $0.50 more", person=MEMBER)
    await bot.quiet()

    assert (await bot.only_run()).state is RunState.WAITING
    assert len(bot.agent.turns) == 1
    (standing,) = await bot.budgets.standings(bot.gateway.account)
    assert standing.more_micros == 0


async def test_the_budget_of_the_whole_bot_is_for_its_owners(bot: WholeBot) -> None:
    limit(bot, BudgetKind.ALL)
    bot.agent.script = [calling(bot, DOLLAR, 1)]
    await bot.ask("Mend it")

    await bot.platform.press("Allow $0.50 more", person=ADMIN)
    await bot.quiet()

    assert "for its owners" in bot.platform.posts[-1].text
    assert (await bot.only_run()).state is RunState.WAITING


async def test_resuming_it_in_words_asks_again(bot: WholeBot) -> None:
    limit(bot, BudgetKind.RUN)
    bot.agent.script = [calling(bot, DOLLAR, 1), calling(bot, 1)]
    await bot.ask("Mend it")
    run = await bot.only_run()

    card = await bot.ask(f"/resume {run.id}", person=ADMIN)

    assert "is used up" in card.text
    assert (await bot.only_run()).state is RunState.WAITING


async def test_a_card_that_was_answered_allows_nothing_more(bot: WholeBot) -> None:
    limit(bot, BudgetKind.RUN)
    bot.agent.script = [calling(bot, DOLLAR, 1), calling(bot, DOLLAR, 1)]
    await bot.ask("Mend it")
    (standing,) = await bot.budgets.standings(bot.gateway.account)
    first = f"/allow_more {(await bot.only_run()).id} 1 500000 0 {standing.budget.name}"
    await bot.platform.press("Allow $0.50 more", person=ADMIN)
    await bot.quiet()

    answer = await bot.ask(first, person=ADMIN)

    assert "settled before" in answer.text
    assert (await bot.only_run()).state is RunState.WAITING


async def test_an_offer_is_enough_to_go_on_whatever_was_overspent(bot: WholeBot) -> None:
    limit(bot, BudgetKind.RUN)
    bot.agent.script = [calling(bot, 3 * DOLLAR, 1)]

    card = await bot.ask("Mend it")

    assert card.labels[0] == "Allow $2.50 more"


async def test_tokens_may_be_limited_as_well(bot: WholeBot) -> None:
    limit(bot, BudgetKind.CHAT, micros=None, tokens=10)
    bot.agent.script = [calling(bot, 5, 5)]

    card = await bot.ask("Mend it")

    assert "10 of 10 tokens" in card.text
    assert card.labels[0] == "Allow 5 tokens more"


async def test_silence_is_no(bot: WholeBot) -> None:
    limit(bot, BudgetKind.RUN)
    bot.agent.script = [calling(bot, DOLLAR, 1)]
    await bot.ask("Mend it")

    await bot.clock.forward(24 * 3600)
    await bot.quiet()

    assert (await bot.only_run()).state is RunState.CANCELLED
    assert any("Nobody answered for 24 hours" in text for text in bot.platform.texts())


async def test_stop_ends_it(bot: WholeBot) -> None:
    limit(bot, BudgetKind.RUN)
    bot.agent.script = [calling(bot, DOLLAR, 1)]
    await bot.ask("Mend it")

    await bot.platform.press("⏹ Stop")
    await bot.quiet()

    assert (await bot.only_run()).state is RunState.CANCELLED


async def test_what_is_said_meanwhile_comes_after_and_wakes_nobody(bot: WholeBot) -> None:
    limit(bot, BudgetKind.RUN)
    bot.agent.script = [calling(bot, DOLLAR, 1)]
    await bot.ask("Mend it")

    answer = await bot.ask("And the docs")
    assert "once an admin has allowed more" in answer.text
    assert len(bot.agent.turns) == 1
    await bot.restart()
    await bot.quiet()
    await bot.platform.press("Allow $0.50 more", person=ADMIN)
    await bot.quiet()

    assert [turn.prompt for turn in bot.agent.turns] == ["Mend it", "Mend it", "And the docs"]


async def test_it_is_said_once_before_it_runs_out(bot: WholeBot) -> None:
    limit(bot, BudgetKind.PROJECT)
    bot.agent.script = [calling(bot, 700_000, 100_000, 50_000, 50_000)]

    await bot.ask("Mend it")

    warnings = [text for text in bot.platform.texts() if "of the budget of project DEMO" in text]
    assert len(warnings) == 1
    assert "**80% of the budget" in warnings[0]
    assert "$0.80 of $1.00" in warnings[0]


async def test_a_turn_that_goes_on_well_after_a_refusal_is_not_parked(bot: WholeBot) -> None:
    """Another run's calls had filled it, and then somebody allowed more."""
    limit(bot, BudgetKind.RUN)

    async def turn(ask: TurnAsk, note: Note) -> TurnResult:
        await call(bot, DOLLAR)
        with pytest.raises(OverBudget):
            await call(bot, 1)
        (standing,) = await bot.budgets.standings(bot.gateway.account)
        await bot.budgets.allow("another question", Offer(standing.budget.name, DOLLAR, 0), "ada")
        await call(bot, 1)
        return TurnResult("Went on.")

    bot.agent.script = [turn]
    assert "Went on." in (await bot.ask("Mend it")).text


async def test_five_runs_at_once_overspend_by_no_more_than_the_one_call_that_was_let_through(bot: WholeBot) -> None:
    """Each holds what it may take before it asks; the others wait for what it really takes."""
    limit(bot, BudgetKind.ALL)
    where = ThreadRef("fake", "home", "room")
    accounts = [Account(RunId(f"r-{n}"), ProjectKey("DEMO"), MEMBER, where) for n in range(5)]
    under_way, most = 0, 0

    async def run(account: Account) -> int:
        nonlocal under_way, most
        made = 0
        while True:
            try:
                hold = await bot.budgets.begin(account, "m", Spent(10, 10, DOLLAR))
            except OverBudget:
                return made
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1
            made += 1
            await bot.budgets.end(hold, Spent(10, 10, 300_000))

    made = await asyncio.gather(*(run(each) for each in accounts))

    (standing,) = await bot.budgets.standings(accounts[0])
    assert (sum(made), most) == (4, 1)
    assert standing.spent.micros == 1_200_000


async def test_what_the_database_did_not_take_is_counted_later(bot: WholeBot, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(bot, BudgetKind.RUN)
    account = Account(RunId("r-1"), ProjectKey("DEMO"), MEMBER, ThreadRef("fake", "home", "room"))
    hold = await bot.budgets.begin(account, "m", Spent(1, 1, 5))

    async def down(*_: object) -> bool:
        raise StoreError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(bot.store, "settle_call", down)
        await bot.budgets.end(hold, Spent(1, 1, 77))
    hold = await bot.budgets.begin(account, "m", Spent(1, 1, 5))
    await bot.budgets.end(hold, Spent(1, 1, 23))

    (standing,) = await bot.budgets.standings(account)
    assert (standing.spent.micros, standing.spent.calls) == (100, 2)


async def test_who_goes_away_while_it_is_held_leaves_nothing_held(bot: WholeBot) -> None:
    """Else nobody would ever settle it, and whoever comes after would wait for that."""
    limit(bot, BudgetKind.RUN)
    account = Account(RunId("r-1"), ProjectKey("DEMO"), MEMBER, ThreadRef("fake", "home", "room"))
    going = asyncio.create_task(bot.budgets.begin(account, "m", Spent(1, 1, DOLLAR)))
    waiting = asyncio.create_task(bot.budgets.begin(account, "m", Spent(1, 1, DOLLAR)))
    await asyncio.sleep(0)
    going.cancel()
    with pytest.raises(asyncio.CancelledError):
        await going

    async with asyncio.timeout(30):
        hold = await waiting
    await bot.budgets.end(hold, Spent(1, 1, 10))

    (standing,) = await bot.budgets.standings(account)
    assert (standing.spent.micros, standing.held_micros) == (10, 0)


async def test_what_is_settled_late_may_fail_again(bot: WholeBot, monkeypatch: pytest.MonkeyPatch) -> None:
    account = Account(RunId("r-1"), ProjectKey("DEMO"), MEMBER, ThreadRef("fake", "home", "room"))
    hold = await bot.budgets.begin(account, "m", Spent(1, 1, 5))

    async def down(*_: object) -> bool:
        raise StoreError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(bot.store, "settle_call", down)
        await bot.budgets.end(hold, Spent(1, 1, 77))
        with pytest.raises(StoreError):
            await bot.budgets.begin(account, "m", Spent(1, 1, 5))
    await bot.budgets.end(await bot.budgets.begin(account, "m", Spent(1, 1, 5)), Spent())

    limit(bot, BudgetKind.RUN)
    (standing,) = await bot.budgets.standings(account)
    assert (standing.spent.micros, standing.spent.calls) == (77, 2)


async def test_a_warning_that_cannot_be_said_stops_nothing(bot: WholeBot, monkeypatch: pytest.MonkeyPatch) -> None:
    limit(bot, BudgetKind.RUN)
    account = Account(RunId("r-1"), ProjectKey("DEMO"), MEMBER, ThreadRef("fake", "home", "room"))
    hold = await bot.budgets.begin(account, "m", Spent(1, 1, 5))

    async def mute(*_: object) -> None:
        raise StoreError("The disk is full.")

    monkeypatch.setattr(bot.posts, "say", mute)
    await bot.budgets.end(hold, Spent(1, 1, 900_000))

    (standing,) = await bot.budgets.standings(account)
    assert standing.spent.micros == 900_000


async def test_a_call_that_a_crash_cut_counts_as_it_was_guessed(bot: WholeBot) -> None:
    account = Account(RunId("r-1"), ProjectKey("DEMO"), MEMBER, ThreadRef("fake", "home", "room"))
    limit(bot, BudgetKind.RUN)
    hold = await bot.budgets.begin(account, "m", Spent(1, 1, 5, is_estimate=True))

    await bot.restart()
    await bot.budgets.end(hold, Spent(1, 1, 900))

    (standing,) = await bot.budgets.standings(account)
    assert standing.spent == Sums(1, 1, 5, calls=1, estimated=1)


async def test_who_counts_nothing_lets_every_turn_through(bot: WholeBot) -> None:
    account = Account(RunId("r-1"), ProjectKey("DEMO"), MEMBER, ThreadRef("fake", "home", "room"))
    doors: list[Door | None] = []

    async def turn(door: Door | None) -> Outcome:
        doors.append(door)
        return Outcome(OutcomeKind.DONE)

    assert (await Free().take(account, "sam", turn)).kind is OutcomeKind.DONE
    assert doors == [None]


async def test_each_turn_is_charged_to_who_asked_for_it(bot: WholeBot) -> None:
    await bot.ask("Mend it", person=MEMBER)
    await bot.ask("And the docs", person=ADMIN)

    assert [each.person.id for each in bot.gateway.accounts] == [MEMBER.id, ADMIN.id]
    assert {each.project for each in bot.gateway.accounts} == {"DEMO"}
    assert [turn.door is not None for turn in bot.agent.turns] == [True, True]


async def test_budget_shows_how_things_stand(bot: WholeBot) -> None:
    limit(bot, BudgetKind.CHAT, micros=5 * DOLLAR)
    bot.agent.script = [calling(bot, 1_250_000)]
    await bot.ask("Mend it")

    member, owner = await bot.ask("/budget", person=MEMBER), await bot.ask("/budget", person=ADMIN)

    assert "This chat, today: $1.25 of $5.00 · 10 tokens" in member.text
    assert "DEMO, this month: $1.25 · 10 tokens" in member.text
    assert "All together" not in member.text
    assert "All together, this month: $1.25" in owner.text
    assert "You, today: $0.00" in owner.text
    assert "  - DEMO: $1.25" in owner.text


async def test_budget_shows_the_run_of_the_thread(bot: WholeBot) -> None:
    limit(bot, BudgetKind.RUN)
    bot.agent.script = [calling(bot, DOLLAR, 1)]
    await bot.ask("Mend it")

    assert "This run: $1.00 of $1.00" in (await bot.ask("/budget")).text


@pytest.mark.parametrize("words", ["/allow_more", "/allow_more r 1 x 0 run:r", "/allow_more r 1 5 0"])
async def test_what_no_button_says_allows_nothing(bot: WholeBot, words: str) -> None:
    assert "Press the button" in (await bot.ask(words, person=ADMIN)).text


def test_days_and_months_are_those_of_the_bot() -> None:
    account = Account(RunId("r"), ProjectKey("DEMO"), Person("fake", "home", "ada"), ThreadRef("fake", "home", "room"))
    rules = Rules({kind: Amount(1) for kind in BudgetKind})

    spans = {each.kind: (each.first, each.last) for each in rules.budgets(account, date(2026, 2, 14))}

    assert spans[BudgetKind.RUN] == (date.min, date.max)
    assert spans[BudgetKind.PERSON] == spans[BudgetKind.CHAT] == (date(2026, 2, 14), date(2026, 2, 14))
    assert spans[BudgetKind.PROJECT] == spans[BudgetKind.ALL] == (date(2026, 2, 1), date(2026, 2, 28))


def test_what_is_not_certain_is_said() -> None:
    budget = Budget(BudgetKind.ALL, "", date.min, date.max)
    sums = Sums(900_000, 100_000, 20_000, calls=4, estimated=1, unpriced=2)

    assert spent_of(Standing(budget, sums)) == "$0.0200 · 1.00M tokens (1 of 4 calls estimated, 2 of unknown price)"
    assert (dollars(0), dollars(1_234_567_890), count(999), count(12_345)) == ("$0.00", "$1,234.57", "999", "12.3k")
    assert sums.usage == Usage(900_000, 100_000, 0.02)
    assert Sums(1, 1, 0, calls=2, unpriced=2).usage == Usage(1, 1, None)
    assert Standing(budget).share == 0.0
    assert spent_of(Standing(budget)) == "$0.00"
    assert spent_of(Standing(budget, Sums(5, 5, calls=1))) == "10 tokens"


def test_a_hold_that_knows_no_price_counts_tokens() -> None:
    standing = Standing(Budget(BudgetKind.ALL, "", date.min, date.max, None, 10), held_tokens=10)

    assert standing.is_taken
    assert not standing.is_used_up
