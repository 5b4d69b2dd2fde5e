"""What the ERP and the CRM read in the bodies that they get. It may not know how they came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.demo.receivers import Subject

SCHEMA = "InventoryItem"


def record_subject(record_id: str) -> str:
    return f"record:{SCHEMA}/{record_id}"


def conversation_subject(conversation_id: str) -> str:
    return f"conversation:{conversation_id}"


def read_erp_body(body: Mapping[str, Any]) -> Subject:
    """Of `{schemaName, recordId, fields, …}`; the demo numbers the changes of a record in a field of their own."""
    return Subject(name=f"record:{body['schemaName']}/{body['recordId']}", number=body["fields"].get("revision"))


def read_crm_body(body: Mapping[str, Any]) -> Subject:
    """Of `{eventType, payload}`, or of a merge."""
    if "payload" not in body:
        return Subject(name=f"interaction:{body['interactionId']}", number=None)
    payload = body["payload"]
    if "conversationId" in payload:
        return Subject(name=conversation_subject(payload["conversationId"]), number=payload["version"])
    return Subject(name=f"interaction:{payload['interactionId']}", number=None)


def read_audit_entry(body: Mapping[str, Any]) -> Subject:
    """Of the signed end of a purge."""
    return Subject(name=f"purge:{body['purgeId']}", number=None)
