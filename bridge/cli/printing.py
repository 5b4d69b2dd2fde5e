"""Rows and things for a person (a table on a terminal, plain columns in a pipe) or a machine (JSON).

It may not fetch anything.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import click
import orjson

from bridge.admin.search.pages import Page
from bridge.clock import rfc3339

_ANY_WIDTH = 10_000
#: Title → what stands below it for one item.
Columns = Mapping[str, Callable[[Any], object]]


def print_page(page: Page[Any], columns: Columns, *, as_json: bool) -> None:
    """One page of a list, and how to see the next."""
    if as_json:
        print_json({"items": page.items, "next": page.next})
        return
    if page.next is None:
        print_rows(page.items, columns)
    elif page.items:
        print_rows(page.items, columns)
        click.echo(f"there is more: the same again with --cursor {page.next}", err=True)
    else:
        click.echo(f"nothing so far: look further back with --cursor {page.next}", err=True)


def print_rows(items: Sequence[Any], columns: Columns) -> None:
    """A table of `items`; says so where there are none."""
    if not items:
        click.echo("nothing found", err=True)
        return
    rows = [cells_of(item, columns) for item in items]
    if sys.stdout.isatty():
        _print_table(list(columns), rows)
    else:
        _print_columns([list(columns), *rows])


def cells_of(item: object, columns: Columns) -> list[str]:
    """What stands in each column for `item`, on one line and without anything that a terminal would act on."""
    return [_cell(value(item)) for value in columns.values()]


def print_thing(thing: object, *, as_json: bool) -> None:
    """One thing with all its fields, a line each."""
    if as_json:
        print_json(thing)
        return
    fields = orjson.loads(_json(thing))
    widest = max(len(name) for name in fields)
    for name, value in fields.items():
        shown = value if value is None or isinstance(value, str) else orjson.dumps(value).decode()
        click.echo(f"{name:<{widest}}  {_cell(shown)}")


def print_json(thing: object) -> None:
    """`thing` (dataclasses, times, JSON values) as indented JSON; times are RFC 3339 in UTC."""
    click.echo(_json(thing))


def _json(thing: object) -> bytes:
    return orjson.dumps(thing, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)


def _cell(value: object) -> str:
    match value:
        case None:
            return ""
        case datetime():
            return rfc3339(value.replace(microsecond=0))
    # What others sent may hold anything: no line end and no escape sequence reaches the terminal.
    return "".join(letter if letter.isprintable() else "�" for letter in str(value))


def _print_columns(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.measure import Measurement
    from rich.table import Table
    from rich.text import Text

    console = Console()
    table = Table(*titles, box=box.SIMPLE_HEAD)
    for row in rows:
        table.add_row(*map(Text, row))
    if Measurement.get(console, console.options.update(width=_ANY_WIDTH), table).maximum <= console.width:
        console.print(table)
        return
    for row in rows:  # squeezed into columns nobody could read it, or copy an id from it
        first, *others = (Text(cell) for cell in row)
        console.print(first, style="bold")
        for title, cell in zip(titles[1:], others, strict=True):
            if cell:
                console.print(Text(f"  {title.lower()} ", style="dim") + cell)
