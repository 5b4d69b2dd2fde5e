"""A delivery is rejected, dies visibly, and is replayed over the API. It may not hold up any other."""

from __future__ import annotations

from bridge.demo.receivers import Reply
from bridge.demo.scene import Scene
from bridge.demo.subjects import record_subject

TITLE = "A delivery dies, and is sent again"
ITEM = "chair-1"
#: The record whose audit trail is shown at the end.
SUBJECT = record_subject(ITEM)
NEIGHBOUR = "chair-2"
REASON = "item is known now"


def play(scene: Scene) -> None:
    erp, api, genesys = scene.stage.erp, scene.stage.api, scene.stage.genesys
    scene.tell.say("The ERP does not know one item and rejects it with 422: trying again would not help.")
    erp.replies(lambda subject: Reply(status=422 if subject.name == SUBJECT else 204))
    bad = scene.post(genesys.item_changed(ITEM, 1))
    good = scene.post(genesys.item_changed(NEIGHBOUR, 1))
    died = scene.until(lambda: scene.states([bad]) == ["dead"])
    (dead,) = scene.deliveries(bad)
    one_try = len(erp.tries_of(SUBJECT)) == 1
    scene.check("it is dead after one try, and says so: " + str(dead["last_error"]), died and one_try)
    scene.check("its neighbour was not held up", scene.until(lambda: scene.states([good]) == ["delivered"]))
    scene.tell.say("The ERP is mended, and an operator orders a replay over the API, with a reason.")
    erp.recovers()
    replay = api.order(f"/deliveries/{dead['id']}/replay", {"reason": REASON})
    delivered = scene.until(lambda: api.read(f"/deliveries/{replay['id']}")["state"] == "delivered")
    tries = erp.tries_of(SUBJECT)
    same = {one.webhook_id for one in tries} == {dead["webhook_id"]}
    scene.check("it has arrived, under the webhook-id of before", delivered and same and tries[-1].accepted)
