"""Who may do what, as spec part 6 says it."""

from __future__ import annotations

import pytest

from bridge.admin.access import RIGHTS, Caller, Right, Role
from bridge.errors import Forbidden


def caller(role: Role) -> Caller:
    return Caller(token_id="t", person="eva", role=role, destination=None, last_used_at=None)


def test_every_role_has_its_rights() -> None:
    assert set(RIGHTS) == set(Role)


def test_an_admin_is_an_operator_who_also_manages_but_does_not_approve() -> None:
    assert RIGHTS[Role.ADMIN] > RIGHTS[Role.OPERATOR]
    assert Right.APPROVE not in RIGHTS[Role.ADMIN]
    assert Right.REVEAL not in RIGHTS[Role.ADMIN]


def test_a_sender_gives_commands_follows_them_and_sees_nothing_else() -> None:
    assert RIGHTS[Role.SENDER] == {Right.COMMAND, Right.FOLLOW}


def test_who_plans_does_not_approve() -> None:
    assert not [role for role, rights in RIGHTS.items() if {Right.PLAN, Right.APPROVE} <= rights]


def test_a_refusal_names_the_roles_that_may() -> None:
    with pytest.raises(Forbidden, match="operator, admin"):
        caller(Role.VIEWER).require(Right.STEER)
    caller(Role.OPERATOR).require(Right.STEER)


def test_the_audit_names_a_caller_by_the_token() -> None:
    assert caller(Role.VIEWER).actor == "token:t"
