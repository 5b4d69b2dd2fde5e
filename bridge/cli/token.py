"""`bridge token …`. It may not keep a token: it is shown once."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

import click

from bridge.admin.access import Role
from bridge.admin.search.pages import Page, cut
from bridge.admin.tokens import create_token, list_tokens, revoke_token
from bridge.cli.names import DESTINATION
from bridge.cli.opened import actor, opened_bridge
from bridge.cli.options import Moment, json_option, page_options, page_request
from bridge.cli.printing import Columns, print_json, print_page
from bridge.errors import ConfigurationError

_COLUMNS: Columns = {
    "ID": lambda token: token.id,
    "NAME": lambda token: token.name,
    "PERSON": lambda token: token.person,
    "ROLE": lambda token: token.role,
    "CREATED": lambda token: token.created_at,
    "EXPIRES": lambda token: token.expires_at,
    "LAST USED": lambda token: token.last_used_at,
    "REVOKED": lambda token: token.revoked_at,
}


@click.group("token")
def command() -> None:
    """Who may use the API."""


@command.command("create")
@click.option("--name", required=True, help="What it is for.")
@click.option("--role", required=True, type=click.Choice([role.value for role in Role]), help="What it may do.")
@click.option("--person", help="Whose it is; two persons have to agree on a purge.  [default: the name]")
@click.option("--expires", type=Moment(ahead=True), help="When it ends: in how long (90d), or a time.")
@click.option(
    "--destination", type=DESTINATION, help="For a sender: the destination that is not told of what this token changes."
)
@click.option("--reason", help="Why; the audit keeps it.")
@json_option
def create(
    name: str,
    role: str,
    person: str | None,
    expires: datetime | None,
    destination: str | None,
    reason: str | None,
    as_json: bool,
) -> None:
    """Create a token and print it. It is shown this once: only a hash of it is kept."""
    with opened_bridge() as bridge:
        if destination is not None and destination not in bridge.destinations:
            known = ", ".join(bridge.destinations) or "none is configured"
            raise ConfigurationError([f"destinations.{destination}: there is no such destination; known: {known}"])
        with bridge.database.write() as session:
            _, token = create_token(
                session,
                name=name,
                person=person or name,
                role=role,
                expires_at=expires,
                destination=destination,
                now=bridge.clock.now(),
                actor=actor(),
                notes=bridge.notes,
                reason=reason,
            )
    if as_json:
        print_json({"token": token})
    else:
        click.echo(token)


@command.command("list")
@page_options
@json_option
def list_all(limit: int, cursor: str | None, as_json: bool) -> None:
    """Tokens, newest first, also those that have ended."""
    page = page_request("tokens", limit, cursor)
    with opened_bridge() as bridge, bridge.database.read() as session:
        rows = list_tokens(session, before_id=page.before_id, limit=page.limit + 1)
    found = cut("tokens", page, rows, lambda row: row.id)
    shown = [
        ShownToken(**{field.name: getattr(row, field.name) for field in fields(ShownToken)}) for row in found.items
    ]
    print_page(Page(items=shown, next=found.next), _COLUMNS, as_json=as_json)


@command.command("revoke")
@click.argument("token_id")
@click.option("--reason", help="Why; the audit keeps it.")
@json_option
def revoke(token_id: str, reason: str | None, as_json: bool) -> None:
    """End a token at once. TOKEN_ID is its id, not the token."""
    with opened_bridge() as bridge, bridge.database.write() as session:
        revoke_token(session, token_id, now=bridge.clock.now(), actor=actor(), notes=bridge.notes, reason=reason)
    if as_json:
        print_json({"id": token_id, "state": "revoked"})
    else:
        click.echo(f"token {token_id} is revoked")


@dataclass(frozen=True, kw_only=True)
class ShownToken:
    """What anybody may see of a token."""

    id: str
    name: str
    person: str
    role: str
    #: For a sender: whose commands it gives.
    destination: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None
