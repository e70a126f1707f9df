"""The first tables."""

# ruff: noqa: RUF012 - the form that Tortoise writes and reads
from __future__ import annotations

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from adapters.store.tables.columns import Moment, Words


class Migration(migrations.Migration):
    initial = True

    operations = [
        ops.CreateModel(
            name="ButtonRow",
            fields=[
                ("token", Words(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("post", Words(generated=False, null=False, unique=False)),
                ("says", Words(generated=False, null=False, unique=False)),
                ("thread", Words(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "buttons",
                "app": "patchbay",
                "indexes": [Index(fields=["post"], name="buttons_post")],
                "pk_attr": "token",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ChangeRow",
            fields=[
                ("seq", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("run", Words(generated=False, null=False, unique=False)),
                ("state", Words(generated=False, null=False, unique=False)),
                ("at", Moment(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "run_changes",
                "app": "patchbay",
                "indexes": [Index(fields=["run"], name="run_changes_run")],
                "pk_attr": "seq",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="BeatRow",
            fields=[
                ("node", Words(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("at", Moment(generated=False, null=False, unique=False)),
            ],
            options={"table": "beats", "app": "patchbay", "pk_attr": "node"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="CursorRow",
            fields=[
                ("platform", Words(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("cursor", Words(generated=False, null=False, unique=False)),
            ],
            options={"table": "cursors", "app": "patchbay", "pk_attr": "platform"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="DigestRow",
            fields=[
                ("room", Words(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("thread", Words(generated=False, null=False, unique=False)),
                ("cron", Words(generated=False, null=False, unique=False)),
                ("zone", Words(generated=False, null=False, unique=False)),
                ("next_at", Moment(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "digests",
                "app": "patchbay",
                "indexes": [Index(fields=["next_at"], name="digests_next")],
                "pk_attr": "room",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="InboxRow",
            fields=[
                ("seq", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("key", Words(unique=True, generated=False, null=False)),
                ("platform", Words(generated=False, null=False, unique=False)),
                ("delivery", Words(generated=False, null=False, unique=False)),
                ("payload", fields.BinaryField()),
                ("tries", fields.IntField(default=0)),
                ("error", Words(default="", generated=False, null=False, unique=False)),
                ("is_aside", fields.BooleanField(default=False)),
                ("came_at", Moment(generated=False, null=False, unique=False)),
                ("settled_at", Moment(null=True, generated=False, unique=False)),
            ],
            options={
                "table": "inbox",
                "app": "patchbay",
                "indexes": [Index(fields=["settled_at"], name="inbox_settled")],
                "pk_attr": "seq",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="LaneRow",
            fields=[
                ("name", Words(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("run", Words(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "lanes",
                "app": "patchbay",
                "indexes": [Index(fields=["run"], name="lanes_run")],
                "pk_attr": "name",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="LinkRow",
            fields=[
                ("thread", Words(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("project", Words(generated=False, null=False, unique=False)),
                ("agent", Words(generated=False, null=False, unique=False)),
            ],
            options={"table": "links", "app": "patchbay", "pk_attr": "thread"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="OwnerRow",
            fields=[
                ("key", Words(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("person", Words(generated=False, null=False, unique=False)),
                ("paired_at", Moment(generated=False, null=False, unique=False)),
            ],
            options={"table": "owners", "app": "patchbay", "pk_attr": "key"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PairingRow",
            fields=[
                ("platform", Words(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("salt", Words(generated=False, null=False, unique=False)),
                ("code", Words(generated=False, null=False, unique=False)),
                ("until", Moment(generated=False, null=False, unique=False)),
            ],
            options={"table": "pairings", "app": "patchbay", "pk_attr": "platform"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PostRow",
            fields=[
                ("seq", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("key", Words(unique=True, generated=False, null=False)),
                ("thread", Words(generated=False, null=False, unique=False)),
                ("post", Words(generated=False, null=False, unique=False)),
                ("priority", fields.IntField()),
                ("state", Words(generated=False, null=False, unique=False)),
                ("version", fields.IntField(default=1)),
                ("shown", fields.IntField(default=0)),
                ("is_twice", fields.BooleanField(default=False)),
                ("ref", Words(default="", generated=False, null=False, unique=False)),
                ("opens", Words(default="", generated=False, null=False, unique=False)),
                ("put_at", Moment(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "posts",
                "app": "patchbay",
                "indexes": [Index(fields=["put_at"], name="posts_put")],
                "pk_attr": "seq",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ProjectRow",
            fields=[
                ("seq", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("key", Words(unique=True, generated=False, null=False)),
                ("name", Words(generated=False, null=False, unique=False)),
                ("forge", Words(generated=False, null=False, unique=False)),
                ("path", Words(generated=False, null=False, unique=False)),
                ("base", Words(generated=False, null=False, unique=False)),
                ("agent", Words(generated=False, null=False, unique=False)),
                ("cause", Words(default="", generated=False, null=False, unique=False)),
            ],
            options={"table": "projects", "app": "patchbay", "pk_attr": "seq"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="PullRow",
            fields=[
                ("seq", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("project", Words(generated=False, null=False, unique=False)),
                ("number", fields.IntField()),
                ("url", Words(generated=False, null=False, unique=False)),
                ("title", Words(generated=False, null=False, unique=False)),
                ("body", Words(generated=False, null=False, unique=False)),
                ("marker", Words(generated=False, null=False, unique=False)),
                ("branch", Words(generated=False, null=False, unique=False)),
                ("base", Words(generated=False, null=False, unique=False)),
                ("state", Words(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "pulls",
                "app": "patchbay",
                "unique_together": (("project", "number"),),
                "pk_attr": "seq",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RunRow",
            fields=[
                ("seq", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("run", Words(unique=True, generated=False, null=False)),
                ("work", Words(generated=False, null=False, unique=False)),
                ("thread", Words(generated=False, null=False, unique=False)),
                ("room", Words(generated=False, null=False, unique=False)),
                ("agent", Words(generated=False, null=False, unique=False)),
                ("model", Words(default="", generated=False, null=False, unique=False)),
                ("title", Words(generated=False, null=False, unique=False)),
                ("asked_by", Words(generated=False, null=False, unique=False)),
                ("state", Words(generated=False, null=False, unique=False)),
                ("created_at", Moment(generated=False, null=False, unique=False)),
                ("started_at", Moment(null=True, generated=False, unique=False)),
                ("ended_at", Moment(null=True, generated=False, unique=False)),
                ("input_tokens", fields.BigIntField(default=0)),
                ("output_tokens", fields.BigIntField(default=0)),
                ("cost", fields.FloatField(null=True)),
                ("error", Words(default="", generated=False, null=False, unique=False)),
                ("stop_asked_by", Words(default="", generated=False, null=False, unique=False)),
                ("message", Words(default="", generated=False, null=False, unique=False)),
                ("asks", Words(default="", generated=False, null=False, unique=False)),
                ("parked_until", Moment(null=True, generated=False, unique=False)),
                ("step", Words(default="", generated=False, null=False, unique=False)),
                ("attempts", fields.IntField(default=0)),
                ("owner", Words(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "runs",
                "app": "patchbay",
                "indexes": [
                    Index(fields=["room", "seq"], name="runs_room"),
                    Index(fields=["work"], name="runs_work"),
                    Index(fields=["state"], name="runs_state"),
                ],
                "pk_attr": "seq",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SettingsRow",
            fields=[
                ("chat", Words(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("settings", Words(generated=False, null=False, unique=False)),
            ],
            options={"table": "settings", "app": "patchbay", "pk_attr": "chat"},
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TaskRow",
            fields=[
                ("key", Words(primary_key=True, unique=True, db_index=True, generated=False, null=False)),
                ("project", Words(generated=False, null=False, unique=False)),
                ("number", fields.IntField()),
                ("title", Words(generated=False, null=False, unique=False)),
                ("state", Words(generated=False, null=False, unique=False)),
                ("created_by", Words(generated=False, null=False, unique=False)),
                ("created_at", Moment(generated=False, null=False, unique=False)),
                ("cause", Words(generated=False, null=False, unique=False)),
            ],
            options={
                "table": "tasks",
                "app": "patchbay",
                "unique_together": (("project", "number"), ("project", "cause")),
                "pk_attr": "key",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="TurnRow",
            fields=[
                ("seq", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("run", Words(generated=False, null=False, unique=False)),
                ("number", fields.IntField()),
                ("cause", Words(generated=False, null=False, unique=False)),
                ("text", Words(generated=False, null=False, unique=False)),
                ("person", Words(generated=False, null=False, unique=False)),
                ("state", Words(generated=False, null=False, unique=False)),
                ("attempt", fields.IntField(default=0)),
            ],
            options={
                "table": "turns",
                "app": "patchbay",
                "unique_together": (("run", "number"),),
                "indexes": [Index(fields=["cause"], name="turns_cause")],
                "pk_attr": "seq",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="WorkRow",
            fields=[
                ("seq", fields.BigIntField(generated=True, primary_key=True, unique=True, db_index=True)),
                ("work", Words(unique=True, generated=False, null=False)),
                ("project", Words(generated=False, null=False, unique=False)),
                ("branch", Words(generated=False, null=False, unique=False)),
                ("thread", Words(generated=False, null=False, unique=False)),
                ("room", Words(generated=False, null=False, unique=False)),
                ("task", Words(default="", generated=False, null=False, unique=False)),
                ("session", Words(default="", generated=False, null=False, unique=False)),
                ("session_agent", Words(default="", generated=False, null=False, unique=False)),
                ("pull", Words(default="", generated=False, null=False, unique=False)),
                ("pull_state", Words(default="", generated=False, null=False, unique=False)),
                ("is_open", fields.BooleanField(default=True)),
            ],
            options={
                "table": "works",
                "app": "patchbay",
                "indexes": [
                    Index(fields=["task"], name="works_task"),
                    Index(fields=["thread"], name="works_thread"),
                    Index(fields=["room", "pull_state"], name="works_room"),
                ],
                "pk_attr": "seq",
            },
            bases=["Model"],
        ),
    ]
