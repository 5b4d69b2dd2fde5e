"""What a command asks for beside what a webhook tells: the same, or something that speaks against it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge import events
from bridge.genesys.enrichment import ENRICHED
from bridge.intake.canonical import canonical_json


def says_the_same(event_type: str, payload: Mapping[str, Any], operation: str, body: Mapping[str, Any]) -> bool:
    """True where `payload` tells exactly of the change that `body` asks for."""
    match operation, event_type:
        case events.CONVERSATION_ATTRIBUTES_UPDATE, events.CONVERSATION_ATTRIBUTES_UPDATED:
            return _same(payload.get("updatedAttributes"), body["attributes"])
        case events.INTERACTION_UPDATE, events.INTERACTION_UPDATED:
            told = payload.get("updatedAttributes") or {}
            # What the bridge itself has added from the CRM.
            asked = {**{key: told[key] for key in ENRICHED if key in told}, **body.get("attributes", {})}
            return _same(told, asked) and payload.get("dispositionCode") == body.get("disposition_code")
        case events.RECORD_UPDATE, events.RECORD_UPDATED | events.RECORD_CREATED:
            return _same(payload.get("fields"), body["fields"])
        case _:
            return False


def speaks_against(payload: Mapping[str, Any], body: Mapping[str, Any]) -> bool:
    """True where `payload` tells of another value for something that `body` asks for."""
    asked, told = dict(body.get("attributes") or body.get("fields") or {}), dict(_values(payload))
    if body.get("disposition_code") is not None and payload.get("dispositionCode") is not None:
        asked["dispositionCode"], told["dispositionCode"] = body["disposition_code"], payload["dispositionCode"]
    return any(key in told and not _same(told[key], value) for key, value in asked.items())


def _values(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    return payload.get("updatedAttributes") or payload.get("fields") or {}


def _same(told: object, asked: object) -> bool:
    # Not `==`: True is not 1.
    return canonical_json(told) == canonical_json(asked)
