"""What is taken, what is refused, and what is the same command again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bridge.commands.asking import Asker
from bridge.errors import Conflict, Forbidden, Invalid, TemporarilyUnavailable
from bridge.outbox.replay import cancel_delivery
from tests.commands.office import ERP_TEAM, Office, opened, purge_policy, settings
from tests.fakes import FakeClock

EVA, OTTO = Asker(actor="token:eva"), Asker(actor="token:otto")
UPDATE: dict[str, Any] = {"conversation_id": "c-1", "attributes": {"tier": "gold"}}
MERGE: dict[str, Any] = {"interactions": [{"id": "i-1", "type": "voice"}, {"id": "i-2", "type": "chat"}]}


@pytest.fixture
def office(database_url: str) -> Iterator[Office]:
    clock = FakeClock(datetime.now(UTC))
    with opened(settings(database_url, "http://127.0.0.1:9"), clock) as office:
        yield office


def test_the_same_key_is_the_same_command(office: Office) -> None:
    first = office.ask("conversation.attributes.update", UPDATE, key="k-1")
    again = office.ask("conversation.attributes.update", UPDATE, key="k-1")
    other = office.ask("conversation.attributes.update", UPDATE, key="k-2")
    assert (again.id, again.repeated) == (first.id, True)
    assert other.id != first.id


def test_the_same_key_of_somebody_else_is_another_command(office: Office) -> None:
    first = office.ask("conversation.attributes.update", UPDATE, key="k-1")
    other = office.wiring.commands.ask("conversation.attributes.update", UPDATE, asker=EVA, idempotency_key="k-1")
    assert other.id != first.id


def test_the_same_key_with_another_body_is_refused(office: Office) -> None:
    office.ask("conversation.attributes.update", UPDATE, key="k-1")
    with pytest.raises(Conflict, match="Idempotency-Key"):
        office.ask("conversation.attributes.update", {**UPDATE, "attributes": {"tier": "silver"}}, key="k-1")


def test_a_repeated_merge_is_the_same_merge(office: Office) -> None:
    first = office.ask("interaction.merge", MERGE, key="k-1")
    assert office.ask("interaction.merge", MERGE, key="k-1").id == first.id


def test_without_a_key_every_ask_is_a_command(office: Office) -> None:
    assert len({office.ask("conversation.attributes.update", UPDATE).id for _ in range(3)}) == 3


def test_every_violation_is_told_at_once(office: Office) -> None:
    wrong = {"interaction_id": "", "customer_id": "c", "attributes": {"id": "x", "type": 1}}
    with pytest.raises(Invalid) as refused:
        office.ask("interaction.update", wrong)
    assert {one.field for one in refused.value.errors} >= {"interaction_id", "attributes.type"}


def test_an_open_merge_holds_its_interactions(office: Office) -> None:
    first = office.ask("interaction.merge", MERGE)
    overlapping = {"interactions": [{"id": "i-2", "type": "chat"}, {"id": "i-3", "type": "sms"}]}
    with pytest.raises(Conflict, match=first.id):
        office.ask("interaction.merge", overlapping)
    apart = {"interactions": [{"id": "i-3", "type": "sms"}, {"id": "i-4", "type": "sms"}]}
    office.ask("interaction.merge", apart)


def test_a_merge_that_ended_holds_nothing(office: Office) -> None:
    first = office.ask("interaction.merge", MERGE)
    delivery = office.state(first.id).delivery_id
    assert delivery is not None
    wiring = office.wiring
    with wiring.database.write() as session:
        cancel_delivery(session, delivery, reason="test", actor="cli:eva", now=wiring.clock.now(), notes=wiring.notes)
    assert office.state(first.id).state == "cancelled"
    office.ask("interaction.merge", MERGE)


def test_without_an_organisation_every_command_is_refused(database_url: str) -> None:
    configured = settings(database_url, "http://127.0.0.1:9", genesys={"client_id": None})
    with (
        opened(without_destination(configured), FakeClock(datetime.now(UTC))) as office,
        pytest.raises(TemporarilyUnavailable, match="GENESYS_CLIENT_ID"),
    ):
        office.ask("conversation.attributes.update", UPDATE)


def without_destination(configured: Any) -> Any:
    return replace(configured, destinations={"crm": configured.destinations["crm"]})


def test_a_purge_is_a_plan_until_a_second_person_approves_it(office: Office) -> None:
    purges = office.wiring.purges
    plan = purges.plan(purge_policy(), person="eva", asker=EVA)
    assert (plan.state, plan.expected, plan.command_id) == ("awaiting_approval", None, None)
    with pytest.raises(Forbidden, match="two persons"):
        purges.approve(plan.id, person="eva", asker=EVA)
    asked = purges.approve(plan.id, person="otto", asker=OTTO)
    assert office.state(asked.id).subject == f"purge:{plan.id}"
    assert purges.read(plan.id).state == "accepted"
    with pytest.raises(Conflict):
        purges.approve(plan.id, person="otto", asker=OTTO)


def test_an_overlapping_purge_of_the_same_type_is_refused_while_the_first_is_open(office: Office) -> None:
    purges = office.wiring.purges
    first = purges.plan(purge_policy(), person="eva", asker=EVA)
    later = {"start": "2023-01-31T00:00:00Z", "end": "2023-03-01T00:00:00Z"}
    with pytest.raises(Conflict, match=first.id):
        purges.plan(purge_policy(dateRange=later), person="eva", asker=EVA)
    purges.plan(purge_policy(interactionType="email"), person="eva", asker=EVA)
    purges.cancel(first.id, reason="planned wrongly", person="eva", asker=EVA)
    purges.plan(purge_policy(dateRange=later), person="eva", asker=EVA)


def test_an_approved_purge_can_be_cancelled_until_it_is_submitted(office: Office) -> None:
    purges = office.wiring.purges
    plan = purges.plan(purge_policy(), person="eva", asker=EVA)
    purges.approve(plan.id, person="otto", asker=OTTO)
    assert purges.cancel(plan.id, reason="legal asked us", person="otto", asker=OTTO).state == "cancelled"
    with pytest.raises(Conflict):
        purges.cancel(plan.id, reason="again", person="otto", asker=OTTO)


def test_a_plan_that_breaks_governance_is_refused(office: Office) -> None:
    with pytest.raises(Invalid) as refused:
        office.wiring.purges.plan(
            purge_policy(classification="hipaa", retentionDays=100, reason="short"), person="eva", asker=ERP_TEAM
        )
    assert {one.field for one in refused.value.errors} == {"retentionDays", "reason"}
