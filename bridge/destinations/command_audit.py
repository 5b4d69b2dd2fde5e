"""What the audit says of a command (spec, part 9, "Audit content by action"). It may not mask: the notes do.

A flag is set only where the bridge did that thing in this operation.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge import events
from bridge.audit.notes import AuditEntry
from bridge.audit.signing import AuditSigner
from bridge.clock import new_id, rfc3339
from bridge.events import RecordedEvent
from bridge.genesys import Fact, Measures

_PURGE_FACTS = frozenset({events.PURGE_COMPLETED, events.PURGE_FAILED, events.PURGE_CANCELLED})


def audit_entry(
    event: RecordedEvent, result: Mapping[str, object], measures: Measures, status: str, signer: AuditSigner
) -> AuditEntry:
    """The entry of one command that ended; `status` is succeeded, failed or refused."""
    body: Mapping[str, Any] = event.payload["body"]  # type: ignore[assignment]  # as `commands.asking` recorded it
    told: dict[str, object] = {"status": status, "commandId": event.id, "latencyMs": measures.latency_ms}
    told |= _DETAILS[event.type](body, result, measures)
    if "error" in result:
        told["error"] = result["error"]
    if event.type == events.INTERACTIONS_PURGE:
        told["auditSignature"] = signer.sign(told)
    return AuditEntry(actor="worker", action=event.type, subject=event.subject, details=told)


def signed_fact(cause: RecordedEvent, fact: Fact, signer: AuditSigner) -> Mapping[str, object]:
    """The fact's payload; the end of a purge becomes the signed audit entry that governance gets (spec 4, 5.4)."""
    if fact.type not in _PURGE_FACTS:
        return fact.payload
    entry: dict[str, object] = {
        "auditId": new_id(),
        "timestamp": rfc3339(fact.occurred_at or cause.received_at),
        "command": cause.id,
        **{key: fact.payload.get(key) for key in ("purgeId", "status", "policyApplied", "metrics", "complianceTags")},
    }
    return entry | {"auditSignature": signer.sign(entry)}


def _interaction_update(body: Mapping[str, Any], result: Mapping[str, object], measures: Measures) -> dict[str, object]:
    return {
        "interactionId": body.get("interaction_id"),
        "updatedAttributes": result.get("updatedAttributes", body.get("attributes")),
        "dispositionCode": body.get("disposition_code"),
        "userId": body.get("customer_id"),
        "retries": measures.retries,
        "complianceFlags": ["pii-masked", "retention-validated"] if "updatedAttributes" in result else ["pii-masked"],
    }


def _conversation_update(
    body: Mapping[str, Any], result: Mapping[str, object], measures: Measures
) -> dict[str, object]:
    return {
        "conversationId": body.get("conversation_id"),
        "version": result.get("version"),
        "updatedKeys": sorted(body.get("attributes", {})),
        "conflicts": measures.conflicts,
    }


def _merge(body: Mapping[str, Any], result: Mapping[str, object], _measures: Measures) -> dict[str, object]:
    return {
        "mergeRequestId": result.get("mergeRequestId", body.get("merge_request_id")),
        "sourceInteractions": result.get("sourceInteractionIds", [one["id"] for one in body.get("interactions", ())]),
        "mergedInteractionId": result.get("mergedInteractionId"),
        "dataRetentionPolicy": "retention-validated" if "mergedInteractionId" in result else None,
        "piiMasked": True,
        "complianceFramework": None,
    }


def _record_update(body: Mapping[str, Any], result: Mapping[str, object], measures: Measures) -> dict[str, object]:
    return {
        "schemaName": body.get("schema"),
        "recordId": body.get("record_id"),
        "fromVersion": body.get("version"),
        "toVersion": result.get("version"),
        "changedFields": sorted(body.get("fields", {})),
        "conflicts": measures.conflicts,
    }


def _purge(body: Mapping[str, Any], result: Mapping[str, object], _measures: Measures) -> dict[str, object]:
    return {
        "policyApplied": dict(body),
        "metrics": result.get("metrics"),
        "complianceTags": result.get("complianceTags"),
    }


_DETAILS = {
    events.INTERACTION_UPDATE: _interaction_update,
    events.CONVERSATION_ATTRIBUTES_UPDATE: _conversation_update,
    events.INTERACTION_MERGE: _merge,
    events.RECORD_UPDATE: _record_update,
    events.INTERACTIONS_PURGE: _purge,
}
