"""The vault: secrets, sealed."""

# ruff: noqa: RUF012 - the form that Tortoise writes and reads
from __future__ import annotations

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from adapters.store.tables.columns import Moment, Words


class Migration(migrations.Migration):
    dependencies = [("patchbay", "0002_people")]

    operations = [
        ops.CreateModel(
            name="SecretRow",
            fields=[
                ("seq", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("scope", Words(generated=False, null=False, unique=False)),
                ("name", Words(generated=False, null=False, unique=False)),
                ("words", Words(generated=False, null=False, unique=False)),
                ("key", Words(generated=False, null=False, unique=False)),
                ("made_at", Moment(generated=False, null=False, unique=False)),
                ("used_at", Moment(generated=False, null=True, unique=False)),
            ],
            options={"table": "secrets", "app": "patchbay", "unique_together": (("scope", "name"),), "pk_attr": "seq"},
            bases=["Model"],
        ),
    ]
