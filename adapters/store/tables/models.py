"""The tables. A row is written by one process, and read back as the frozen values of `core.model`.

`seq` counts what must keep its order. Values that are never searched are kept as JSON by `core.model.codec`.
Notes on a table are comments: Tortoise would write a docstring into the migrations.
"""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model
from tortoise.signals import Signals

from adapters.store.tables.columns import Moment, Words, maybe_moment


# `settled_at` NULL: not yet handled. `is_aside`: not tried again by itself.
class Row(Model):
    """Saved without a loop: what is written is written in SQLite's thread, and nobody listens to it."""

    class Meta:
        abstract = True

    async def _wait_for_listeners(self, signal: Signals, *given: object) -> None:
        pass


class InboxRow(Row):
    seq = fields.BigIntField(primary_key=True)
    key = Words(unique=True)
    platform = Words()
    delivery = Words()
    payload = fields.BinaryField()
    tries = fields.IntField(default=0)
    error = Words(default="")
    is_aside = fields.BooleanField(default=False)
    came_at = Moment()
    settled_at = maybe_moment()

    class Meta:
        table = "inbox"
        indexes = (Index(fields=("settled_at",), name="inbox_settled"),)


# When the bot was last known to be alive, for each node.
class BeatRow(Row):
    node = Words(primary_key=True)
    at = Moment()

    class Meta:
        table = "beats"


class CursorRow(Row):
    platform = Words(primary_key=True)
    cursor = Words()

    class Meta:
        table = "cursors"


# `post`, `ref` and `opens` are JSON; `ref` and `opens` are empty where there is none.
class PostRow(Row):
    seq = fields.BigIntField(primary_key=True)
    key = Words(unique=True)
    thread = Words()
    post = Words()
    priority = fields.IntField()
    state = Words()
    version = fields.IntField(default=1)
    shown = fields.IntField(default=0)
    is_twice = fields.BooleanField(default=False)
    ref = Words(default="")
    opens = Words(default="")
    put_at = Moment()

    class Meta:
        table = "posts"
        indexes = (Index(fields=("put_at",), name="posts_put"),)


class ButtonRow(Row):
    token = Words(primary_key=True)
    post = Words()
    says = Words()
    thread = Words()

    class Meta:
        table = "buttons"
        indexes = (Index(fields=("post",), name="buttons_post"),)


class LinkRow(Row):
    thread = Words(primary_key=True)
    project = Words()
    agent = Words()

    class Meta:
        table = "links"


class SettingsRow(Row):
    chat = Words(primary_key=True)
    settings = Words()

    class Meta:
        table = "settings"


class ProjectRow(Row):
    seq = fields.BigIntField(primary_key=True)
    key = Words(unique=True)
    name = Words()
    forge = Words()
    path = Words()
    base = Words()
    agent = Words()
    cause = Words(default="")

    class Meta:
        table = "projects"


class TaskRow(Row):
    key = Words(primary_key=True)
    project = Words()
    number = fields.IntField()
    title = Words()
    state = Words()
    created_by = Words()
    created_at = Moment()
    cause = Words()

    class Meta:
        table = "tasks"
        unique_together = (("project", "number"), ("project", "cause"))


class PullRow(Row):
    seq = fields.BigIntField(primary_key=True)
    project = Words()
    number = fields.IntField()
    url = Words()
    title = Words()
    body = Words()
    marker = Words()
    branch = Words()
    base = Words()
    state = Words()

    class Meta:
        table = "pulls"
        unique_together = (("project", "number"),)


# `pull` is JSON; `pull_state` repeats its state so that it can be searched. Both empty: no pull request.
class WorkRow(Row):
    seq = fields.BigIntField(primary_key=True)
    work = Words(unique=True)
    project = Words()
    branch = Words()
    thread = Words()
    room = Words()
    task = Words(default="")
    session = Words(default="")
    session_agent = Words(default="")
    pull = Words(default="")
    pull_state = Words(default="")
    is_open = fields.BooleanField(default=True)

    class Meta:
        table = "works"
        indexes = (
            Index(fields=("task",), name="works_task"),
            Index(fields=("thread",), name="works_thread"),
            Index(fields=("room", "pull_state"), name="works_room"),
        )


# `owner` is the node that works on it.
class RunRow(Row):
    seq = fields.BigIntField(primary_key=True)
    run = Words(unique=True)
    work = Words()
    thread = Words()
    room = Words()
    agent = Words()
    model = Words(default="")
    title = Words()
    asked_by = Words()
    state = Words()
    created_at = Moment()
    started_at = maybe_moment()
    ended_at = maybe_moment()
    input_tokens = fields.BigIntField(default=0)
    output_tokens = fields.BigIntField(default=0)
    cost = fields.FloatField(null=True)
    error = Words(default="")
    stop_asked_by = Words(default="")
    message = Words(default="")
    asks = Words(default="")
    parked_until = maybe_moment()
    step = Words(default="")
    attempts = fields.IntField(default=0)
    owner = Words()

    class Meta:
        table = "runs"
        indexes = (
            Index(fields=("room", "seq"), name="runs_room"),
            Index(fields=("work",), name="runs_work"),
            Index(fields=("state",), name="runs_state"),
        )


class ChangeRow(Row):
    seq = fields.BigIntField(primary_key=True)
    run = Words()
    state = Words()
    at = Moment()

    class Meta:
        table = "run_changes"
        indexes = (Index(fields=("run",), name="run_changes_run"),)


# `attempt` is the last one that was begun, 0: none.
class TurnRow(Row):
    seq = fields.BigIntField(primary_key=True)
    run = Words()
    number = fields.IntField()
    cause = Words()
    text = Words()
    person = Words()
    state = Words()
    attempt = fields.IntField(default=0)

    class Meta:
        table = "turns"
        unique_together = (("run", "number"),)
        indexes = (Index(fields=("cause",), name="turns_cause"),)


# What is done one at a time: `thread:<thread>`, `branch:<project>:<branch>`, and the run that has it.
class LaneRow(Row):
    name = Words(primary_key=True)
    run = Words()

    class Meta:
        table = "lanes"
        indexes = (Index(fields=("run",), name="lanes_run"),)


class DigestRow(Row):
    room = Words(primary_key=True)
    thread = Words()
    cron = Words()
    zone = Words()
    next_at = Moment()

    class Meta:
        table = "digests"
        indexes = (Index(fields=("next_at",), name="digests_next"),)
