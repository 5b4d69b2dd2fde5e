"""`/erasures`: what is kept of one person is made unreadable. It may not recall what was delivered."""

from __future__ import annotations

from typing import Any

from bridge.admin.access import Right
from bridge.admin.api.entrance import Call
from bridge.admin.api.erasure_forms import ErasureOrderSchema, ErasureReportSchema, ErasureWish
from bridge.admin.api.openapi import ApiBlueprint
from bridge.admin.api.operation import operation
from bridge.keeping.erasure_search import ErasureOrder

blueprint = ApiBlueprint("erasures", __name__, description="Making what is kept of one person unreadable, for good.")


@operation(
    blueprint,
    "POST",
    "/erasures",
    right=Right.ERASE,
    body=ErasureOrderSchema,
    answers={200: ErasureReportSchema},
    refusals=(409, 503),
)
def post_erasure(call: Call, wish: ErasureWish) -> dict[str, Any]:
    """Erase what is kept of one subject, or of one customer, or with `dry_run` count it

    A customer is found by id, phone number or e-mail address. The content of every event goes for good, the envelope
    and the audit stay; what is still owed is cancelled. The answer tells what was delivered before, and to whom: we
    cannot recall that. Refused with 409 under a legal hold, which it names. Given again, it goes on where it stopped.
    The audit keeps it: `GET /audit?action=erasure.completed`.
    """
    order = ErasureOrder(subject=wish.subject, customer=wish.customer, reason=wish.reason, actor=call.caller.actor)
    erasures = call.rooms.erasures
    report = erasures.preview(order) if wish.dry_run else erasures.erase(order)
    return {"dry_run": wish.dry_run, **vars(report)}
