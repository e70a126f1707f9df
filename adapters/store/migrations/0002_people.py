"""Grants of roles, codes that let people in, and chats that are approved. Owners are grants now."""

# ruff: noqa: RUF012 - the form that Tortoise writes and reads
from __future__ import annotations

from tortoise import fields, migrations
from tortoise.migrations import operations as ops

from adapters.store.tables.columns import Moment, Words


class Migration(migrations.Migration):
    dependencies = [("patchbay", "0001_initial")]

    operations = [
        ops.CreateModel(
            name="ChatRow",
            fields=[
                ("room", Words(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("standing", Words(generated=False, null=False, unique=False)),
                ("title", Words(generated=False, null=False, unique=False)),
                ("decided_by", Words(generated=False, null=False, unique=False)),
                ("at", Moment(generated=False, null=False, unique=False)),
            ],
            options={"table": "chats", "app": "patchbay", "pk_attr": "room"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="GrantRow",
            fields=[
                ("seq", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("who", Words(generated=False, null=False, unique=False)),
                ("scope", Words(generated=False, null=False, unique=False)),
                ("role", Words(generated=False, null=False, unique=False)),
                ("person", Words(generated=False, null=False, unique=False)),
                ("given_by", Words(generated=False, null=False, unique=False)),
                ("at", Moment(generated=False, null=False, unique=False)),
            ],
            options={"table": "grants", "app": "patchbay", "unique_together": (("who", "scope"),), "pk_attr": "seq"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="InviteRow",
            fields=[
                ("invite", Words(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("salt", Words(generated=False, null=False, unique=False)),
                ("code", Words(generated=False, null=False, unique=False)),
                ("role", Words(generated=False, null=False, unique=False)),
                ("maker", Words(generated=False, null=False, unique=False)),
                ("room", Words(generated=False, null=False, unique=False)),
                ("until", Moment(generated=False, null=False, unique=False)),
                ("state", Words(generated=False, null=False, unique=False)),
                ("person", Words(default="", generated=False, null=False, unique=False)),
                ("person_room", Words(default="", generated=False, null=False, unique=False)),
            ],
            options={"table": "invites", "app": "patchbay", "pk_attr": "invite"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TryRow",
            fields=[
                ("who", Words(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("since", Moment(generated=False, null=False, unique=False)),
                ("count", fields.IntField()),
            ],
            options={"table": "code_tries", "app": "patchbay", "pk_attr": "who"},
            bases=["Model"],
        ),
        ops.DeleteModel(name="OwnerRow"),
    ]
