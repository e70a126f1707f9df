"""All mutants of a sender brought to the door, and what became of them, by class."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from tests.adapters.webhooks.bench import Keys, life
from tests.adapters.webhooks.mutants import Mutant, mutants
from tests.adapters.webhooks.senders import Sender, honest

BATCH = 200


@dataclass
class Report:
    sender: str
    brought: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    """Answered with 2xx to 4xx, or not at all; what is heard all the same is a fault."""
    faults: list[str] = field(default_factory=list)

    def note(self, mutant: Mutant, status: int) -> None:
        self.brought[mutant.kind] += 1
        if status >= 500:
            self.faults.append(f"{self.sender}, {mutant.kind}: {status}: {mutant.request.wire()[:600]!r}")
        else:
            self.refused[mutant.kind] += 1

    def lines(self) -> list[str]:
        rows = [f"{self.sender}, {kind}: {self.refused[kind]} of {all_} refused" for kind, all_ in self.brought.items()]
        return [*rows, f"{self.sender}: {self.refused.total()} of {self.brought.total()}"]


async def play(keys: Keys, sender: Sender, folder: Path, count: int, seed: int) -> Report:
    """In batches, made just before they are brought: a signature of Slack grows old."""
    report = Report(sender.name)
    async with life(keys, folder) as bench:
        said = honest(sender)
        assert await bench.bring(said) in {200, 202}
        await bench.inbox.until_quiet()
        assert len(bench.heard) == 1, "the original is heard"
        every = mutants(sender, count, seed, said)
        while batch := list(islice(every, BATCH)):
            before = len(bench.heard)
            statuses = await bench.bring_all([each.request for each in batch])
            for mutant, status in zip(batch, statuses, strict=True):
                report.note(mutant, status)
            kinds = sorted({each.kind for each in batch})
            report.faults += [f"{sender.name}: heard, of {kinds}: {each!r}" for each in bench.heard[before:]]
    return report
