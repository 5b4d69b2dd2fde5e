"""`/overview`: how the bridge is doing, at a glance. It may not change anything."""

from __future__ import annotations

from typing import Any

from bridge.admin.access import Right
from bridge.admin.api.destination_shapes import OverviewSchema
from bridge.admin.api.entrance import Call
from bridge.admin.api.openapi import ApiBlueprint
from bridge.admin.api.operation import operation

blueprint = ApiBlueprint("overview", __name__, description="How the bridge is doing, at a glance.")


@operation(blueprint, "GET", "/overview", right=Right.LOOK, answers={200: OverviewSchema})
def get_overview(call: Call) -> dict[str, Any]:
    """Everything at a glance

    What the first page of the console shows. Where counting takes long (a million rows) the figures are some seconds
    old.
    """
    seen = call.rooms.lookout.overview(call.now)
    return {**vars(seen), "audit": {"unsealed": seen.unsealed}}
