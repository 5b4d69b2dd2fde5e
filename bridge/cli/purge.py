"""`bridge purge …`: one person plans, another approves with a token of their own. It may not purge anything itself."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import IO, Any

import click

from bridge.admin.access import Caller, Right
from bridge.admin.search.pages import cut
from bridge.admin.tokens import authenticate
from bridge.cli.giving import asker, tell
from bridge.cli.opened import actor, opened_bridge
from bridge.cli.options import json_option, page_options, page_request, reason_option
from bridge.cli.printing import Columns, print_json, print_page, print_thing
from bridge.commands.asking import Asker
from bridge.commands.purges import PurgeView
from bridge.commands.reading import CommandView, read_command
from bridge.errors import Malformed
from bridge.intake import strict_json
from bridge.wiring import Wiring

_LISTED = "purges"
_COLUMNS: Columns = {
    "ID": lambda one: one.id,
    "PLANNED": lambda one: one.planned_at,
    "STATE": lambda one: one.state,
    "TYPE": lambda one: one.policy.get("interactionType"),
    "FROM": lambda one: one.policy["dateRange"]["start"],
    "TO": lambda one: one.policy["dateRange"]["end"],
    "PLANNER": lambda one: one.planner,
    "APPROVER": lambda one: one.approver,
    "COMMAND": lambda one: one.command_id,
}


@click.group("purge")
def command() -> None:
    """Purge interactions under a policy, with two keys."""


@command.command("validate")
@click.argument("file", type=click.File("rb"))
@json_option
def validate(file: IO[bytes], as_json: bool) -> None:
    """Check the policy in FILE (- for standard input) against all rules; nothing is planned."""
    body = _policy(file)
    with opened_bridge() as bridge:
        bridge.purges.validate(body)
    if as_json:
        print_json({"ok": True})
    else:
        click.echo("the policy keeps every rule; plan it with `bridge purge plan`")


@command.command("plan")
@click.argument("file", type=click.File("rb"))
@json_option
def plan(file: IO[bytes], as_json: bool) -> None:
    """Plan the purge that FILE (- for standard input) states; somebody else has to approve it."""
    body = _policy(file)
    with opened_bridge() as bridge:
        bridge.require_current()
        planned = bridge.purges.plan(body, person=_person(), asker=asker())
        _print_purge(bridge, planned, as_json=as_json)
    if not as_json:
        click.echo(f"somebody else approves it: bridge purge approve {planned.id}", err=True)


@command.command("approve")
@click.argument("purge_id")
@click.option(
    "--token",
    envvar="BRIDGE_TOKEN",
    show_envvar=True,
    required=True,
    metavar="TOKEN",
    help="A token of the role approver; better in BRIDGE_TOKEN than where other users of this machine can see it.",
)
@click.option("--wait/--no-wait", default=False, show_default=True, help="Wait until it has ended: minutes to days.")
@json_option
def approve(purge_id: str, token: str, wait: bool, as_json: bool) -> None:
    """Approve what somebody else has planned. It becomes a command."""
    with opened_bridge() as bridge:
        bridge.require_current()
        caller = _caller(bridge, token)
        caller.require(Right.APPROVE)
        approved = bridge.purges.approve(purge_id, person=caller.person, asker=Asker(actor=caller.actor))
        tell(bridge, approved, wait=wait, as_json=as_json)


@command.command("status")
@click.argument("purge_id", required=False)
@page_options
@json_option
def status(purge_id: str | None, limit: int, cursor: str | None, as_json: bool) -> None:
    """How far a purge is; without PURGE_ID, all purges and plans."""
    page = page_request(_LISTED, limit, cursor)
    with opened_bridge() as bridge:
        if purge_id is not None:
            _print_purge(bridge, bridge.purges.read(purge_id), as_json=as_json)
            return
        found = [_masked(bridge, one) for one in bridge.purges.list(before_id=page.before_id, limit=page.limit + 1)]
    print_page(cut(_LISTED, page, found, lambda one: one.id), _COLUMNS, as_json=as_json)


@command.command("cancel")
@click.argument("purge_id")
@reason_option
@json_option
def cancel(purge_id: str, reason: str, as_json: bool) -> None:
    """Give up a plan, or an approved purge that was not submitted to Genesys yet."""
    with opened_bridge() as bridge:
        cancelled = bridge.purges.cancel(purge_id, reason=reason, person=_person(), asker=asker())
        _print_purge(bridge, cancelled, as_json=as_json)


def _policy(file: IO[bytes]) -> dict[str, object]:
    """Raises Malformed where the file is no JSON object."""
    body = strict_json.parse(file.read())
    if not isinstance(body, dict):
        raise Malformed("a policy is a JSON object; see `bridge purge plan --help`")
    return body


def _person() -> str:
    """Who plans: the system's user. Who approves shows a token, and so who they are."""
    return actor().removeprefix("cli:")


def _caller(bridge: Wiring, token: str) -> Caller:
    with bridge.database.read() as session:
        return authenticate(session, f"Bearer {token}", bridge.clock.now())


def _print_purge(bridge: Wiring, purge: PurgeView, *, as_json: bool) -> None:
    told: dict[str, Any] = asdict(_masked(bridge, purge)) | {"progress": _progress(bridge, purge.command_id)}
    if not as_json:
        told = {name: value for name, value in told.items() if value not in (None, {})}
    print_thing(told, as_json=as_json)


def _masked(bridge: Wiring, purge: PurgeView) -> PurgeView:
    policy = bridge.masking.tree(purge.policy)
    assert isinstance(policy, dict)
    return replace(purge, policy=policy)


def _progress(bridge: Wiring, command_id: str | None) -> dict[str, object]:
    if command_id is None:
        return {}
    with bridge.database.read() as session:
        command: CommandView = read_command(session, command_id)
    return {**command.progress, **({} if command.error is None else {"error": command.error})}
