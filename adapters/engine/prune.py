"""Forgetting flows that are over: DBOS itself keeps the journal of each, with all that its steps returned, for ever."""

from __future__ import annotations

from datetime import datetime

AT_ONCE = 100
"""On SQLite the engine has one connection: what runs meanwhile waits for a batch, some ten milliseconds."""

OVER = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]


def forget_some(before: datetime) -> int:
    """The next batch of those that ended before then, with their steps and signals; 0: there are none. It blocks."""
    from dbos import DBOS  # noqa: PLC0415 - imported when used

    found = DBOS.list_workflows(
        status=list(OVER),
        completed_before=before.isoformat(),
        limit=AT_ONCE,
        load_input=False,
        load_output=False,
    )
    ids = [each.workflow_id for each in found]
    if ids:
        DBOS.delete_workflows(ids)
    return len(ids)
