"""Alerts become events, once per cause and period however many processes notice, and reach one destination."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any

import pytest
from sqlalchemy import select, text

from bridge import signals
from bridge.events import NEEDS_ATTENTION
from bridge.settings.model import AlertSettings, DestinationSettings, Secret, Settings
from bridge.tables import DeliveryRow, EventRow, core
from bridge.telemetry.alerts import LOCAL_PERIOD, Alerts
from bridge.telemetry.series import IN_A_ROW, VerificationSeries
from bridge.wiring import Wiring, wire
from tests.fakes import FakeClock
from tests.opened import opened_events

EVERY = timedelta(minutes=15)


def http(name: str, **more: Any) -> DestinationSettings:
    return DestinationSettings(name=name, kind="http", url="http://127.0.0.1:9/", allow_local=True, **more)


@pytest.fixture
def wiring(database_url: str, clock: FakeClock) -> Iterator[Wiring]:
    """Alerts go to `ops`; `audience` wants everything there is."""
    settings = Settings(
        database_url=database_url,
        secret_key=Secret("a bridge secret key for tests, long enough"),
        destinations=MappingProxyType({"ops": http("ops", events=()), "audience": http("audience", events=("*",))}),
        alerts=AlertSettings(destination="ops", every=EVERY),
    )
    wired = wire(settings, clock=clock)
    yield wired
    wired.close()


def another_process(wiring: Wiring) -> Alerts:
    return Alerts(
        database=wiring.database,
        clock=wiring.clock,
        notes=wiring.notes,
        vault=wiring.vault,
        masking=wiring.masking,
        destination="ops",
        every=EVERY,
    )


def notice(alerts: Alerts, **about: Any) -> None:
    """Told, and recorded when this returns."""
    alerts.receive(None, **{"cause": "delivery.dead", "destination": "audience", "message": "400 from it", **about})
    settle(alerts)


def settle(alerts: Alerts) -> None:
    alerts._waiting.put(None)
    if alerts._thread is not None:
        alerts._thread.join()
    alerts.flush()


def recorded(wiring: Wiring) -> list[dict[str, Any]]:
    found = select(EventRow).where(EventRow.type == NEEDS_ATTENTION).order_by(EventRow.id)
    with wiring.database.read() as session:
        return [row.payload for row in opened_events(session, session.scalars(found), wiring.vault)]


def alerts_of(wiring: Wiring) -> Alerts:
    assert wiring.alerts is not None
    return wiring.alerts


def test_an_alert_is_owed_to_its_destination_and_to_nobody_who_wants_everything(wiring: Wiring) -> None:
    notice(
        alerts_of(wiring),
        subject="contact:jane.doe@example.com",
        event_type="custom_object.record.updated",
        delivery="d-1",
    )
    [payload] = recorded(wiring)
    assert payload["cause"] == "delivery.dead"
    assert payload["type"] == "custom_object.record.updated"
    assert payload["destination"] == "audience"
    assert payload["error"] == "400 from it"
    assert "jane.doe" not in payload["subject"]
    assert payload["command"].startswith("bridge deliveries replay d-1 ")
    assert payload["link"] == "/console/deliveries/d-1"
    with wiring.database.read() as session:
        assert list(session.scalars(select(core(DeliveryRow).c.destination))) == ["ops"]


def test_there_is_one_per_cause_and_period_over_all_processes(wiring: Wiring, clock: FakeClock) -> None:
    first, second = alerts_of(wiring), another_process(wiring)
    notice(first)
    notice(second)
    clock.advance(LOCAL_PERIOD.total_seconds() + 1)
    notice(first)
    notice(first)
    assert [one["sinceLast"] for one in recorded(wiring)] == [0]
    clock.advance(EVERY.total_seconds())
    notice(first)
    assert [one["sinceLast"] for one in recorded(wiring)] == [0, 2]


def test_the_period_begins_with_the_alert_and_not_with_the_clock(wiring: Wiring, clock: FakeClock) -> None:
    clock.advance(EVERY.total_seconds() - 60)
    notice(alerts_of(wiring))
    clock.advance(120)
    notice(alerts_of(wiring))
    assert len(recorded(wiring)) == 1


def test_another_destination_or_cause_is_told_at_once(wiring: Wiring) -> None:
    for about in ({}, {"destination": "erp"}, {"cause": "breaker.open"}, {"destination": None, "subject": "source:a"}):
        notice(alerts_of(wiring), **about)
    assert len(recorded(wiring)) == 4


def test_an_alert_about_the_alerts_destination_is_not_sent_there(wiring: Wiring) -> None:
    notice(alerts_of(wiring), destination="ops")
    assert recorded(wiring) == []


@pytest.mark.parametrize("has_a_thread", [True, False])
def test_an_alert_waits_while_the_database_cannot_take_it(wiring: Wiring, has_a_thread: bool) -> None:
    alerts = another_process(wiring)
    if not has_a_thread:
        alerts.close()
    rename(wiring, "event", "event_away")
    alerts.receive(None, cause="audit.broken")
    alerts.flush()
    rename(wiring, "event_away", "event")
    alerts.close()
    assert [one["cause"] for one in recorded(wiring)] == ["audit.broken"]


def rename(wiring: Wiring, old: str, new: str) -> None:
    with wiring.database.write() as session:
        session.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


def test_without_a_destination_there_are_only_log_lines(wiring: Wiring) -> None:
    bare = replace(wiring.settings, alerts=AlertSettings())
    other = wire(bare, clock=wiring.clock)
    assert other.alerts is None
    other.close()


@pytest.fixture
def told() -> Iterator[list[dict[str, Any]]]:
    heard: list[dict[str, Any]] = []

    def hear(_sender: object, **about: Any) -> None:
        heard.append(about)

    with signals.needs_attention.connected_to(hear):
        yield heard


def test_a_series_of_failed_verifications_is_told_with_its_source(told: list[dict[str, Any]]) -> None:
    series = VerificationSeries()
    for _ in range(IN_A_ROW - 1):
        series.count(None, source="genesys", cause="signature-mismatch")
        series.count(None, source="genesys", cause="too-large")
    assert told == []
    series.count(None, source="genesys", cause="credentials-wrong")
    [alert] = told
    assert (alert["cause"], alert["subject"]) == ("source.unverified", "source:genesys")
