"""Kind `governance`: the signed ends of purges, and the seals of the audit. It may not sign or change anything.

The body is the event's payload, as it was signed. Of a purge: whoever takes `auditSignature` out can verify the rest
with `bridge.audit.signing.is_signed_by`, or with any Ed25519 over JSON with sorted keys and no blanks. Of a seal:
`signature` is the one over `bridge.audit.seal.head_statement`. (A `transform` of the configuration makes a body of its
own, which neither covers.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from bridge.destinations.forwarder import HttpForwarder
from bridge.events import AUDIT_SEALED, PURGE_CANCELLED, PURGE_COMPLETED, PURGE_FAILED, RecordedEvent

AUDIT_SOURCE = "genesys-purge-orchestrator"
_AUDIT_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


class Governance(HttpForwarder):
    default_events = (PURGE_COMPLETED, PURGE_FAILED, PURGE_CANCELLED, AUDIT_SEALED)
    sendable = frozenset(default_events)
    trial_type = AUDIT_SEALED

    def body(self, event: RecordedEvent) -> object:
        return event.payload

    def kind_headers(self, event: RecordedEvent) -> Mapping[str, str]:
        """The request is named by the entry that it brings; a seal, which is none, by its event."""
        audit_id = event.payload.get("auditId")
        named = isinstance(audit_id, str) and _AUDIT_ID.fullmatch(audit_id)
        return {"X-Audit-Source": AUDIT_SOURCE, "X-Request-ID": str(audit_id) if named else event.id}
