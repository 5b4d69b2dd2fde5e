"""`/purges`: planned by one person, approved by another. It may not purge anything itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.admin.access import Right
from bridge.admin.api.command_forms import KeySchema, PurgePolicySchema, PurgeQuerySchema, Wish
from bridge.admin.api.command_shapes import GivenCommandSchema, PurgePageSchema, PurgeSchema
from bridge.admin.api.entrance import Call
from bridge.admin.api.giving import answer, asker
from bridge.admin.api.openapi import PREFIX, ApiBlueprint
from bridge.admin.api.operation import Answer, operation
from bridge.admin.api.queries import Listing, ReasonGiven, ReasonSchema
from bridge.admin.search.pages import Page, cut
from bridge.commands.purges import PurgeView

blueprint = ApiBlueprint("purges", __name__, description="Purges under a policy, with two keys.")


@operation(
    blueprint,
    "POST",
    "/purges",
    right=Right.PLAN,
    headers=KeySchema,
    body=PurgePolicySchema,
    answers={201: PurgeSchema},
    refusals=(409, 422, 503),
)
def plan_purge(call: Call, given: Mapping[str, str | None], wish: Wish) -> Answer:
    """Plan a purge; somebody else has to approve it

    Refused with 409 while another purge of the same type is open and overlaps. The same `Idempotency-Key` and body
    again give the same plan, as it stands by then.
    """
    planned = call.rooms.commands.purges.plan(
        wish.body,
        person=call.caller.person,
        asker=asker(call.caller),
        idempotency_key=given["idempotency_key"],
        violations=wish.violations,
    )
    return Answer(201, _shown(call, planned), {"Location": f"{PREFIX}/purges/{planned.id}"})


@operation(blueprint, "GET", "/purges", right=Right.LOOK, query=PurgeQuerySchema, answers={200: PurgePageSchema})
def get_purges(call: Call, asked: Listing[None]) -> Page[dict[str, Any]]:
    """Purges and plans, newest first

    From its approval on the state of a purge is that of its command.
    """
    page = asked.page
    found = call.rooms.commands.purges.list(before_id=page.before_id, limit=page.limit + 1)
    return cut(PurgeQuerySchema.listed, page, [_shown(call, one) for one in found], lambda one: str(one["id"]))


@operation(blueprint, "GET", "/purges/<uuid:purge_id>", right=Right.LOOK, answers={200: PurgeSchema}, refusals=[404])
def get_purge(call: Call, purge_id: str) -> dict[str, Any]:
    """One purge; from its approval on its state is that of its command

    `command` is null until it was approved; `GET /commands/{id}` tells its steps then.
    """
    return _shown(call, call.rooms.commands.purges.read(purge_id))


@operation(
    blueprint,
    "POST",
    "/purges/<uuid:purge_id>/approve",
    right=Right.APPROVE,
    answers={202: GivenCommandSchema},
    refusals=(404, 409, 422, 503),
)
def approve_purge(call: Call, purge_id: str) -> Answer:
    """Approve what somebody else has planned: it becomes a command

    The planner is refused with 403, whatever the role. The policy is checked again.
    """
    approved = call.rooms.commands.purges.approve(purge_id, person=call.caller.person, asker=asker(call.caller))
    return answer(call, approved)


@operation(
    blueprint,
    "POST",
    "/purges/<uuid:purge_id>/cancel",
    right=Right.CALL_OFF,
    body=ReasonSchema,
    answers={200: PurgeSchema},
    refusals=(404, 409),
    differs={"state": "cancelled"},
)
def cancel_purge(call: Call, order: ReasonGiven, purge_id: str) -> dict[str, Any]:
    """Give up a plan, or an approved purge that was not submitted to Genesys yet

    Refused with 409 once it was submitted: it can only be cancelled at Genesys then.
    """
    purges = call.rooms.commands.purges
    cancelled = purges.cancel(purge_id, reason=order.reason, person=call.caller.person, asker=asker(call.caller))
    return _shown(call, cancelled)


def _shown(call: Call, purge: PurgeView) -> dict[str, Any]:
    return {**vars(purge), "policy": call.rooms.masking.tree(purge.policy)}
