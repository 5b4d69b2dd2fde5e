"""Everything of commands that a door needs, made once per process. It may not hold a rule of its own."""

from __future__ import annotations

from dataclasses import dataclass

from bridge.commands.asking import Commands
from bridge.commands.history import RecordHistory
from bridge.commands.purges import Purges
from bridge.commands.waiting import CommandWaits


@dataclass(frozen=True, kw_only=True)
class CommandRoom:
    """What the API hands to its views."""

    commands: Commands
    purges: Purges
    history: RecordHistory
    waits: CommandWaits
