"""What models cost is counted once, and five at once find no more room than there is: on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
from datetime import date
from uuid import uuid4

from adapters.store import DatabaseStore
from core.model.chat import Person, ThreadRef
from core.model.spend import Account, Allowance, Budget, BudgetKind, CallId, Hold, Spent, Sums
from core.model.work import ProjectKey, RunId

DAY = date(2026, 3, 1)
ROOM = ThreadRef("fake", "home", "room")
GUESS = Spent(100, 50, 1_000, is_estimate=True)


def account(run: str = "r-1", *, project: str = "DEMO", person: str = "ada") -> Account:
    return Account(RunId(run), ProjectKey(project), Person("fake", "home", person), ROOM)


def hold(charged: Account | None = None, *, day: date = DAY, model: str = "m", guess: Spent = GUESS) -> Hold:
    return Hold(CallId(uuid4().hex), charged or account(), day, model, guess)


def budget(kind: BudgetKind = BudgetKind.RUN, subject: str = "r-1", **most: int) -> Budget:
    return Budget(kind, subject, date.min, date.max, **most)


async def test_what_a_call_took_is_counted_in_the_place_of_what_was_held(store: DatabaseStore) -> None:
    call = hold()
    await store.hold_call(call, [])
    (held,) = await store.standings([budget()])

    assert await store.settle_call(call.call, Spent(10, 5, 300))
    (spent,) = await store.standings([budget()])

    assert (held.spent, held.held_micros, held.held_tokens) == (Sums(), 1_000, 150)
    assert (spent.spent, spent.held_micros) == (Sums(10, 5, 300, calls=1), 0)


async def test_it_is_settled_once(store: DatabaseStore) -> None:
    call = hold()
    await store.hold_call(call, [])

    settled = [await store.settle_call(call.call, Spent(10, 5, 300)) for _ in range(3)]

    assert settled == [True, False, False]
    assert (await store.standings([budget()]))[0].spent.calls == 1


async def test_what_a_crash_left_counts_as_it_was_guessed_and_once(store: DatabaseStore) -> None:
    """Between the answer and its settling: a settling that comes after all changes nothing."""
    priced, unpriced = hold(), hold(guess=Spent(7, 3, None))
    await store.hold_call(priced, [])
    await store.hold_call(unpriced, [])

    counts = [await store.settle_left_calls() for _ in range(2)]

    assert counts == [2, 0]
    assert not await store.settle_call(priced.call, Spent(1_000, 1_000, 1_000_000))
    (standing,) = await store.standings([budget()])
    assert standing.spent == Sums(107, 53, 1_000, calls=2, estimated=2, unpriced=1)


async def test_calls_of_one_run_day_and_model_are_one_sum(store: DatabaseStore) -> None:
    for model, day in (("m", DAY), ("m", DAY), ("n", DAY), ("m", date(2026, 3, 2))):
        call = hold(model=model, day=day)
        await store.hold_call(call, [])
        await store.settle_call(call.call, Spent(1, 1, 10))

    of_day = Budget(BudgetKind.CHAT, str(ROOM.room), DAY, DAY)
    assert [each.spent.calls for each in await store.standings([budget(), of_day])] == [4, 3]


async def test_each_kind_of_budget_sees_its_own(store: DatabaseStore) -> None:
    for charged in (account(), account("r-2", person="bob"), account("r-3", project="OTHER")):
        call = hold(charged)
        await store.hold_call(call, [])
        await store.settle_call(call.call, Spent(1, 1, 10))
    wanted = {
        BudgetKind.RUN: "r-1",
        BudgetKind.PERSON: str(account().person),
        BudgetKind.CHAT: str(ROOM.room),
        BudgetKind.PROJECT: "DEMO",
        BudgetKind.ALL: "",
    }

    standings = await store.standings([budget(kind, subject) for kind, subject in wanted.items()])

    assert [each.spent.calls for each in standings] == [1, 2, 3, 2, 3]
    assert await store.spenders("project", DAY, DAY, 5) == [("DEMO", 20, 4), ("OTHER", 10, 2)]
    assert await store.spenders("person", DAY, DAY, 1) == [(str(account().person), 20, 4)]
    assert await store.spenders("room", date(2026, 3, 2), date(2026, 3, 2), 5) == []


async def test_of_five_at_once_one_finds_room(store: DatabaseStore) -> None:
    """None of them is settled, so what they may take counts."""
    small = budget(BudgetKind.ALL, "", micros=900)

    tried = await asyncio.gather(*(store.hold_call(hold(account(f"r-{n}")), [small]) for n in range(5)))

    assert [standings[0].is_taken for standings in tried].count(False) == 1
    assert (await store.standings([small]))[0].held_micros == 1_000


async def test_without_the_hold_all_five_find_room(store: DatabaseStore) -> None:
    """The negative control: who only looks, and counts afterwards, overspends five times."""
    small = budget(BudgetKind.ALL, "", micros=900)

    looked = await asyncio.gather(*(store.standings([small]) for _ in range(5)))

    assert [standings[0].is_taken for standings in looked] == [False] * 5


async def test_an_allowance_counts_once(store: DatabaseStore) -> None:
    small = budget(tokens=10, micros=10)
    more = Allowance("budget:r-1:1", small.name, 500, 20, "fake:home/root")

    allowed = [await store.allow_spend(more) for _ in range(2)]

    assert allowed == [True, False]
    (standing,) = await store.standings([small])
    assert (standing.micros, standing.tokens) == (510, 30)
