"""What a process counts: only what was committed, and with labels that name nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import generate_latest

from bridge import signals
from bridge.audit.notes import AuditNotes
from bridge.database import Database
from bridge.events import INTERACTIONS_PURGE, Event, RecordedEvent
from bridge.intake.recorder import Arrival, record
from bridge.outbox.contract import ClaimedDelivery, Delivered, RetryLater
from bridge.outbox.ledger.settle import Settlement
from bridge.outbox.retry import State, Verdict
from bridge.outbox.telling import tell
from bridge.privacy.masking import Masking
from bridge.telemetry import metrics as metrics_module
from bridge.telemetry.metrics import Metrics
from tests.fakes import VAULT, FakeClock
from tests.telemetry.scraping import Samples, samples, value


@pytest.fixture
def metrics() -> Iterator[Metrics]:
    counting = Metrics(None)
    yield counting
    counting.close()


def counted(metrics: Metrics) -> Samples:
    return samples(generate_latest(metrics.registry()).decode())


def record_one(
    database: Database, clock: FakeClock, subject: str, *, event_type: str = "a.b", fail: bool = False
) -> None:
    event = Event(type=event_type, subject=subject, payload={})
    arrival = Arrival(event=event, source="genesys", body=b"{}", received_at=clock.now())
    notes = AuditNotes(Masking((), b"k"))
    with database.write() as session:
        record(session, [arrival], notes=notes, vault=VAULT, now=clock.now(), dedupe_window=timedelta(minutes=10))
        if fail:
            raise ConnectionResetError


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_event_counts_when_it_is_committed_and_only_then(
    database: Database, clock: FakeClock, metrics: Metrics
) -> None:
    with pytest.raises(ConnectionResetError):
        record_one(database, clock, "record:x/1", fail=True)
    record_one(database, clock, "record:x/1")
    assert value(counted(metrics), "bridge_events_total", source="genesys", type="a.b") == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_types_without_end_share_one_label(database: Database, clock: FakeClock, metrics: Metrics) -> None:
    metrics._types.update(f"known.{number}" for number in range(metrics_module.MOST_TYPES))
    record_one(database, clock, "record:x/1", event_type="genesys.never_heard_of")
    assert value(counted(metrics), "bridge_events_total", source="genesys", type="other") == 1


def test_a_closed_one_counts_no_more(metrics: Metrics) -> None:
    signals.request_rejected.send(None, source="genesys", cause="not-json")
    metrics.close()
    signals.request_rejected.send(None, source="genesys", cause="not-json")
    assert value(counted(metrics), "bridge_rejections_total", source="genesys", cause="not-json") == 1


def test_a_try_counts_by_what_it_gave_and_a_lost_lease_not_at_all(metrics: Metrics, clock: FakeClock) -> None:
    failed = settled(clock, RetryLater(reason="no", error_class="connect"), State.PENDING)
    done = settled(clock, Delivered(), State.DELIVERED)
    lost = replace(done, delivery=replace(done.delivery, delivery_id="lost"))
    tell([failed, done, lost], lost={"lost"}, opened=[])
    found = counted(metrics)
    assert value(found, "bridge_deliveries_total", destination="erp", outcome="retry_later") == 1
    assert value(found, "bridge_deliveries_total", destination="erp", outcome="delivered") == 1
    assert value(found, "bridge_delivery_seconds_count") == 2
    assert value(found, "bridge_end_to_end_seconds_count") == 1
    assert value(found, "bridge_end_to_end_seconds_sum") == pytest.approx(30.25)


def test_a_command_counts_once_when_it_has_ended(metrics: Metrics, clock: FakeClock) -> None:
    progress = {
        "measures": {"retries": 2, "conflicts": 1, "violations": 0, "latency_ms": 5},
        "result": {"metrics": {"totalInteractionsPurged": 41}},
    }
    step = settled(clock, RetryLater(reason="no", error_class="status", progress=progress), State.PENDING)
    done = settled(clock, Delivered(progress=progress), State.DELIVERED, attempt=3)
    for one in (step, done):
        event = replace(one.delivery.event, type=INTERACTIONS_PURGE)
        tell([replace(one, delivery=replace(one.delivery, event=event))], lost=set(), opened=[])
    found = counted(metrics)
    assert value(found, "bridge_commands_total", operation=INTERACTIONS_PURGE, result="succeeded") == 1
    assert value(found, "bridge_retries_total", operation=INTERACTIONS_PURGE) == 4
    assert value(found, "bridge_conflicts_total", operation=INTERACTIONS_PURGE) == 1
    assert value(found, "bridge_purged_total") == 41


def test_requests_to_genesys_count_by_operation_and_status(metrics: Metrics) -> None:
    metrics.observe_genesys("record.update", 409, 0.2)
    metrics.observe_genesys("record.update", None, 10.0)
    found = counted(metrics)
    assert value(found, "bridge_genesys_requests_total", operation="record.update", status="409") == 1
    assert value(found, "bridge_genesys_requests_total", operation="record.update", status="none") == 1
    assert value(found, "bridge_genesys_seconds_count") == 2


def test_no_subject_becomes_a_label(metrics: Metrics, clock: FakeClock) -> None:
    tell([settled(clock, Delivered(), State.DELIVERED)], lost=set(), opened=[])
    assert b"+4915112345678" not in generate_latest(metrics.registry())


def settled(clock: FakeClock, outcome: Delivered | RetryLater, state: State, *, attempt: int = 1) -> Settlement:
    """A try of 250 ms that began half a minute after the delivery was owed."""
    event = RecordedEvent(
        id="e-1",
        source="genesys",
        type="a.b",
        subject="contact:+4915112345678",
        payload={},
        version=None,
        occurred_at=None,
        received_at=clock.now(),
        correlation_id=None,
        traceparent=None,
    )
    delivery = ClaimedDelivery(
        lane_id=1,
        seq=1,
        token="t",
        lease_until=clock.now(),
        delivery_id="d-1",
        webhook_id="d-1",
        attempt=attempt,
        failures=0,
        created_at=clock.now(),
        destination="erp",
        event=event,
    )
    return Settlement(
        delivery=delivery,
        outcome=outcome,
        verdict=Verdict(state=state, due_at=clock.now() if state is State.PENDING else None),
        started_at=clock.now() + timedelta(seconds=30),
        duration_ms=250,
    )
