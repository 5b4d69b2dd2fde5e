"""Interactions and their attributes: what may be changed. It may not know HTTP, merges or purges."""

from __future__ import annotations

from collections.abc import Mapping

from bridge.sandbox.model import Interaction
from bridge.sandbox.notices import interaction_updated
from bridge.sandbox.reading import Fields
from bridge.sandbox.refusals import Refused
from bridge.sandbox.world import World

IMMUTABLE_KEYS = ("id", "createdDate", "updatedDate", "type", "conversationId")


def update(world: World, interaction_id: str, body: Mapping[str, object]) -> dict[str, object]:
    """The interaction under its new version.

    Raises `Refused`: 400 for an immutable key, a value that is no string, an interaction that is not active; 404.
    """
    updates, disposition = _read(body)
    with world.lock:
        interaction = world.interaction(interaction_id)
        if interaction.status != "active":
            said = f"The interaction is {interaction.status}, only an active one can be updated."
            raise Refused(400, "interaction.not.active", said)
        _apply(world, interaction, updates, disposition)
        return interaction.as_json()


def change_as_agent(world: World, interaction_id: str, body: Mapping[str, object]) -> dict[str, object]:
    """What somebody at the desk does: another status (active, archived, deleted), other attributes."""
    fields = Fields(body)
    fields.only(("status", "attributes", "dispositionCode"))
    status = None
    if fields.has("status"):
        status = fields.text("status", among=("active", "archived", "deleted"))
    fields.check()
    updates, disposition = _read(body, empty_allowed=status is not None)
    with world.lock:
        interaction = world.interaction(interaction_id)
        interaction.status = status or interaction.status
        _apply(world, interaction, updates, disposition)
        return interaction.as_json()


def _read(body: Mapping[str, object], *, empty_allowed: bool = False) -> tuple[dict[str, str], str | None]:
    fields = Fields(body)
    fields.only(("status", "attributes", "dispositionCode") if empty_allowed else ("attributes", "dispositionCode"))
    updates: dict[str, str] = {}
    for key, value in fields.mapping("attributes", required=False).items():
        if key in IMMUTABLE_KEYS:
            fields.refuse(f"attributes.{key}", "immutable", "cannot be changed")
        elif not isinstance(value, str):
            fields.refuse(f"attributes.{key[:128]}", "invalid", "a string is required")
        else:
            updates[key] = value
    disposition = fields.text("dispositionCode") if fields.has("dispositionCode") else None
    if not empty_allowed and not fields.has("attributes") and disposition is None:
        fields.refuse("attributes", "required", "attributes or a dispositionCode are required")
    fields.check()
    return updates, disposition


def _apply(world: World, interaction: Interaction, updates: Mapping[str, str], disposition: str | None) -> None:
    now = world.clock()
    interaction.attributes.update(updates)
    if disposition is not None:
        interaction.disposition_code = disposition
    interaction.version += 1
    interaction.updated = now
    world.tell(interaction_updated(interaction.id, interaction.version, updates, disposition, now))
