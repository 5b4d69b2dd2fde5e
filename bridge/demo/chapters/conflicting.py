"""A conversation is changed by an agent while the bridge is about to change it. Neither change may be lost."""

from __future__ import annotations

from bridge.demo.scene import Scene
from bridge.demo.subjects import conversation_subject

TITLE = "Two write at the same time"
CONVERSATION = "conv-2001"
PATH = f"/api/v2/conversations/{CONVERSATION}"
#: Long enough that an agent's change comes first, and is told of.
HELD_UP_SECONDS = 1.5


def play(scene: Scene) -> None:
    organisation, erp_team = scene.stage.organisation, scene.stage.people.erp_team
    scene.tell.say("The other way round: the ERP has the bridge set an attribute in Genesys. An agent is faster.")
    organisation.is_slow_once("PATCH", f"{PATH}/attributes", HELD_UP_SECONDS)
    asked = erp_team.order(
        f"/conversations/{CONVERSATION}/attributes", {"attributes": {"stock": "reserved"}}, method="PATCH"
    )
    scene.until(lambda: organisation.times_asked("GET", PATH) > 0)
    agents = organisation.agent_changes_conversation(CONVERSATION, {"mood": "better"})
    command = scene.command_ended(erp_team, asked["command"])
    now = organisation.holds()["conversations"][CONVERSATION]
    scene.check("Genesys refused the stale version with 412, once; it was read again", command["conflicts"] == 1)
    both = now["attributes"]["stock"] == "reserved" and now["attributes"]["mood"] == "better"
    scene.check("both changes are there", both and now["version"] == agents["version"] + 1)
    subject = conversation_subject(CONVERSATION)
    scene.until(lambda: len(scene.stage.crm.taken_of(subject)) > 1)
    told = sorted(one.subject.number or 0 for one in scene.stage.crm.taken_of(subject))
    scene.check("the CRM has heard of both, of each once", told == [agents["version"], now["version"]])
