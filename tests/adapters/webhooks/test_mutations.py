"""Nobody is heard who is not the sender: thousands of forgeries on each webhook, none of them a fault of ours."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.chat.slack.receive import Signed
from adapters.chat.telegram.platform import Telegram
from adapters.forges.github_webhook import GithubWebhook
from tests.adapters.webhooks.bench import keys, life, life_over
from tests.adapters.webhooks.mutants import BY_SIGNATURE, BY_SIGNED_BODY, PER_CLASS, control
from tests.adapters.webhooks.play import play
from tests.adapters.webhooks.senders import honest
from tests.databases import postgres_store

COUNT = int(os.environ.get("WEBHOOK_MUTATIONS", "500"))
"""On each platform; 20,000 are the figure."""

SENDERS = ("telegram", "slack", "github")


@pytest.mark.timeout(60 + COUNT // 20)
@pytest.mark.parametrize("name", SENDERS)
async def test_no_mutation_is_heard_and_none_is_our_fault(name: str, tmp_path: Path) -> None:
    async with keys() as made:
        report = await play(made, made.sender(name), tmp_path, COUNT, seed=1)

    print("\n".join(report.lines()))  # noqa: T201 - the figures
    assert report.faults == []
    assert report.refused.total() == report.brought.total() >= COUNT
    assert min(report.brought.values()) >= PER_CLASS


@pytest.mark.parametrize("name", SENDERS)
async def test_without_the_check_of_the_signature_they_are_heard(name: str, tmp_path: Path) -> None:
    patch = pytest.MonkeyPatch()
    _without_checks(patch.setattr)
    try:
        async with keys() as made, life(made, tmp_path) as bench:
            sender = made.sender(name)
            for kind in (*BY_SIGNATURE, *(BY_SIGNED_BODY if sender.covers_body else ())):
                before = len(bench.heard)
                await bench.bring_all([each.request for each in control(sender, kind, 1)])

                assert len(bench.heard) - before > PER_CLASS // 2, kind
    finally:
        patch.undo()


def _without_checks(patch: Callable[[Any, str, Any], None]) -> None:
    patch(Telegram, "_is_signed", lambda *_: True)
    patch(Signed, "is_from_slack", lambda *_: True)
    patch(GithubWebhook, "_is_signed", lambda *_: True)


@pytest.mark.parametrize("name", SENDERS)
async def test_no_name_is_too_long_for_postgresql(name: str) -> None:
    async with postgres_store() as store, keys() as made, life_over(made, store) as bench:
        sender = made.sender(name)
        statuses = await bench.bring_all([each.request for each in control(sender, "endless name", 1)])
        heard = list(bench.heard)
        await bench.bring_all([honest(sender)])

    assert max(statuses) < 500
    assert heard == []
    assert len(bench.heard) == 1


@pytest.mark.parametrize("name", SENDERS)
async def test_the_sender_itself_is_heard(name: str, tmp_path: Path) -> None:
    async with keys() as made, life(made, tmp_path) as bench:
        statuses = await bench.bring_all([honest(made.sender(name)) for _ in range(PER_CLASS)])

    assert set(statuses) == {202 if name == "github" else 200}
    assert len(bench.heard) == PER_CLASS
