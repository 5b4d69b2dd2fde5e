"""`/audit`: who did what. It may not change an entry."""

from __future__ import annotations

from typing import Any

from bridge.admin.access import Right
from bridge.admin.api.entrance import Call
from bridge.admin.api.openapi import ApiBlueprint
from bridge.admin.api.operation import operation
from bridge.admin.api.queries import AuditFilter, AuditQuerySchema, Listing
from bridge.admin.api.shapes import AuditEntrySchema, AuditPageSchema
from bridge.admin.search.pages import Page, cut
from bridge.audit.search import get_entry, list_entries
from bridge.tables import AuditEntryRow

blueprint = ApiBlueprint("audit", __name__, description="Who did what to which subject, when, and why.")


@operation(blueprint, "GET", "/audit", right=Right.LOOK, query=AuditQuerySchema, answers={200: AuditPageSchema})
def list_audit(call: Call, asked: Listing[AuditFilter]) -> Page[dict[str, Any]]:
    """Audit entries, newest first

    `since` and `until` mean `at`.
    """
    page = asked.page
    with call.rooms.database.read() as session:
        rows = list_entries(session, **vars(asked.filter), before_id=page.before_id, limit=page.limit + 1)
    return cut(AuditQuerySchema.listed, page, [_shown(row) for row in rows], lambda entry: str(entry["id"]))


@operation(
    blueprint, "GET", "/audit/<uuid:entry_id>", right=Right.LOOK, answers={200: AuditEntrySchema}, refusals=[404]
)
def get_audit_entry(call: Call, entry_id: str) -> dict[str, Any]:
    """One audit entry"""
    with call.rooms.database.read() as session:
        return _shown(get_entry(session, entry_id))


def _shown(row: AuditEntryRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "at": row.at,
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "reason": row.reason,
        "details": row.details,
        # Nothing seals yet: an entry that says so is worth more than one that says nothing.
        "sealed": False,
        "hash": None,
    }
