"""`/audit`: who did what. It may not change an entry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bridge.admin.access import Right
from bridge.admin.api.audit_shapes import AuditEntrySchema, AuditExportSchema, AuditPageSchema, VerificationSchema
from bridge.admin.api.entrance import Call
from bridge.admin.api.openapi import ApiBlueprint
from bridge.admin.api.operation import Answer, Lines, operation
from bridge.admin.api.queries import AuditQuerySchema, ExternalHeadSchema, Listing
from bridge.admin.search.pages import Page, cut
from bridge.audit.export import exported
from bridge.audit.search import AuditFilter, get_entry, hashes_of, list_entries
from bridge.audit.verify import ExternalHead, Verification, verify
from bridge.tables import AuditEntryRow

blueprint = ApiBlueprint("audit", __name__, description="Who did what to which subject, when, and why.")


@operation(blueprint, "GET", "/audit", right=Right.LOOK, query=AuditQuerySchema, answers={200: AuditPageSchema})
def list_audit(call: Call, asked: Listing[AuditFilter]) -> Page[dict[str, Any]]:
    """Audit entries, newest first

    `since` and `until` mean `at`.
    """
    page = asked.page
    with call.rooms.database.read() as session:
        found = list_entries(
            session, asked.filter, before_id=page.before_id, limit=page.limit + 1, examined=page.examined
        )
        hashes = hashes_of(session, [row.id for row in found.rows])
    shown = [_shown(row, hashes.get(row.id)) for row in found.rows]
    return cut(AuditQuerySchema.listed, page, shown, lambda entry: str(entry["id"]), floor=found.floor)


@operation(
    blueprint, "GET", "/audit/<uuid:entry_id>", right=Right.LOOK, answers={200: AuditEntrySchema}, refusals=[404]
)
def get_audit_entry(call: Call, entry_id: str) -> dict[str, Any]:
    """One audit entry

    `hash` is its place in the signed chain; null until it is sealed, some seconds after it was written.
    """
    with call.rooms.database.read() as session:
        return _shown(get_entry(session, entry_id), hashes_of(session, [entry_id]).get(entry_id))


@operation(
    blueprint, "POST", "/audit/verify", right=Right.EXPORT, body=ExternalHeadSchema, answers={200: VerificationSchema}
)
def verify_audit(call: Call, asked: ExternalHead | None) -> Verification:
    """Whether the audit is as it was written: the first entry that was edited, removed, inserted or moved

    Give a head that you kept, or nothing, to check the chain against.
    """
    with call.rooms.database.read() as session:
        found = verify(session, trusted=call.rooms.trusted_keys, external=asked)
    with call.rooms.database.write() as session:
        call.note(session, "audit.verified", "audit:chain", sealed=found.sealed, problem=found.problem)
    return found


@operation(blueprint, "GET", "/audit/export", right=Right.EXPORT, answers={200: AuditExportSchema})
def export_audit(call: Call) -> Answer:
    """Every sealed entry with its place in the chain and the signed heads, as lines of JSON

    Whoever has the public key can verify it without us: the first line says which, the README how.
    """
    rooms = call.rooms

    def lines() -> Iterator[bytes]:
        with rooms.database.read() as session:
            yield from exported(session, rooms.public_key)

    return Answer(200, Lines(lines()))


def _shown(row: AuditEntryRow, hash_: str | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": row.at,
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "reason": row.reason,
        "details": row.details,
        "sealed": hash_ is not None,
        "hash": hash_,
    }
