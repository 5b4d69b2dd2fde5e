"""`bridge conversations …`. It may not change anything itself: a worker carries the commands out."""

from __future__ import annotations

import click

from bridge.cli.giving import entries_option, give, manner_options, merged
from bridge.cli.opened import opened_bridge
from bridge.cli.options import json_option
from bridge.events import CONVERSATION_ATTRIBUTES_UPDATE


@click.group("conversations")
def command() -> None:
    """Update conversations in Genesys."""


@command.command("update")
@click.argument("conversation_id")
@entries_option("attributes", "An attribute to set")
@click.option("--participant", help="Whose attributes they are, where the API profile keeps them per participant.")
@manner_options
@json_option
def update(
    conversation_id: str,
    attributes: tuple[dict[str, object], ...],
    participant: str | None,
    idempotency_key: str | None,
    wait: bool,
    as_json: bool,
) -> None:
    """Set attributes of a conversation, under the version that stands."""
    body = {"conversation_id": conversation_id, "attributes": merged(attributes), "participant": participant}
    with opened_bridge() as bridge:
        give(bridge, CONVERSATION_ATTRIBUTES_UPDATE, body, idempotency_key=idempotency_key, wait=wait, as_json=as_json)
