"""The parts of the API's paths that stand for something: what each is, and how it may look. It may not look one up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from bridge.admin.api.fields import NO_CONTROL_CHARACTERS
from bridge.admin.api.shapes import DELIVERY_ID, EVENT_ID

_PART: Final = re.compile(r"<(\w+):(\w+)>")
#: Name → meaning, example.
_PARTS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "event_id": ("An event's id.", EVENT_ID),
        "delivery_id": ("A delivery's id.", DELIVERY_ID),
        "replay_id": ("A replay's id.", "01a20362-1b3c-7f42-8d90-5e6f7a8b9c0d"),
        "command_id": ("A command's id, as it was answered when the command was given.", EVENT_ID),
        "purge_id": ("A purge's id.", "01a20375-4d5e-7f60-8a9b-acbdcedfe0f1"),
        "hold_id": ("A legal hold's id.", "01a20375-4d5e-7f60-8a9b-acbdcedfe0f2"),
        "entry_id": ("An audit entry's id.", "01a20361-77c1-7b3a-9c4d-5e6f70819233"),
        "token_id": (
            "A token's id: what stands between the first two `_` of it.",
            "01a20300-5c6d-7e8f-9a0b-1c2d3e4f5a6b",
        ),
        "name": ("A destination's name, as configured.", "erp"),
        "destination": ("A destination's name, as configured.", "erp"),
        "subject": ("The lane's subject; its slashes stay as they are.", "record:InventoryItem/item-3001"),
        "event_type": ("An event type that GET /schemas lists.", "custom_object.record.updated"),
        "interaction_id": ("The interaction's id at Genesys.", "voice-1001"),
        "conversation_id": ("The conversation's id at Genesys.", "conv-2001"),
        "schema": ("The name of the record's schema at Genesys.", "InventoryItem"),
        "record_id": ("The record's id at Genesys.", "item-3001"),
    }
)
_LONGEST: Final = {"subject": 600, "name": 64, "destination": 64}


def path_parameters(path: str) -> list[dict[str, Any]]:
    """What OpenAPI says of the parts of `path` (Flask's notation)."""
    return [_parameter(kind, name) for kind, name in _PART.findall(path)]


def _parameter(kind: str, name: str) -> dict[str, Any]:
    meaning, example = _PARTS[name]
    rules: dict[str, Any] = {"minLength": 1, "maxLength": _LONGEST.get(name, 255), "pattern": NO_CONTROL_CHARACTERS}
    if kind == "uuid":
        rules = {"format": "uuid"}
    schema = {"type": "string", **rules}
    return {"in": "path", "name": name, "required": True, "description": meaning, "example": example, "schema": schema}
