"""What differs between a database and the tables, in sentences. It may not change anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import CheckConstraint, Inspector, inspect, text
from sqlalchemy.engine import Connection
from sqlalchemy.schema import SchemaItem

import bridge.tables  # noqa: F401 (fills the metadata)
from bridge.database import Base

#: The triggers that no metadata knows, all on `audit_entry`; the same names on every dialect.
AUDIT_TRIGGERS = frozenset({"audit_entry_refuses_update", "audit_entry_refuses_delete"})


def differences(connection: Connection) -> Iterator[str]:
    """A sentence for each difference; tables that are not ours are not looked at.

    Of CHECKs and triggers only the names are compared, of partial indexes not the condition.
    """
    context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": _is_ours})
    yield from (_sentence(difference) for difference in _flat(compare_metadata(context, Base.metadata)))
    yield from _differing_checks(inspect(connection))
    yield from _missing_triggers(connection)


def _is_ours(_item: SchemaItem, _name: str | None, kind: str, reflected: bool, compare_to: SchemaItem | None) -> bool:
    return not (kind == "table" and reflected and compare_to is None)


def _flat(differences: Iterable[Any]) -> Iterator[tuple[Any, ...]]:
    for difference in differences:  # the changes of one column come as a list of their own
        if isinstance(difference, list):
            yield from difference
        else:
            yield difference


def _sentence(difference: tuple[Any, ...]) -> str:
    match difference:
        case (verb, _schema, str(table), str(column), _, found, wanted):
            return f"column {table}.{column}: {verb.removeprefix('modify_')} is {found}, should be {wanted}"
        case ("add_column", _schema, table, column):
            return f"column {table}.{column.name} is missing"
        case ("remove_column", _schema, table, column):
            return f"column {table}.{column.name} is not known"
        case ("add_table", table):
            return f"table {table.name} is missing"
        case (verb, item):
            fate, _, kind = verb.partition("_")
            name = item.name or f"on {', '.join(item.columns.keys())}"  # a constraint may have no name
            return f"{kind} {name} of table {item.table.name} is {'missing' if fate == 'add' else 'not known'}"
    return str(difference)


def _differing_checks(inspector: Inspector) -> Iterator[str]:
    for table in Base.metadata.sorted_tables:
        if not inspector.has_table(table.name):
            continue
        wanted = {str(rule.name) for rule in table.constraints if isinstance(rule, CheckConstraint)}
        found = {str(rule["name"]) for rule in inspector.get_check_constraints(table.name)}
        yield from (f"CHECK {name} of table {table.name} is missing" for name in sorted(wanted - found))
        yield from (f"CHECK {name} of table {table.name} is not known" for name in sorted(found - wanted))


def _missing_triggers(connection: Connection) -> Iterator[str]:
    if connection.dialect.name == "sqlite":
        query = "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    else:
        query = "SELECT tgname FROM pg_trigger WHERE tgrelid = to_regclass('audit_entry') AND tgenabled <> 'D'"
    found = set(connection.execute(text(query)).scalars())
    yield from (f"trigger {name} is missing" for name in sorted(AUDIT_TRIGGERS - found))
