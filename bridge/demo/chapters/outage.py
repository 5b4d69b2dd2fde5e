"""The ERP fails, goes down and comes back, while Genesys goes on posting. It may not end before the ERP has it all."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from bridge.demo.receivers import Heard, Reply, Subject
from bridge.demo.scene import Scene
from bridge.demo.subjects import record_subject
from bridge.demo.webhooks import Posted

TITLE = "The ERP goes down, and nothing is lost"
SEEN = [f"lamp-{number}" for number in range(1, 7)]
UNSEEN = [f"lamp-{number}" for number in range(7, 19)]
#: The one whose answer comes too late: the bridge cannot know that it was taken.
LATE = record_subject(SEEN[0])
LATE_SECONDS = 2.3
#: Far more than it takes, far less than waiting for the ERP would.
QUICK_SECONDS = 0.5


def play(scene: Scene) -> None:
    erp, before = scene.stage.erp, len(scene.stage.erp.accepted())
    scene.tell.say("The ERP answers 503 for a while, then closes its port. Genesys goes on posting.")
    erp.replies(lambda subject: Reply(status=503))
    posted = scene.post_all(scene.stage.genesys.item_changed(item, 1) for item in SEEN)
    tried = scene.until(lambda: all(erp.tries_of(one.webhook.subject) for one in posted))
    erp.close()
    posted += scene.post_all(scene.stage.genesys.item_changed(item, 1) for item in UNSEEN)
    _check_the_waiting(scene, posted)
    scene.tell.say("The ERP is back, but slow: one of its answers comes too late, and is lost.")
    erp.replies(lambda subject: _late_at_first(scene, subject))
    erp.open()
    arrived = tried and scene.until_taken(erp, before + len(posted))
    settled = scene.until(lambda: set(scene.states(posted)) == {"delivered"})
    erp.recovers()
    scene.check(f"all {len(posted)} have arrived", arrived and settled)
    one_id_each = all(len({heard.webhook_id for heard in erp.tries_of(one.webhook.subject)}) == 1 for one in posted)
    scene.check("every try of one delivery carried the same webhook-id", one_id_each)
    scene.check("by it, the ERP recognised the one that came twice", len(_takes(scene, LATE)) > 1)


def _check_the_waiting(scene: Scene, posted: Sequence[Posted]) -> None:
    typical = median(one.seconds for one in posted)
    quick = {one.status for one in posted} == {202} and typical < QUICK_SECONDS
    scene.check(f"all {len(posted)} were accepted, after {typical * 1000:.0f} ms at the median", quick)
    ids = {one.event_id for one in posted}

    def all_wait() -> bool:
        owed = [one for one in scene.stage.api.every("/deliveries", destination="erp") if one["event_id"] in ids]
        waiting = [one for one in owed if one["state"] in ("pending", "sending")]
        # Refused before anything was answered: not the 503 of before.
        return len(waiting) == len(posted) and any(one["last_error"] and not one["last_status"] for one in waiting)

    scene.check(f"{len(posted)} deliveries wait for their next try, and the API says why", scene.until(all_wait))


def _late_at_first(scene: Scene, subject: Subject) -> Reply:
    return Reply(delay=LATE_SECONDS) if subject.name == LATE and not _takes(scene, LATE) else Reply()


def _takes(scene: Scene, subject: str) -> list[Heard]:
    return [one for one in scene.stage.erp.tries_of(subject) if one.accepted]
