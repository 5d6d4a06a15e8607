"""Runs migrations on the connection that `ftpservice.accounts.sql.migration` opened (Alembic)."""

from __future__ import annotations

from alembic import context

from ftpservice.accounts.sql.schema import VERSION_TABLE

__all__: list[str] = []

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
