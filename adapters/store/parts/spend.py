"""What models cost. Whether there is room in a budget is asked, and taken, in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import date
from typing import Any

from adapters.store.database import Transaction, numbered
from adapters.store.parts.part import Part
from core.model.spend import Account, Allowance, Budget, BudgetKind, CallId, Hold, Spent, Standing, Sums

Ask = Callable[..., Awaitable[list[dict[str, Any]]]]
"""SQL with `?` and its values, inside a transaction or not."""


class SpendPart(Part):
    async def hold_call(self, hold: Hold, budgets: Sequence[Budget]) -> list[Standing]:
        async def job(tx: Transaction) -> list[Standing]:
            standings = [await _standing(tx.run, each) for each in budgets]
            if not any(each.is_taken for each in standings):
                guess = hold.guess
                figures = (guess.input_tokens, guess.output_tokens, guess.micros or 0, guess.micros is not None)
                await tx.run(_HOLD, hold.call, *_place(hold.account, hold.day, hold.model), *figures)
            return standings

        return await self._writer.write(job)

    async def settle_call(self, call: CallId, spent: Spent) -> bool:
        async def job(tx: Transaction) -> bool:
            rows = await tx.run(_END, call)
            for row in rows:
                await _add(tx, row, spent)
            return bool(rows)

        return await self._writer.write(job)

    async def settle_left_calls(self) -> int:
        async def job(tx: Transaction) -> int:
            rows = await tx.run(_END_ALL)
            for row in rows:
                micros = row["micros"] if row["is_priced"] else None
                await _add(tx, row, Spent(row["input_tokens"], row["output_tokens"], micros, is_estimate=True))
            return len(rows)

        return await self._writer.write(job)

    async def standings(self, budgets: Sequence[Budget]) -> list[Standing]:
        return [await _standing(self._query, each) for each in budgets]

    async def allow_spend(self, allowance: Allowance) -> bool:
        row = (allowance.key, allowance.budget, allowance.micros, allowance.tokens, allowance.by)

        async def job(tx: Transaction) -> bool:
            return bool(await tx.run(_ALLOW, *row))

        return await self._writer.write(job)

    async def spenders(self, column: str, first: date, last: date, limit: int) -> list[tuple[str, int, int]]:
        assert column in {"project", "person", "room"}
        rows = await self._query(_SPENDERS.format(column=column), str(first), str(last), limit)
        return [(row["name"], int(row["micros"]), int(row["tokens"])) for row in rows]

    async def _query(self, sql: str, *values: object) -> list[dict[str, Any]]:
        client = self._database.client
        statement = numbered(sql, client.capabilities.dialect)
        return await self._database.read(lambda: client.execute_query_dict(statement, list(values)))


def _place(account: Account, day: date, model: str) -> tuple[str, ...]:
    room = str(account.thread.room)
    return (account.run, str(day), model, account.project, str(account.person), room)


async def _standing(ask: Ask, budget: Budget) -> Standing:
    column = _COLUMNS[budget.kind]
    where = f"day BETWEEN ? AND ?{f' AND {column} = ?' if column else ''}"
    values = (str(budget.first), str(budget.last), *((budget.subject,) if column else ()))
    (spent,) = await ask(f"{_SPENT} WHERE {where}", *values)
    (held,) = await ask(f"{_HELD} WHERE {where}", *values)
    (more,) = await ask(_MORE, budget.name)
    sums = Sums(*(int(spent[name]) for name in _SUMS))
    return Standing(budget, sums, int(held["micros"]), int(held["tokens"]), int(more["micros"]), int(more["tokens"]))


async def _add(tx: Transaction, place: Mapping[str, Any], spent: Spent) -> None:
    keys = (place[name] for name in ("run", "day", "model", "project", "person", "room"))
    figures = (spent.input_tokens, spent.output_tokens, spent.micros or 0, 1, int(spent.is_estimate))
    await tx.run(_ADD, *keys, *figures, int(spent.micros is None))


_COLUMNS: Mapping[BudgetKind, str] = {
    BudgetKind.RUN: "run",
    BudgetKind.PERSON: "person",
    BudgetKind.CHAT: "room",
    BudgetKind.PROJECT: "project",
    BudgetKind.ALL: "",
}
_SUMS = ("input_tokens", "output_tokens", "micros", "calls", "estimated", "unpriced")
_SPENT = f"SELECT {', '.join(f'COALESCE(SUM({name}), 0) AS {name}' for name in _SUMS)} FROM spend"  # noqa: S608 - constants
_HELD = (
    "SELECT COALESCE(SUM(micros), 0) AS micros, COALESCE(SUM(input_tokens + output_tokens), 0) AS tokens"
    " FROM spend_holds"
)
_MORE = (
    "SELECT COALESCE(SUM(micros), 0) AS micros, COALESCE(SUM(tokens), 0) AS tokens"
    " FROM spend_allowances WHERE budget = ?"
)
_PLACE = "run, day, model, project, person, room"
_HOLD = (
    f"INSERT INTO spend_holds (call, {_PLACE}, input_tokens, output_tokens, micros, is_priced)"  # noqa: S608
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_END = "DELETE FROM spend_holds WHERE call = ? RETURNING *"
_END_ALL = "DELETE FROM spend_holds RETURNING *"
_MORE_OF_EACH = ", ".join(f"{each} = spend.{each} + excluded.{each}" for each in _SUMS)
_ADD = (
    f"INSERT INTO spend ({_PLACE}, {', '.join(_SUMS)}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
    f" ON CONFLICT (run, day, model) DO UPDATE SET {_MORE_OF_EACH}"
)
_ALLOW = (
    "INSERT INTO spend_allowances (key, budget, micros, tokens, allowed_by) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (key) DO NOTHING RETURNING key"
)
_SPENDERS = (
    "SELECT {column} AS name, SUM(micros) AS micros, SUM(input_tokens + output_tokens) AS tokens FROM spend"
    " WHERE day BETWEEN ? AND ? GROUP BY {column} ORDER BY SUM(micros) DESC, SUM(input_tokens + output_tokens) DESC"
    " LIMIT ?"
)
