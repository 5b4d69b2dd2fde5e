"""The same webhook comes again. It may not reach anybody a second time."""

from __future__ import annotations

from dataclasses import replace

import orjson

from bridge.demo.scene import Scene

TITLE = "The same webhook comes again"


def play(scene: Scene) -> None:
    genesys, erp = scene.stage.genesys, scene.stage.erp
    scene.tell.say("Genesys may post one change several times; the last time with another correlation id.")
    original = genesys.item_changed("shelf-1", 1)
    first = scene.post(original)
    scene.until(lambda: scene.states([first]) == ["delivered"])
    document = orjson.loads(original.body) | {"metadata": {"CorrelationId": "another"}}
    again = [scene.post(original), scene.post(replace(original, body=orjson.dumps(document)))]
    answered = all(one.status == 200 and one.is_duplicate and one.event_id == first.event_id for one in again)
    scene.check("each repeat was answered 200, duplicate, with the id of the first", answered)
    event = scene.stage.api.read(f"/events/{first.event_id}")
    scene.check(f"one event is recorded, which counts {len(again)} repeats", event["duplicates"] == len(again))
    once = len(scene.deliveries(first)) == 1 and len(erp.taken_of(original.subject)) == 1
    scene.check("it was sent once", once)
