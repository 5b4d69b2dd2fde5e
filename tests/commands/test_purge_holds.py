"""Purges and the holds that administrators place: at no moment is one begun over a hold without anybody being told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from bridge.admin.holds import HoldWithPurges
from bridge.commands.asking import Asker
from bridge.errors import Invalid
from bridge.sandbox import SandboxConfig, SandboxServer
from tests.commands.office import Office, opened, purge_policy, settings
from tests.fakes import FakeClock
from tests.moments import just_before
from tests.privacy.placing import place, release_again
from tests.sandbox.calling import Caller

EVA, OTTO = Asker(actor="token:eva"), Asker(actor="token:otto")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[SandboxServer]:
    with SandboxServer(SandboxConfig()) as server:
        yield server


@pytest.fixture
def office(database_url: str, sandbox: SandboxServer) -> Iterator[Office]:
    clock = FakeClock(datetime.now(UTC))
    with opened(settings(database_url, sandbox.url), clock) as office:
        yield office


def hold(office: Office) -> HoldWithPurges:
    return place(office.wiring.database, office.wiring.clock.now(), customer="C-42")


def test_a_placed_hold_stops_plan_and_approval_until_it_is_released(office: Office) -> None:
    purges = office.wiring.purges
    plan = purges.plan(purge_policy(), person="eva", asker=EVA)
    placed = hold(office)
    named = f"Legal hold {placed.hold.id} on a customer"
    with pytest.raises(Invalid) as refused:
        purges.plan(purge_policy(interactionType="email"), person="eva", asker=EVA)
    assert [(error.rule, named in error.message) for error in refused.value.errors] == [("legal_hold", True)]
    with pytest.raises(Invalid) as refused:
        purges.approve(plan.id, person="otto", asker=OTTO)
    assert [(error.rule, named in error.message) for error in refused.value.errors] == [("legal_hold", True)]
    release_again(office.wiring.database, office.wiring.clock.now(), placed.hold.id)
    assert purges.approve(plan.id, person="otto", asker=OTTO).subject == f"purge:{plan.id}"


def test_a_hold_that_is_placed_after_the_approval_stops_the_purge(office: Office, sandbox: SandboxServer) -> None:
    command = _approved(office)
    (covered,) = hold(office).purges
    assert covered.state == "accepted"
    office.carry_out()
    stopped = office.state(command)
    assert (stopped.state, "Legal hold" in str(stopped.error)) == ("failed", True)
    assert _submitted(sandbox) == 0


def test_a_hold_that_is_placed_in_the_last_moment_stops_the_purge_and_calls_it_running(
    office: Office, sandbox: SandboxServer
) -> None:
    """Between the note that the purge begins and its submission: that is where it could slip through."""
    command, placed = _approved(office), list[HoldWithPurges]()
    database = office.wiring.database
    looks = "FROM legal_hold" if database.is_sqlite else "LOCK TABLE legal_hold"
    with just_before(database, looks, 2, lambda: placed.append(hold(office))):
        office.carry_out()
    assert [purge.state for purge in placed[0].purges] == ["running"]
    stopped = office.state(command)
    assert (stopped.state, "Legal hold" in str(stopped.error)) == ("failed", True)
    assert _submitted(sandbox) == 0


def test_whoever_places_a_hold_too_late_is_told(office: Office, sandbox: SandboxServer) -> None:
    before = _submitted(sandbox)
    command = _approved(office)
    office.carry_out()
    assert _submitted(sandbox) == before + 1
    (covered,) = hold(office).purges
    assert (covered.command_id, covered.state) == (command, "running")


def _approved(office: Office) -> str:
    """Id of the command of a purge."""
    plan = office.wiring.purges.plan(purge_policy(), person="eva", asker=EVA)
    return office.wiring.purges.approve(plan.id, person="otto", asker=OTTO).id


def _submitted(sandbox: SandboxServer) -> int:
    return len(Caller(sandbox.url).state()["purges"])
