"""Questions about single acts, and what was allowed for good."""

# ruff: noqa: RUF012 - the form that Tortoise writes and reads
from __future__ import annotations

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from adapters.store.tables.columns import Moment, Words


class Migration(migrations.Migration):
    dependencies = [("patchbay", "0003_secrets")]

    operations = [
        ops.CreateModel(
            name="ApprovalRow",
            fields=[
                ("seq", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("approval", Words(unique=True, generated=False, null=False)),
                ("run", Words(generated=False, null=False, unique=False)),
                ("turn", fields.IntField()),
                ("digest", Words(generated=False, null=False, unique=False)),
                ("likeness", Words(generated=False, null=False, unique=False)),
                ("title", Words(generated=False, null=False, unique=False)),
                ("shown", Words(generated=False, null=False, unique=False)),
                ("requester", Words(generated=False, null=False, unique=False)),
                ("thread", Words(generated=False, null=False, unique=False)),
                ("room", Words(generated=False, null=False, unique=False)),
                ("project", Words(generated=False, null=False, unique=False)),
                ("asked_at", Moment(generated=False, null=False, unique=False)),
                ("until", Moment(generated=False, null=False, unique=False)),
                ("needs_second", fields.BooleanField()),
                ("life", Words(generated=False, null=False, unique=False)),
                ("asked", fields.IntField()),
                ("state", Words(generated=False, null=False, unique=False)),
                ("extent", Words(generated=False, null=False, unique=False)),
                ("first_by", Words(generated=False, null=False, unique=False)),
                ("decided_by", Words(generated=False, null=False, unique=False)),
                ("decided_at", Moment(null=True, generated=False, unique=False)),
                ("reason", Words(generated=False, null=False, unique=False)),
                ("reason_until", Moment(null=True, generated=False, unique=False)),
            ],
            options={
                "table": "approvals",
                "app": "patchbay",
                "indexes": [
                    Index(fields=["run"], name="approvals_run"),
                    Index(fields=["room", "state"], name="approvals_room"),
                    Index(fields=["state"], name="approvals_state"),
                ],
                "pk_attr": "seq",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="StandingRuleRow",
            fields=[
                ("seq", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("rule", Words(unique=True, generated=False, null=False)),
                ("room", Words(generated=False, null=False, unique=False)),
                ("project", Words(generated=False, null=False, unique=False)),
                ("likeness", Words(generated=False, null=False, unique=False)),
                ("title", Words(generated=False, null=False, unique=False)),
                ("given_by", Words(generated=False, null=False, unique=False)),
                ("at", Moment(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "standing_rules",
                "app": "patchbay",
                "unique_together": (("room", "project", "likeness"),),
                "pk_attr": "seq",
            },
            bases=["Model"],
        ),
    ]
