"""The table of secrets: sealed, with the name of the key that opens them."""

from __future__ import annotations

from tortoise import fields

from adapters.store.tables.columns import Moment, Words, maybe_moment
from adapters.store.tables.models import Row
from core.model.secrets import Sealed, SecretRef


# The row without scope and name says which key is the current one.
class SecretRow(Row):
    seq = fields.BigIntField(primary_key=True)
    scope = Words()
    name = Words()
    words = Words()
    key = Words()
    made_at = Moment()
    used_at = maybe_moment()

    class Meta:
        table = "secrets"
        unique_together = (("scope", "name"),)


def sealed_of(row: SecretRow) -> Sealed:
    return Sealed(SecretRef(row.scope, row.name), row.words, row.key, row.made_at, row.used_at)
