"""`bridge audit …`. It may not change an entry."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

import click
import orjson

from bridge.admin.search.pages import Page, PageRequest, cut
from bridge.audit.export import exported
from bridge.audit.seal import unsealed_count
from bridge.audit.search import AuditFilter, list_entries
from bridge.audit.verify import ExternalHead, verify
from bridge.cli.opened import opened_bridge
from bridge.cli.options import (
    follow_option,
    json_option,
    page_options,
    page_request,
    refuse_page_of_stream,
    span_options,
)
from bridge.cli.printing import Columns, print_page
from bridge.cli.watching import Newest, watch
from bridge.tables import AuditEntryRow

_LISTED = "audit"
_COLUMNS: Columns = {
    "AT": lambda entry: entry.at,
    "ACTOR": lambda entry: entry.actor,
    "ACTION": lambda entry: entry.action,
    "SUBJECT": lambda entry: entry.subject,
    "REASON": lambda entry: entry.reason,
}


@click.group("audit")
def command() -> None:
    """Look at who did what, and prove that it is all there."""


@command.command("list")
@click.option("--actor", help="Only what this one did, like cli:<user> or token:<id>.")
@click.option("--action", help="Only this, like delivery.dead.")
@click.option("--subject", help="Only what was done to exactly this.")
@span_options
@page_options
@follow_option
@json_option
def list_all(limit: int, cursor: str | None, follows: bool, as_json: bool, **wanted: Any) -> None:
    """Audit entries, newest first; personal data is masked."""
    refuse_page_of_stream(follows, cursor, wanted["until"])
    asked = page_request(_LISTED, limit, cursor)
    chosen = AuditFilter(**wanted)
    with opened_bridge() as bridge:

        def page(which: PageRequest) -> Page[ShownEntry]:
            with bridge.database.read() as session:
                found = list_entries(session, chosen, before_id=which.before_id, limit=which.limit + 1)
                shown = [_shown(row) for row in found.rows]
            return cut(_LISTED, which, shown, lambda entry: entry.id, floor=found.floor)

        if follows:
            watch(Newest(_LISTED, page, lambda one: one.id, first=limit), _COLUMNS, as_json=as_json)
        else:
            print_page(page(asked), _COLUMNS, as_json=as_json)


@command.command("verify")
@click.option("--position", type=click.IntRange(min=1), help="Of a head that you kept elsewhere.")
@click.option("--hash", "hash_", metavar="HEX", help="Of that head.")
@click.option(
    "--trust", multiple=True, metavar="KEY", help="A public key of a secret that BRIDGE_SECRET_KEY no longer holds."
)
@json_option
def verify_chain(position: int | None, hash_: str | None, trust: tuple[str, ...], as_json: bool) -> None:
    """Check that no entry was edited, removed, inserted or moved; exit code 1 names the first that was."""
    if (position is None) != (hash_ is None):
        raise click.UsageError("give --position and --hash together")
    kept = ExternalHead(position=position, hash=hash_) if position is not None and hash_ is not None else None
    with opened_bridge() as bridge, bridge.database.read() as session:
        found = verify(session, trusted={*bridge.trusted_keys, *trust}, external=kept)
        waiting = unsealed_count(session)
    if as_json:
        click.echo(orjson.dumps({**vars(found), "unsealed": waiting}).decode())
    elif found.problem is None:
        click.echo(f"{found.sealed} entries hold; {waiting} are not sealed yet")
        click.echo(f"keep this head elsewhere: --position {found.sealed} --hash {found.head}")
    else:
        entry = f" (entry {found.entry_id})" if found.entry_id else ""
        click.echo(f"{found.sealed} entries hold; then: {found.problem}{entry}", err=True)
    if found.problem is not None:
        raise SystemExit(1)


@command.command("export")
@click.argument("file", type=click.File("wb"))
def export(file: IO[bytes]) -> None:
    """Write every sealed entry and the signed heads to FILE (- for standard output), a line of JSON each."""
    with opened_bridge() as bridge, bridge.database.read() as session:
        for line in exported(session, bridge.signer.public_key):
            file.write(line)


@dataclass(frozen=True, kw_only=True)
class ShownEntry:
    """An audit entry as it is printed."""

    id: str
    at: datetime
    actor: str
    action: str
    subject: str
    reason: str | None
    #: Masked.
    details: Any


def _shown(row: AuditEntryRow) -> ShownEntry:
    return ShownEntry(**{name: getattr(row, name) for name in ShownEntry.__dataclass_fields__})
