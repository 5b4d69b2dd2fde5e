"""`/rejections`: requests that were refused. It may not show a body."""

from __future__ import annotations

from bridge.admin.access import Right
from bridge.admin.api.entrance import Call
from bridge.admin.api.event_shapes import RejectionPageSchema
from bridge.admin.api.openapi import ApiBlueprint
from bridge.admin.api.operation import operation
from bridge.admin.api.queries import Listing, RejectionQuerySchema
from bridge.admin.search.pages import Page
from bridge.admin.search.rejections import FoundRejection, RejectionFilter, find_rejections

blueprint = ApiBlueprint("rejections", __name__, description="Requests that were refused, by cause.")


@operation(
    blueprint, "GET", "/rejections", right=Right.LOOK, query=RejectionQuerySchema, answers={200: RejectionPageSchema}
)
def list_rejections(call: Call, asked: Listing[RejectionFilter]) -> Page[FoundRejection]:
    """Refused requests, newest first

    Not every one is kept: they are bounded per second. `since` and `until` mean `at`.
    """
    with call.rooms.database.read() as session:
        return find_rejections(session, asked.filter, asked.page)
