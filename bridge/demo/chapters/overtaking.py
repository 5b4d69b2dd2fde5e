"""Newer versions overtake older ones. An older one may never arrive after a newer."""

from __future__ import annotations

from bridge.demo.scene import Scene
from bridge.demo.subjects import record_subject
from bridge.demo.webhooks import Posted

TITLE = "A newer version overtakes a stale one"
ITEM = "desk-1"
SUBJECT = record_subject(ITEM)


def play(scene: Scene) -> None:
    erp = scene.stage.erp
    scene.tell.say("While the ERP is down, an item changes three times. Only the newest state is worth sending.")
    erp.close()
    waiting = [_change(scene, version) for version in (1, 2, 3)]
    # Before it opens: a try of version 1 that is under way must not find the door open again.
    overtaken = scene.until(lambda: scene.states(waiting[:2]) == ["superseded"] * 2)
    erp.open()
    arrived = scene.until(lambda: scene.states(waiting[2:]) == ["delivered"])
    scene.check("version 3 arrived; 1 and 2 are recorded as superseded", overtaken and arrived)
    scene.tell.say("Then version 5 comes, and version 4 after it.")
    newer = _change(scene, 5)
    scene.until(lambda: scene.states([newer]) == ["delivered"])
    older = _change(scene, 4)
    scene.check("4 is superseded at once", scene.until(lambda: scene.states([older]) == ["superseded"]))
    taken = [one.subject.number for one in erp.taken_of(SUBJECT)]
    scene.check("the ERP has taken 3 and 5, and nothing else", taken == [3, 5])


def _change(scene: Scene, version: int) -> Posted:
    return scene.post(scene.stage.genesys.item_changed(ITEM, version))
