"""A sealed row, put in within a transaction: only if its key is the current one."""

from __future__ import annotations

from adapters.store.database import Transaction
from adapters.store.tables.columns import clean, to_micros
from core.model.secrets import Sealed

_PUT = """
INSERT INTO secrets (scope, name, words, key, made_at)
SELECT CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS BIGINT)
FROM secrets WHERE scope = '' AND name = '' AND key = ? {lock}
ON CONFLICT (scope, name)
DO UPDATE SET words = excluded.words, key = excluded.key, made_at = excluded.made_at, used_at = NULL
RETURNING name
"""


async def put(tx: Transaction, sealed: Sealed) -> bool:
    """False: it is not any more. On PostgreSQL whoever exchanges keys just now waits, or is waited for."""
    lock = "" if tx.db.capabilities.dialect == "sqlite" else "FOR SHARE"
    ref, made = sealed.ref, to_micros(sealed.made_at)
    values = (clean(ref.scope), clean(ref.name), sealed.words, sealed.key, made, sealed.key)
    return bool(await tx.run(_PUT.format(lock=lock), *values))
