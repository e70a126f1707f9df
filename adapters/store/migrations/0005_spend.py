"""What models cost: sums, calls that are under way, and what was allowed beyond a budget."""

# ruff: noqa: RUF012 - the form that Tortoise writes and reads
from __future__ import annotations

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from adapters.store.tables.columns import Words


class Migration(migrations.Migration):
    dependencies = [("patchbay", "0004_approvals")]

    operations = [
        ops.CreateModel(
            name="AllowanceRow",
            fields=[
                ("key", Words(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("budget", Words(generated=False, null=False, unique=False)),
                ("micros", fields.BigIntField()),
                ("tokens", fields.BigIntField()),
                ("allowed_by", Words(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "spend_allowances",
                "app": "patchbay",
                "indexes": [Index(fields=["budget"], name="spend_allowances_budget")],
                "pk_attr": "key",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="HoldRow",
            fields=[
                ("call", Words(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("run", Words(generated=False, null=False, unique=False)),
                ("day", Words(generated=False, null=False, unique=False)),
                ("model", Words(generated=False, null=False, unique=False)),
                ("project", Words(generated=False, null=False, unique=False)),
                ("person", Words(generated=False, null=False, unique=False)),
                ("room", Words(generated=False, null=False, unique=False)),
                ("input_tokens", fields.BigIntField()),
                ("output_tokens", fields.BigIntField()),
                ("micros", fields.BigIntField()),
                ("is_priced", fields.BooleanField()),
            ],
            options={"table": "spend_holds", "app": "patchbay", "pk_attr": "call"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SpendRow",
            fields=[
                ("seq", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("run", Words(generated=False, null=False, unique=False)),
                ("day", Words(generated=False, null=False, unique=False)),
                ("model", Words(generated=False, null=False, unique=False)),
                ("project", Words(generated=False, null=False, unique=False)),
                ("person", Words(generated=False, null=False, unique=False)),
                ("room", Words(generated=False, null=False, unique=False)),
                ("input_tokens", fields.BigIntField()),
                ("output_tokens", fields.BigIntField()),
                ("micros", fields.BigIntField()),
                ("calls", fields.BigIntField()),
                ("estimated", fields.BigIntField()),
                ("unpriced", fields.BigIntField()),
            ],
            options={
                "table": "spend",
                "app": "patchbay",
                "unique_together": (("run", "day", "model"),),
                "indexes": [Index(fields=["day"], name="spend_day")],
                "pk_attr": "seq",
            },
            bases=["Model"],
        ),
    ]
