"""The Genesys Cloud client, usable alone: `from bridge.genesys import GenesysClient`. It may not know an outbox."""

from bridge.genesys.client import GenesysClient
from bridge.genesys.errors import (
    AuthenticationFailed,
    Forbidden,
    GenesysError,
    Invalid,
    NotFound,
    OperationFailed,
    RateLimited,
    Unavailable,
    Unsupported,
    VersionConflict,
)
from bridge.genesys.exchange import Observer
from bridge.genesys.operations import check_command
from bridge.genesys.purge_policy import PurgePolicy, PurgeScope
from bridge.genesys.readings import PurgeState
from bridge.genesys.record_rules import RecordRules
from bridge.genesys.rules import Check, Rules
from bridge.genesys.steps import Command, Done, Fact, Measures, StepResult, Wait

__all__ = [
    "AuthenticationFailed",
    "Check",
    "Command",
    "Done",
    "Fact",
    "Forbidden",
    "GenesysClient",
    "GenesysError",
    "Invalid",
    "Measures",
    "NotFound",
    "Observer",
    "OperationFailed",
    "PurgePolicy",
    "PurgeScope",
    "PurgeState",
    "RateLimited",
    "RecordRules",
    "Rules",
    "StepResult",
    "Unavailable",
    "Unsupported",
    "VersionConflict",
    "Wait",
    "check_command",
]
