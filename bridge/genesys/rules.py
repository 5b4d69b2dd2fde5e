"""Everything that a command is checked against before anything is sent. It may not send anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from bridge.genesys.purge_policy import Blocks, PurgeScope, no_blocks
from bridge.genesys.record_rules import RecordRules
from bridge.settings.model import GenesysSettings

#: Names the purges that are open and overlap the scope, without the one whose command id is given.
OpenPurges = Callable[[PurgeScope, str | None], list[str]]


def no_open_purges(_scope: PurgeScope, _command_id: str | None) -> list[str]:
    """For callers that keep no list of purges."""
    return []


@dataclass(frozen=True, kw_only=True)
class Rules:
    settings: GenesysSettings
    records: RecordRules = field(default_factory=lambda: RecordRules(()))
    holds: Blocks = no_blocks
    open_purges: OpenPurges = no_open_purges


@dataclass(frozen=True, kw_only=True)
class Check:
    """The rules at one moment, for one command."""

    rules: Rules
    #: Aware.
    now: datetime
    #: Of the command that is checked, so that its own purge does not stand in its way; None while it has none.
    command_id: str | None = None

    @property
    def settings(self) -> GenesysSettings:
        return self.rules.settings

    def open_purges(self, scope: PurgeScope) -> list[str]:
        return self.rules.open_purges(scope, self.command_id)
