"""Who did what to one record. It may not change anything."""

from __future__ import annotations

from datetime import datetime

from bridge.demo.chapters.dying import REASON, SUBJECT
from bridge.demo.scene import Scene

TITLE = "What the auditor sees"
ACTIONS = ["event.recorded", "delivery.dead", "replay.delivery", "delivery.delivered"]


def play(scene: Scene) -> None:
    scene.tell.say(f"Every entry about {SUBJECT}, the item that was rejected and sent again:")
    entries = scene.stage.api.every("/audit", subject=SUBJECT)[::-1]
    scene.tell.rows(
        *((_moment(one["at"]), _shown(one["actor"]), one["action"], one["reason"] or "") for one in entries)
    )
    told = [one["action"] for one in entries] == ACTIONS and REASON in [one["reason"] for one in entries]
    scene.check("nothing is missing: who did what, when, and why", told)


def _moment(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%H:%M:%S.%f")[:-3]


def _shown(actor: str) -> str:
    """A token's id is long; its beginning tells it apart here."""
    return actor[:14]
