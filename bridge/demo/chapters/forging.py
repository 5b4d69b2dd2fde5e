"""Somebody who has not the secret posts webhooks. Nothing of them may be kept but the fact."""

from __future__ import annotations

from bridge.demo.scene import Scene

TITLE = "Somebody forges a webhook"


def play(scene: Scene) -> None:
    genesys, api = scene.stage.genesys, scene.stage.api
    scene.tell.say(
        "One is signed with a guessed secret, one was changed after it was signed, one is not signed at all."
    )
    events, rejections = len(api.every("/events")), len(api.every("/rejections"))
    forged, honest = genesys.item_changed("vault-1", 1), genesys.item_changed("vault-1", 2)
    signatures = [genesys.sign(forged.body, b"guessed"), genesys.sign(honest.body), ""]
    posted = [scene.post(forged, signature=one) for one in signatures]
    scene.check("each was answered 401", {one.status for one in posted} == {401})
    # Rejections are written behind the answer.
    noted = scene.until(lambda: len(api.every("/rejections")) == rejections + len(posted))
    scene.check("nothing is left of them but three rejections", noted and len(api.every("/events")) == events)
    scene.check("nobody heard of them", not scene.stage.erp.tries_of(forged.subject))
