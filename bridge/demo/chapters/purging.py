"""The purge of before has ended. It may not have taken anything that was not planned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bridge.audit.signing import is_signed_by
from bridge.demo.scene import Scene
from bridge.events import INTERACTIONS_PURGE

TITLE = "The purge has ended"
#: The oldest calls of the stand-in.
PLANNED = {"voice-1901", "voice-1902"}
#: Genesys is asked for the first time after 15 s.
PATIENCE_SECONDS = 25.0


def play(scene: Scene) -> None:
    stage, olga = scene.stage, scene.stage.people.olga
    scene.tell.say("Genesys is asked every so often, first after 15 seconds, whether it is done.")
    (asked,) = [one for one in olga.every("/commands") if one["operation"] == INTERACTIONS_PURGE]
    command = scene.command_ended(olga, asked["id"], seconds=PATIENCE_SECONDS)
    purges = list(stage.organisation.holds()["purges"].values())
    purged = [set(one["purgedIds"]) for one in purges]
    scene.check(
        "Genesys has purged the two calls that were meant, in one purge",
        command["state"] == "succeeded" and purged == [PLANNED],
    )
    heard = scene.until(lambda: bool(stage.governance.accepted()))
    entries = [one.body for one in stage.governance.accepted().values()]
    scene.check("governance has the audit entry, once", heard and len(entries) == 1)
    signed = [_is_signed(one, stage.public_key) for one in entries]
    scene.check("its Ed25519 signature is good", signed == [True])


def _is_signed(entry: Mapping[str, Any], public_key: str) -> bool:
    statement = {name: value for name, value in entry.items() if name != "auditSignature"}
    return is_signed_by(public_key, statement, entry["auditSignature"]["value"])
