"""What no signal tells of is noticed: a stall, a silent source, an audit that was edited."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from bridge import signals
from bridge.audit.notes import AuditEntry, AuditNotes
from bridge.audit.seal import seal
from bridge.audit.signing import AuditSigner
from bridge.clock import new_id
from bridge.database import Database
from bridge.privacy.masking import Masking
from bridge.settings.model import SourceSettings, VerifySettings
from bridge.tables import (
    AttemptRow,
    AuditSealRow,
    DeliveryRow,
    DestinationStateRow,
    EventRow,
    LaneRow,
    core,
)
from bridge.telemetry.health import Expected, readiness
from bridge.telemetry.sentinel import Sentinel
from tests.fakes import FakeClock

SIGNER = AuditSigner(b"a key for tests")
EXPECTED = Expected(stall=timedelta(seconds=60), destinations=["erp", "ops"], not_counting="ops")
SOURCE = SourceSettings(
    name="genesys", format="genesys", verify=VerifySettings(scheme="none"), expect_every=timedelta(hours=1)
)


@pytest.fixture
def told() -> Iterator[list[str]]:
    heard: list[str] = []

    def hear(_sender: object, *, cause: str, **_: Any) -> None:
        heard.append(cause)

    with signals.needs_attention.connected_to(hear):
        yield heard


@pytest.fixture
def sentinel(database: Database, clock: FakeClock) -> Sentinel:
    return Sentinel(
        database=database, clock=clock, expected=EXPECTED, sources=[SOURCE], trusted_keys={SIGNER.public_key}
    )


def owe(database: Database, now: datetime, destination: str, *, lane_id: int = 1, **lane: Any) -> str:
    """A delivery that is due since two minutes; its id."""
    event_id, delivery_id = new_id(), new_id()
    due = now - timedelta(minutes=2)
    row = {"lane_id": lane_id, "destination": destination, "subject": f"record:x/{lane_id}", "last_seq": 1}
    with database.write() as session:
        event = {"id": event_id, "source": "genesys", "type": "a.b", "subject": "record:x/1", "received_at": now}
        session.execute(insert(core(EventRow)), {**event, "payload": {}, "body": b""})
        session.execute(insert(core(LaneRow)), {**row, "head_seq": 1, "due_at": due, **lane})
        delivery = {"lane_id": lane_id, "seq": 1, "id": delivery_id, "event_id": event_id, "created_at": due}
        common = {"destination": destination, "webhook_id": "w", "carries": "change", "state": "pending"}
        session.execute(insert(core(DeliveryRow)), {**delivery, **common})
    return delivery_id


def attempt(database: Database, delivery_id: str, at: datetime) -> None:
    row = {"delivery_id": delivery_id, "number": 1, "started_at": at, "duration_ms": 1, "outcome": "retry_later"}
    with database.write() as session:
        session.execute(insert(core(AttemptRow)), row)


def test_a_stall_is_told_and_alerts_are_delivered_without_a_worker(
    database: Database, clock: FakeClock, told: list[str]
) -> None:
    delivered: list[str] = []
    sentinel = Sentinel(
        database=database,
        clock=clock,
        expected=EXPECTED,
        sources=[],
        trusted_keys={SIGNER.public_key},
        while_stalled=lambda: delivered.append("alerts"),
    )
    sentinel.look()
    assert (told, delivered) == ([], [])
    owe(database, clock.now(), "erp")
    sentinel.look()
    assert (told, delivered) == (["worker.stalled"], ["alerts"])


def test_a_try_or_a_held_lane_is_progress_but_not_one_of_the_alerts(database: Database, clock: FakeClock) -> None:
    waiting, alert = owe(database, clock.now(), "erp"), owe(database, clock.now(), "ops", lane_id=2)
    attempt(database, alert, clock.now())
    assert "progress" in readiness(database, clock, EXPECTED).problems
    attempt(database, waiting, clock.now())
    assert readiness(database, clock, EXPECTED).problems == {}
    clock.advance(120)
    assert "progress" in readiness(database, clock, EXPECTED).problems
    owe(database, clock.now(), "erp", lane_id=3, due_at=clock.now() + timedelta(seconds=20), lease_token="t")
    assert readiness(database, clock, EXPECTED).problems == {}


@pytest.mark.parametrize("shut", ["paused_at", "open_until"])
def test_what_may_not_be_sent_is_no_stall(database: Database, clock: FakeClock, shut: str) -> None:
    owe(database, clock.now(), "erp")
    owe(database, clock.now(), "forgotten", lane_id=2)
    with database.write() as session:
        session.execute(insert(core(DestinationStateRow)), {"name": "erp", shut: clock.now() + timedelta(seconds=9)})
    assert readiness(database, clock, EXPECTED).problems == {}


def test_a_source_that_falls_silent_or_never_speaks_is_told(
    sentinel: Sentinel, database: Database, clock: FakeClock, told: list[str]
) -> None:
    sentinel.look()
    clock.advance(3599)
    sentinel.look()
    assert told == []
    clock.advance(2)
    sentinel.look()
    assert told == ["source.silent"]
    event = {"id": new_id(), "source": "genesys", "type": "a.b", "subject": "s", "received_at": clock.now()}
    with database.write() as session:
        session.execute(insert(core(EventRow)), {**event, "payload": {}, "body": b""})
    sentinel.look()
    assert told == ["source.silent"]
    clock.advance(3601)
    sentinel.look()
    assert told == ["source.silent", "source.silent"]


def test_an_audit_that_was_tampered_with_is_told(
    sentinel: Sentinel, database: Database, clock: FakeClock, told: list[str]
) -> None:
    entries = [AuditEntry(actor="cli:eva", action="a.b", subject=f"s:{number}", details={}) for number in range(5)]
    for _ in range(2):
        with database.write() as session:
            AuditNotes(Masking((), b"k")).write(session, entries, clock.now() - timedelta(minutes=5))
            assert seal(session, SIGNER, now=clock.now()) is not None
    sentinel.look()
    assert told == []
    with database.write() as session:
        row = core(AuditSealRow)
        session.execute(update(row).where(row.c.position == 7).values(hash=bytes(32)))
    clock.advance(301)
    sentinel.look()
    assert told == ["audit.broken"]
