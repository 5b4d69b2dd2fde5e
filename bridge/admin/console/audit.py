"""Pages of the audit: who did what, and whether it is as it was written. They may not change an entry."""

from __future__ import annotations

from flask import Response, request

from bridge.admin.access import Right
from bridge.admin.api.audit import export_audit, get_audit_entry, list_audit, verify_audit
from bridge.admin.api.operation import Lines
from bridge.admin.api.queries import AuditQuerySchema
from bridge.admin.console.door import Visit, page
from bridge.admin.console.queries import first_found, read_listing
from bridge.admin.console.rendering import show
from bridge.audit.verify import Verification

_QUERY = AuditQuerySchema()


@page("/audit", right=Right.LOOK)
def audit(visit: Visit) -> Response:
    return _audit_page(visit, None)


@page("/audit/verify", right=Right.EXPORT, method="POST")
def verify_chain(visit: Visit) -> Response:
    return _audit_page(visit, verify_audit(visit.call, None))


@page("/audit/<uuid:entry_id>", right=Right.LOOK)
def audit_entry(visit: Visit, entry_id: str) -> Response:
    return show("audit_entry.html", entry=get_audit_entry(visit.call, entry_id))


@page("/audit/export", right=Right.EXPORT)
def export_chain(visit: Visit) -> Response:
    lines = export_audit(visit.call).value
    assert isinstance(lines, Lines)
    headers = {"Content-Disposition": 'attachment; filename="audit.ndjson"'}
    return Response(lines.lines, content_type="application/x-ndjson", headers=headers)


def _audit_page(visit: Visit, verification: Verification | None) -> Response:
    asked = read_listing(_QUERY, request.args)
    found = None if asked.listing is None else first_found(list_audit, _QUERY.listed, visit.call, asked.listing)
    return show("audit.html", status=asked.status, asked=asked, found=found, verification=verification)
