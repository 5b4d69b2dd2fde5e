"""Runs the migrations on the connection that `bridge.migrate` hands in. It may not open, commit or close one."""

from __future__ import annotations

from alembic import context
from alembic.util import CommandError

connection = context.config.attributes.get("connection")
if connection is None:
    raise CommandError("migrations run only inside the bridge's own lock and transaction: `bridge db upgrade`")

context.configure(connection=connection, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
