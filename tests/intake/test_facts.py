"""Facts about our own facts: one event with the webhook that confirms them, whichever comes first."""

from __future__ import annotations

import pytest

from bridge import signals
from bridge.events import INTERACTION_UPDATED, Event, RecordedEvent
from bridge.intake.facts import FactRecorder
from bridge.intake.recorder import Receipt
from tests.fakes import VAULT
from tests.intake.conftest import WINDOW, Desk
from tests.intake.test_recorder import disposition


def fact(code: str, version: str | None = None) -> Event:
    payload: dict[str, object] = {
        "interactionId": "i-1", "updatedAttributes": {}, "dispositionCode": code, "version": version,
        "processedAt": "2026-05-01T09:59:00Z",
    }  # fmt: skip
    return Event(type=INTERACTION_UPDATED, subject="interaction:i-1", payload=payload, version=version)


@pytest.fixture
def cause(desk: Desk) -> RecordedEvent:
    return RecordedEvent(
        id="command", source="bridge", type="interaction.update", subject="interaction:i-1", payload={}, version=None,
        occurred_at=None, received_at=desk.clock.now(), correlation_id="c-1", traceparent="t-1", caused_by="crm",
    )  # fmt: skip


def establish(desk: Desk, cause: RecordedEvent, *facts: Event) -> None:
    """What the dispatcher does when a command has succeeded."""
    recorder = FactRecorder(notes=desk.notes, vault=VAULT, dedupe_window=WINDOW, confirmed_by="genesys")
    with signals.facts_established.connected_to(recorder.record_facts), desk.database.write() as session:
        signals.facts_established.send(FactRecorder, facts=facts, cause=cause, session=session, now=desk.clock.now())


def confirm(desk: Desk, code: str, version: str | None = None) -> Receipt:
    (receipt,) = desk.record(disposition(code, version))
    return receipt


def told(desk: Desk) -> list[tuple[str, object]]:
    return [(row.source, row.payload["dispositionCode"]) for row in desk.rows()]


def test_a_fact_is_recorded_under_the_bridge_with_what_ties_it_to_its_command(
    desk: Desk, cause: RecordedEvent, destinations: list[str]
) -> None:
    destinations.append("crm")
    establish(desk, cause, fact("won", "4"))
    (row,) = desk.rows()
    assert (row.source, row.type, row.version, row.caused_by) == ("bridge", "interaction.updated", "4", "crm")
    assert (row.correlation_id, row.traceparent) == ("c-1", "t-1")


@pytest.mark.parametrize("version", ["4", None])
def test_the_webhook_that_confirms_a_fact_is_a_duplicate(desk: Desk, cause: RecordedEvent, version: str | None) -> None:
    establish(desk, cause, fact("won", version))
    assert confirm(desk, "won", version).duplicate
    assert told(desk) == [("bridge", "won")]


@pytest.mark.parametrize("version", ["4", None])
def test_a_fact_after_its_webhook_is_a_duplicate(desk: Desk, cause: RecordedEvent, version: str | None) -> None:
    confirm(desk, "won", version)
    establish(desk, cause, fact("won", version))
    assert told(desk) == [("genesys", "won")]


def test_under_one_version_fact_and_webhook_may_say_different_things(desk: Desk, cause: RecordedEvent) -> None:
    establish(desk, cause, fact("won", "4"))
    assert confirm(desk, "WON", "4").duplicate
    assert not confirm(desk, "WON", "5").duplicate


def test_webhooks_that_come_after_several_facts_confirm_each_of_them(desk: Desk, cause: RecordedEvent) -> None:
    for code in "AB":
        establish(desk, cause, fact(code))
    assert [confirm(desk, code).duplicate for code in "AB"] == [True, True]


def test_a_fact_established_again_is_another_fact(desk: Desk, cause: RecordedEvent) -> None:
    for code in "ABA":
        establish(desk, cause, fact(code))
    assert confirm(desk, "A").duplicate
    assert told(desk) == [("bridge", code) for code in "ABA"]


def test_outside_the_window_an_unversioned_webhook_confirms_nothing(desk: Desk, cause: RecordedEvent) -> None:
    establish(desk, cause, fact("won"))
    desk.clock.advance(601)
    assert not confirm(desk, "won").duplicate


def test_a_webhook_of_another_source_confirms_nothing(desk: Desk, cause: RecordedEvent) -> None:
    establish(desk, cause, fact("won", "4"))
    (receipt,) = desk.record(disposition("won", "4", source="other"), source="other")
    assert not receipt.duplicate
