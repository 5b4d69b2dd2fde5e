"""The story: its chapters in order, and the account at the end. It may not play a chapter itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bridge.clock import Clock, SystemClock
from bridge.demo.accounts import Account, reckon
from bridge.demo.chapters import (
    arriving,
    conflicting,
    dying,
    forging,
    merging,
    outage,
    overtaking,
    planning,
    purging,
    reconciling,
    repeating,
    trail,
)
from bridge.demo.receivers import Receiver
from bridge.demo.scene import Scene
from bridge.demo.stage import set_stage
from bridge.demo.telling import Telling

#: The purge is begun early: Genesys is asked for the first time after 15 s whether it is done.
CHAPTERS: Final = (
    arriving,
    planning,
    outage,
    dying,
    repeating,
    forging,
    overtaking,
    trail,
    conflicting,
    merging,
    reconciling,
    purging,
)

TITLE: Final = "The bridge, from end to end"
TEXT: Final = (
    "Everything here is real: the bridge's own processes, an ERP and a CRM that listen on this machine, HTTP, "
    "signatures, a database. Nothing of yours is touched, and nothing is left behind."
)


@dataclass(frozen=True, kw_only=True)
class Ending:
    """How the demo ended."""

    account: Account
    #: What did not hold, a sentence each; empty: everything did.
    faults: tuple[str, ...]
    seconds: float


def play(tell: Telling, *, keep: bool, receiver: type[Receiver] = Receiver, clock: Clock | None = None) -> Ending:
    """Play every chapter and give the account. Raises DemoFailed where the story cannot go on."""
    clock = clock or SystemClock()
    started = clock.monotonic()
    with tell.with_bar(chapters=len(CHAPTERS)):
        tell.opening(TITLE, TEXT)
        with set_stage(clock, keep=keep, receiver=receiver) as stage:
            scene = Scene(stage=stage, tell=tell, clock=clock)
            for chapter in CHAPTERS:
                tell.chapter(chapter.TITLE)
                chapter.play(scene)
            account = _account(scene)
        tell.account(account)
    ending = Ending(account=account, faults=(*scene.broken, *account.faults), seconds=clock.monotonic() - started)
    tell.verdict(ending.faults, ending.seconds)
    if keep:
        tell.note(f"Kept: {stage.folder}  (look around in it with `bridge events list`, `bridge audit list`)")
    return ending


def _account(scene: Scene) -> Account:
    stage, api = scene.stage, scene.stage.api
    scene.until(lambda: not any(api.every("/deliveries", state=one) for one in ("pending", "sending")))
    return reckon(
        scene.posted,
        events=api.every("/events"),
        deliveries=api.every("/deliveries"),
        commands=api.every("/commands"),
        heard={"erp": stage.erp.heard, "crm": stage.crm.heard, "governance": stage.governance.heard},
    )
