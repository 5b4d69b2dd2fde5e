"""A purge is planned by one person and approved by another. It may not wait for its end: Genesys takes its time."""

from __future__ import annotations

from datetime import timedelta

from bridge.clock import rfc3339
from bridge.demo.calling import Thing
from bridge.demo.scene import Scene

TITLE = "A purge needs two people"
RETENTION_DAYS = 365
FORBIDDEN = 403


def play(scene: Scene) -> None:
    people = scene.stage.people
    scene.tell.say("Olga plans to purge voice interactions that are older than a year. That cannot be undone.")
    plan = people.olga.order("/purges", _policy(scene))
    refused = people.olga_as_approver.refusal_of(f"/purges/{plan['id']}/approve")
    scene.check("her own approval does not count: 403", refused == FORBIDDEN)
    asked = people.anton.order(f"/purges/{plan['id']}/approve")
    scene.check("Anton's does: it goes to Genesys, which takes its time", bool(asked["command"]))


def _policy(scene: Scene) -> Thing:
    now = scene.clock.now()
    return {
        "interactionType": "voice",
        "dateRange": {
            "start": rfc3339(now - timedelta(days=RETENTION_DAYS * 2)),
            "end": rfc3339(now - timedelta(days=RETENTION_DAYS + 1)),
        },
        "retentionDays": RETENTION_DAYS,
        "classification": "internal",
        "purgeType": "permanent",
        "reason": "older than the policy allows to keep",
        "everything": True,
    }
