"""The Store on SQLite or PostgreSQL: Tortoise models, migrations, one writer."""

from __future__ import annotations

from adapters.store.beside import SecretsBeside, secrets_beside
from adapters.store.database import database_url
from adapters.store.migrating import migrate, pending
from adapters.store.store import DatabaseStore

__all__ = ["DatabaseStore", "SecretsBeside", "database_url", "migrate", "pending", "secrets_beside"]
