"""The tables of what models cost: sums by run, day and model; calls that are under way; what was allowed beyond."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index

from adapters.store.tables.columns import Words
from adapters.store.tables.models import Row


# `day` is a date as text, in the time zone of the bot. Money in millionths of a US dollar.
class SpendRow(Row):
    seq = fields.BigIntField(primary_key=True)
    run = Words()
    day = Words()
    model = Words()
    project = Words()
    person = Words()
    room = Words()
    input_tokens = fields.BigIntField()
    output_tokens = fields.BigIntField()
    micros = fields.BigIntField()
    calls = fields.BigIntField()
    estimated = fields.BigIntField()
    unpriced = fields.BigIntField()

    class Meta:
        table = "spend"
        unique_together = (("run", "day", "model"),)
        indexes = (Index(fields=("day",), name="spend_day"),)


# A call that is under way, with what it may take. `is_priced` False: nobody knows its price.
class HoldRow(Row):
    call = Words(primary_key=True)
    run = Words()
    day = Words()
    model = Words()
    project = Words()
    person = Words()
    room = Words()
    input_tokens = fields.BigIntField()
    output_tokens = fields.BigIntField()
    micros = fields.BigIntField()
    is_priced = fields.BooleanField()

    class Meta:
        table = "spend_holds"


class AllowanceRow(Row):
    key = Words(primary_key=True)
    budget = Words()
    micros = fields.BigIntField()
    tokens = fields.BigIntField()
    allowed_by = Words()

    class Meta:
        table = "spend_allowances"
        indexes = (Index(fields=("budget",), name="spend_allowances_budget"),)
