"""`bridge db …`. It may not change a row but in the audit."""

from __future__ import annotations

from pathlib import Path

import click

from bridge import migrate
from bridge.audit.notes import AuditEntry
from bridge.cli.copying import copying_bar
from bridge.cli.edge import REFUSED
from bridge.cli.opened import actor, opened_bridge, opened_database
from bridge.cli.options import json_option
from bridge.cli.printing import Columns, print_json, print_rows
from bridge.keeping.backup import back_up
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
@json_option
def upgrade(as_json: bool) -> None:
    """Bring the database to this version's tables; safe to run again, and by several at once."""
    with opened_database() as database:
        before = migrate.current(database)
        migrate.upgrade(database)
        after = migrate.current(database)
    if as_json:
        print_json({"before": before, "revision": after})
    else:
        click.echo(f"the database is at {after} already" if before == after else f"upgraded to {after}")


@command.command("current")
@json_option
def current(as_json: bool) -> None:
    """Print the database's revision."""
    with opened_database() as database:
        revision = migrate.current(database)
    if as_json:
        print_json({"revision": revision})
    else:
        click.echo(revision or "none")


@command.command("check")
@json_option
def check(as_json: bool) -> None:
    """Compare the database with this version's tables; exit code 1 where they differ."""
    with opened_database() as database:
        revision = migrate.current(database)
        differences = migrate.check(database) if revision else []
    if revision is None or revision < migrate.head():
        differences.append(f"it is at {revision or 'nothing'}, not at {migrate.head()}; run `bridge db upgrade`")
    if as_json:
        print_json({"ok": not differences, "revision": revision, "differences": differences})
    elif not differences:
        click.echo(f"the database is at {revision} and as it should be")
    else:
        for difference in differences:
            click.echo(difference, err=True)
    if differences:
        raise SystemExit(REFUSED)


@command.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Take the place of a FILE that is there.")
@click.option("--pg-dump", metavar="PROGRAM", help="PostgreSQL's own, where it is not on the path.")
@json_option
def backup(file: Path, force: bool, pg_dump: str | None, as_json: bool) -> None:
    """Write a copy of the whole database to FILE while everything goes on, and check it.

    Of SQLite it is a database; of PostgreSQL an archive that pg_dump writes, for pg_restore. It holds personal data, so
    only its owner may read it; keep bridge.toml and BRIDGE_SECRET_KEY elsewhere too, they are not in it.
    """
    with opened_bridge() as bridge, copying_bar(quiet=as_json) as progress:
        size = back_up(bridge.database, file, replace=force, progress=progress, pg_dump=pg_dump)
        details = {"file": file.name, "bytes": size}
        entry = AuditEntry(actor=actor(), action="database.backed_up", subject="database", details=details)
        with bridge.database.write() as session:
            bridge.notes.write(session, [entry], bridge.clock.now())
    if as_json:
        print_json({"file": str(file), "bytes": size})
    else:
        click.echo(f"{file}: {size} bytes, checked")


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
