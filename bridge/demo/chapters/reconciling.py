"""A record is changed under a version that is stale. Nobody's change may be overwritten."""

from __future__ import annotations

from bridge.demo.scene import Scene
from bridge.demo.subjects import SCHEMA, record_subject

TITLE = "A record under a stale version"
ITEM = "item-3001"
SUBJECT = record_subject(ITEM)


def play(scene: Scene) -> None:
    organisation, crm_team = scene.stage.organisation, scene.stage.people.crm_team
    scene.tell.say(
        "An agent has changed an item's price. The CRM still has the version before, and takes one from stock."
    )
    seen = organisation.holds()["records"][f"{SCHEMA}/{ITEM}"]
    agents = organisation.agent_changes_item(ITEM, {"price": 21.5})
    asked = crm_team.order(
        f"/records/{SCHEMA}/{ITEM}",
        {
            "version": seen["version"],
            "fields": {**seen["fields"], "quantity": seen["fields"]["quantity"] - 1},
            "on_conflict": "retry",
        },
        method="PUT",
    )
    command = scene.command_ended(crm_team, asked["command"])
    scene.check("Genesys refused with 409, once; only the quantity was sent again", command["conflicts"] == 1)
    now = organisation.holds()["records"][f"{SCHEMA}/{ITEM}"]
    both = (now["fields"]["price"], now["fields"]["quantity"]) == (21.5, seen["fields"]["quantity"] - 1)
    scene.check("price and quantity are both as they should be", both and now["version"] == agents["version"] + 1)
    told = scene.until(lambda: any(one.body["fields"] == now["fields"] for one in scene.stage.erp.tries_of(SUBJECT)))
    scene.check("the ERP has heard of it", told)
