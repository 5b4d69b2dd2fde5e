"""Signed webhooks come in and go out, in order per record. It may not disturb anybody."""

from __future__ import annotations

import json
from statistics import median

from bridge.demo.accounts import backward_steps
from bridge.demo.scene import Scene
from bridge.demo.webhooks import Posted

TITLE = "Genesys speaks, the others hear"
ITEMS = [f"item-{number}" for number in range(1, 9)]
CONVERSATIONS = [f"conversation-{number}" for number in range(1, 5)]
ROUNDS = 3
CHANGES_PER_ROUND = 2


def play(scene: Scene) -> None:
    erp, crm = scene.stage.erp, scene.stage.crm
    items, talks = len(ITEMS) * ROUNDS, len(CONVERSATIONS) * ROUNDS * CHANGES_PER_ROUND
    scene.tell.say(
        f"{items + talks} signed webhooks: {len(ITEMS)} stock items and {len(CONVERSATIONS)} conversations change, "
        "several times each. The ERP wants the items, the CRM the conversations."
    )
    posted: list[Posted] = []
    items_arrived = True
    for number in range(1, ROUNDS + 1):
        posted += _round(scene, number)
        # One round after the other: of an item, the ERP gets the newest state only, not what a newer one overtook.
        items_arrived &= scene.until_taken(erp, len(ITEMS) * number)
    talks_arrived = scene.until_taken(crm, talks)
    typical = median(one.seconds for one in posted) * 1000
    accepted = {one.status for one in posted} == {202}
    scene.check(f"each was answered 202, after {typical:.0f} ms at the median", accepted)
    scene.check(f"the ERP has all {items} item changes, in order", items_arrived and not backward_steps(erp.heard))
    scene.check(f"the CRM has all {talks} attribute changes, in order", talks_arrived and not backward_steps(crm.heard))
    scene.check("the receivers verified the signature of every request", erp.unsigned + crm.unsigned == 0)
    scene.tell.say("The first that the ERP heard:")
    for first in erp.heard[:1]:
        scene.tell.example(f"webhook-id: {first.webhook_id}", json.dumps(first.body))


def _round(scene: Scene, number: int) -> list[Posted]:
    genesys = scene.stage.genesys
    posted = scene.post_all(genesys.item_changed(item, number) for item in ITEMS)
    first = (number - 1) * CHANGES_PER_ROUND + 1
    for version in range(first, first + CHANGES_PER_ROUND):
        posted += scene.post_all(genesys.attributes_changed(one, version) for one in CONVERSATIONS)
    return posted
