"""`python -m tests.journeys.lying_demo`: the demo with an ERP that says it took one change, and did not."""

from __future__ import annotations

import sys

from rich.console import Console

from bridge.demo.receivers import Heard, Receiver
from bridge.demo.story import play
from bridge.demo.telling import Telling

FORGOTTEN = "record:InventoryItem/shelf-1"


class Forgetful(Receiver):
    """Answers everything, and keeps everything but one."""

    def remember(self, heard: Heard) -> None:
        if heard.subject.name != FORGOTTEN:
            super().remember(heard)


if __name__ == "__main__":
    ending = play(Telling(Console(quiet=True)), keep=False, receiver=Forgetful)
    print("\n".join(ending.faults))
    sys.exit(1 if ending.faults else 0)
