"""The audit: a chain that is only added to."""

# ruff: noqa: RUF012 - the form that Tortoise writes and reads
from __future__ import annotations

from typing import Any

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from adapters.store.tables.columns import Moment, Words

_SQLITE = [
    f"CREATE TRIGGER audit_no_{act.lower()} BEFORE {act} ON audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit is only added to'); END"
    for act in ("UPDATE", "DELETE")
]
_REFUSE = """
CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'the audit is only added to'; END $$
"""
_NO_CHANGE = """
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()
"""
_POSTGRES = [_REFUSE, _NO_CHANGE]


async def _guard(_apps: object, editor: Any) -> None:  # noqa: ANN401 - the form that Tortoise calls
    for sql in _SQLITE if editor.client.capabilities.dialect == "sqlite" else _POSTGRES:
        await editor.client.execute_query(sql)


async def _unguard(_apps: object, editor: Any) -> None:  # noqa: ANN401 - the form that Tortoise calls
    if editor.client.capabilities.dialect == "sqlite":
        for act in ("update", "delete"):
            await editor.client.execute_query(f"DROP TRIGGER audit_no_{act}")
    else:
        await editor.client.execute_query("DROP FUNCTION audit_refuse() CASCADE")


class Migration(migrations.Migration):
    dependencies = [("patchbay", "0005_spend")]

    operations = [
        ops.CreateModel(
            name="AuditRow",
            fields=[
                ("seq", fields.BigIntField(generated=False, primary_key=True, unique=True, db_index=True)),
                ("at", Moment(generated=False, null=False, unique=False)),
                ("who", Words(generated=False, null=False, unique=False)),
                ("room", Words(generated=False, null=False, unique=False)),
                ("cause", Words(generated=False, null=False, unique=False)),
                ("what", Words(generated=False, null=False, unique=False)),
                ("target", Words(generated=False, null=False, unique=False)),
                ("result", Words(generated=False, null=False, unique=False)),
                ("prev", Words(generated=False, null=False, unique=False)),
                ("hash", Words(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "audit",
                "app": "patchbay",
                "indexes": [Index(fields=["room", "seq"], name="audit_room")],
                "pk_attr": "seq",
            },
            bases=["Model"],
        ),
        ops.RunPython(_guard, _unguard),
    ]
