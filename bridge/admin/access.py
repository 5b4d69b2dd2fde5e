"""Who may do what: the roles and their rights. It may not know how somebody proves who they are (see `tokens`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from bridge.errors import Forbidden


class Right(StrEnum):
    """One thing that a role may do; the text completes "may not …"."""

    LOOK = "look at events, deliveries, replays and the audit"
    STEER = "replay, cancel, pause or resume deliveries"
    COMMAND = "give commands"
    FOLLOW = "follow commands"
    PLAN = "plan what somebody else has to approve"
    CALL_OFF = "call off what was planned or approved"
    REVEAL = "see personal data unmasked"
    APPROVE = "approve what somebody else has planned"
    EXPORT = "export the audit"
    MANAGE_TOKENS = "see, create or revoke tokens"
    HOLD = "place or release legal holds"
    ERASE = "erase a person"


class Role(StrEnum):
    VIEWER = "viewer"
    SENDER = "sender"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    APPROVER = "approver"
    ADMIN = "admin"


_OPERATE = frozenset({Right.LOOK, Right.FOLLOW, Right.STEER, Right.COMMAND, Right.PLAN, Right.CALL_OFF})
#: Every role and all that it may. An admin is no approver: two persons have to agree on what cannot be undone.
RIGHTS: Mapping[Role, frozenset[Right]] = MappingProxyType(
    {
        Role.VIEWER: frozenset({Right.LOOK, Right.FOLLOW}),
        Role.SENDER: frozenset({Right.COMMAND, Right.FOLLOW}),
        Role.OPERATOR: _OPERATE,
        Role.AUDITOR: frozenset({Right.LOOK, Right.FOLLOW, Right.EXPORT}),
        Role.APPROVER: frozenset({Right.LOOK, Right.FOLLOW, Right.APPROVE, Right.CALL_OFF, Right.REVEAL}),
        Role.ADMIN: _OPERATE | {Right.MANAGE_TOKENS, Right.HOLD, Right.ERASE},
    }
)

#: Roles whose every look is noted in the audit.
READS_ARE_NOTED = frozenset({Role.AUDITOR})


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Somebody who proved who they are with a token."""

    token_id: str
    #: Two persons means two different values here.
    person: str
    role: Role
    #: For a `sender`: the destination whose commands it gives, else None.
    destination: str | None
    #: When the token was last noted as used, aware, UTC.
    last_used_at: datetime | None

    @property
    def actor(self) -> str:
        """How the audit names the caller."""
        return f"token:{self.token_id}"

    def require(self, right: Right) -> None:
        """Raise Forbidden, naming the roles that may, unless the caller's does."""
        if right not in RIGHTS[self.role]:
            able = ", ".join(role for role in Role if right in RIGHTS[role])
            raise Forbidden(
                f"the role {self.role} may not {right}; use a token with one of these roles: {able}",
                cause="role",
            )
