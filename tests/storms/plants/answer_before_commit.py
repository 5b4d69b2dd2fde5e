"""For web: the sender is told 202 at once, and the event is committed a tenth of a second later."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from bridge.clock import new_id
from bridge.intake.ledger import Rejection
from bridge.intake.recorder import Arrival, Receipt
from bridge.intake.shared_commits import SharedCommits

BEHIND_SECONDS = 0.1


def plant() -> None:
    commit = SharedCommits.submit

    def submit(
        self: SharedCommits, arrivals: Sequence[Arrival], *, rejections: Sequence[Rejection] = ()
    ) -> list[Receipt]:
        later = threading.Timer(BEHIND_SECONDS, commit, (self, arrivals), {"rejections": rejections})
        later.daemon = True
        later.start()
        return [
            Receipt(event_id=new_id(), type=one.event.type, subject=one.event.subject, duplicate=False)
            for one in arrivals
        ]

    SharedCommits.submit = submit  # type: ignore[method-assign]
