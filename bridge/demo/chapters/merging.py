"""Two interactions become one, and the worker is killed in between. It may not become two merges."""

from __future__ import annotations

from bridge.demo.calling import Thing
from bridge.demo.scene import Scene

TITLE = "The worker is killed in the middle of a merge"
INTERACTIONS = [{"id": "voice-1001", "type": "voice"}, {"id": "chat-1002", "type": "chat"}]


def play(scene: Scene) -> None:
    stage, olga = scene.stage, scene.stage.people.olga
    scene.tell.say("A call and a chat of one customer are to become one interaction. Genesys works on it for a while.")
    asked = olga.order("/merges", {"interactions": INTERACTIONS})
    submitted = scene.until(lambda: _is_submitted(scene, asked["command"]))
    pid = stage.programs.pid("worker")
    stage.programs.kill("worker")
    stage.programs.start_again("worker")
    scene.tell.say(f"Now the worker, process {pid}, gets SIGKILL, and another one is started.")
    command = scene.command_ended(olga, asked["command"])
    merges = list(stage.organisation.holds()["merges"].values())
    scene.check("the new one goes on where the old one was", submitted and command["state"] == "succeeded")
    scene.check("Genesys has counted one merge, submitted once", [one["submissions"] for one in merges] == [1])
    for merge in merges:
        _check_who_heard(scene, merge)


def _is_submitted(scene: Scene, command_id: str) -> bool:
    """Genesys has it, and the worker has noted that it has, and holds nothing."""
    merges = scene.stage.organisation.holds()["merges"]
    (owed,) = scene.stage.api.every("/deliveries", event_id=command_id)
    return len(merges) == 1 and owed["state"] == "pending"


def _check_who_heard(scene: Scene, merge: Thing) -> None:
    subject = f"interaction:{merge['id']}"
    heard = scene.until(lambda: bool(scene.stage.crm.taken_of(subject)))
    scene.check("the CRM has heard of it, once", heard and len(scene.stage.crm.taken_of(subject)) == 1)
    exports = [one for one in scene.stage.organisation.holds()["exports"].values() if merge["id"] in str(one)]
    scene.check("the data lake gets it", len(exports) == 1)
