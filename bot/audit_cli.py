"""`patchbay audit`: whether the chain is whole, and all of it for whoever must read it. The bot may be running."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

from adapters.audit import KeySigner, is_signed, read_checkpoints
from adapters.secrets.keys import KeyFile
from bot.config import Config
from core.audit.chain import breaks
from core.model.audit import Checkpoint, Entry
from core.model.errors import BadAsk
from core.ports import Audits

PAGE = 1000
MOST_TOLD = 20
FIELDS = ("seq", "at", "who", "room", "cause", "what", "target", "result", "prev", "hash")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet would run what begins so."""


async def verify(config: Config, file: Path | None, key: str) -> tuple[str, bool]:
    """What to say, and whether all is well."""
    checkpoints = _checkpoints(config, file)
    public = key or _public(config, checkpoints)
    entries = [entry async for entry in _entries(config)]
    wrong = list(breaks(entries, checkpoints, lambda each: is_signed(each, public)))
    if wrong:
        more = [f"… and {len(wrong) - MOST_TOLD} more"] if len(wrong) > MOST_TOLD else []
        return "\n".join(["The audit is NOT whole:", *wrong[:MOST_TOLD], *more]), False
    until = f"the last at entry {max(each.seq for each in checkpoints)}" if checkpoints else "so its end is not proved"
    return f"The audit is whole: {len(entries)} entries, {len(checkpoints)} checkpoints, {until}.", True


async def export(config: Config, since: str, form: str, out: Callable[[str], object]) -> None:
    moment = _moment(since)
    if form == "csv":
        out(_csv_line(FIELDS))
    async for entry in _entries(config):
        if entry.at >= moment:
            row = row_of(entry)
            out(_csv_line([unformula(str(row[each])) for each in FIELDS]) if form == "csv" else json.dumps(row))


def row_of(entry: Entry) -> dict[str, object]:
    act = entry.act
    values = (entry.seq, entry.at.isoformat(), act.actor.who, act.actor.room, act.actor.cause)
    return dict(zip(FIELDS, (*values, act.what, act.target, act.result, entry.prev, entry.hash), strict=True))


def unformula(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def _csv_line(cells: object) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(cells)  # type: ignore[arg-type]
    return text.getvalue()


def _moment(since: str) -> datetime:
    if not since:
        return datetime.min.replace(tzinfo=UTC)
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        raise BadAsk(f"`{since[:40]}` is no time: write 2026-01-31 or 2026-01-31T12:00.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _checkpoints(config: Config, file: Path | None) -> list[Checkpoint]:
    """The configured file need not be there yet; a named one must."""
    path = file or config.audit.checkpoints
    return read_checkpoints(path) if path is not None and (file or path.exists()) else []


def _public(config: Config, checkpoints: list[Checkpoint]) -> str:
    assert config.audit.key_file is not None, "loading has set it"
    return KeySigner(KeyFile(config.audit.key_file)).public() if checkpoints else ""


async def _entries(config: Config) -> AsyncIterator[Entry]:
    from adapters.store import secrets_beside  # noqa: PLC0415 - imported when used

    async with secrets_beside(config.database_url, config.data) as store:
        reads: Audits = store
        last = 0
        while page := await reads.audit_after(last, PAGE):
            for entry in page:
                yield entry
            last = page[-1].seq
