"""`bridge interactions …`. It may not change anything itself: a worker carries the commands out."""

from __future__ import annotations

from typing import Any

import click

from bridge.cli.giving import entries_option, give, manner_options, merged
from bridge.cli.opened import opened_bridge
from bridge.cli.options import json_option
from bridge.events import INTERACTION_MERGE, INTERACTION_UPDATE


class Reference(click.ParamType[dict[str, str]]):
    """`<id>:<type>`, like `5f3a…:voice`."""

    name = "reference"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, str]:
        if isinstance(value, dict):
            return value
        interaction_id, colon, kind = value.rpartition(":")
        if not colon:
            self.fail("must be <id>:<type>, like 5f3a-…:voice", param, ctx)
        return {"id": interaction_id, "type": kind}


@click.group("interactions")
def command() -> None:
    """Update or merge interactions in Genesys."""


@command.command("update")
@click.argument("interaction_id")
@click.option("--customer-id", required=True, help="Whose interaction it is: the CRM is asked about them.")
@entries_option("attributes", "An attribute to set")
@click.option("--disposition-code", help="How the interaction ended.")
@manner_options
@json_option
def update(
    interaction_id: str,
    customer_id: str,
    attributes: tuple[dict[str, object], ...],
    disposition_code: str | None,
    idempotency_key: str | None,
    wait: bool,
    as_json: bool,
) -> None:
    """Set attributes or the disposition of an interaction."""
    body = {
        "interaction_id": interaction_id,
        "customer_id": customer_id,
        "attributes": merged(attributes),
        "disposition_code": disposition_code,
    }
    with opened_bridge() as bridge:
        give(bridge, INTERACTION_UPDATE, body, idempotency_key=idempotency_key, wait=wait, as_json=as_json)


@command.command("merge")
@click.option(
    "--interactions",
    type=Reference(),
    multiple=True,
    required=True,
    metavar="ID:TYPE",
    help="One of those to merge, like 5f3a:voice. Repeat it for each.",
)
@click.option("--same-id/--no-same-id", default=True, show_default=True, help="The same id twice counts once.")
@click.option("--window-seconds", type=int, help="Same customer, channel and start within so many seconds count once.")
@manner_options
@json_option
def merge(
    interactions: tuple[dict[str, str], ...],
    same_id: bool,
    window_seconds: int | None,
    idempotency_key: str | None,
    wait: bool,
    as_json: bool,
) -> None:
    """Merge two or more interactions of one customer into one."""
    body = {"interactions": list(interactions), "dedupe": {"same_id": same_id, "window_seconds": window_seconds}}
    with opened_bridge() as bridge:
        give(bridge, INTERACTION_MERGE, body, idempotency_key=idempotency_key, wait=wait, as_json=as_json)
