"""What an operation is handed for one step. It may not know any operation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bridge.genesys.enrichment import Crm
from bridge.genesys.profiles.contract import Profile
from bridge.genesys.rules import Check
from bridge.genesys.steps import Command, Progress
from bridge.genesys.wire import Answer, Call, Tally
from bridge.settings.model import GenesysSettings


@dataclass(frozen=True, kw_only=True)
class Work:
    command: Command
    #: What the step before stored; None in the first step.
    progress: Progress | None
    check: Check
    profile: Profile
    #: None where no CRM is configured.
    crm: Crm | None
    #: Sends a call for this command. Raises what `Transport.send` raises.
    send: Callable[[Call], Answer]
    tally: Tally

    @property
    def now(self) -> datetime:
        """When the step began, aware."""
        return self.check.now

    @property
    def settings(self) -> GenesysSettings:
        return self.check.settings
