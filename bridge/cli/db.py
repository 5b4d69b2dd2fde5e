"""`bridge db …`. It may not change a row."""

from __future__ import annotations

import click

from bridge import migrate
from bridge.cli.edge import REFUSED
from bridge.cli.opened import opened_database
from bridge.cli.options import json_option
from bridge.cli.printing import Columns, print_json, print_rows
from bridge.keeping.space import database_size

_SIZES: Columns = {
    "TABLE": lambda table: table.name,
    "ROWS": lambda table: table.rows,
    "BYTES": lambda table: table.bytes,
}


@click.group("db")
def command() -> None:
    """The database's state."""


@command.command("upgrade")
def upgrade() -> None:
    """Bring the database to this version's tables; safe to run again, and by several at once."""
    with opened_database() as database:
        before = migrate.current(database)
        migrate.upgrade(database)
        after = migrate.current(database)
    click.echo(f"the database is at {after} already" if before == after else f"upgraded to {after}")


@command.command("current")
def current() -> None:
    """Print the database's revision."""
    with opened_database() as database:
        click.echo(migrate.current(database) or "none")


@command.command("check")
def check() -> None:
    """Compare the database with this version's tables; exit code 1 where they differ."""
    with opened_database() as database:
        revision = migrate.current(database)
        differences = migrate.check(database) if revision else []
    if revision is None or revision < migrate.head():
        differences.append(f"it is at {revision or 'nothing'}, not at {migrate.head()}; run `bridge db upgrade`")
    for difference in differences:
        click.echo(difference, err=True)
    if differences:
        raise SystemExit(REFUSED)
    click.echo(f"the database is at {revision} and as it should be")


@command.command("size")
@json_option
def size(as_json: bool) -> None:
    """Rows and bytes of every table; on PostgreSQL the rows are its estimate, on SQLite only the whole has bytes."""
    with opened_database() as database:
        found = database_size(database)
    if as_json:
        print_json(found)
        return
    print_rows(found.tables, _SIZES)
    free = "" if found.free is None else f", of which {found.free} are free within the file"
    click.echo(f"{found.bytes} bytes altogether{free}")
