"""Order within a lane under random failures, and what a blocked lane costs the others."""

from __future__ import annotations

from datetime import datetime
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from bridge.clock import new_id
from bridge.database import Database
from bridge.events import CONVERSATION_ATTRIBUTES_UPDATED, RECORD_UPDATED
from bridge.outbox.contract import ClaimedDelivery, Delivered, DeliveryPolicy, Outcome, Rejected, RetryLater
from bridge.outbox.ledger.claim import claim
from bridge.tables import DeliveryRow, EventRow, LaneRow, core
from tests.fakes import VAULT, FakeClock
from tests.outbox.yard import NOTES, FakeDestination, count, dispatcher, owe, states


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), lanes=st.integers(1, 4), each=st.integers(1, 6), stale=st.booleans())
def test_within_a_lane_nothing_overtakes_whatever_fails(
    database: Database, seed: int, lanes: int, each: int, stale: bool
) -> None:
    rng, clock = Random(seed), FakeClock()
    run, event_type = new_id(), RECORD_UPDATED if stale else CONVERSATION_ATTRIBUTES_UPDATED
    subjects = [f"record:{run}/{number}" for number in range(lanes)]
    for version in range(1, each + 1):
        for subject in subjects:
            owe(database, clock.now(), subject=subject, version=str(version), event_type=event_type)

    fates: list[Outcome] = [
        Delivered(),
        RetryLater(reason="refused", error_class="connect"),
        Rejected(reason="422", error_class="status"),
    ]

    def fate(_: ClaimedDelivery) -> Outcome:
        return rng.choice(fates)

    erp = FakeDestination(answer=fate, policy=DeliveryPolicy(skip_stale=stale))
    worker = dispatcher(database, clock, erp, seed=seed)
    for _ in range(100):
        worker.deliver_due()
        clock.advance(3600)
    for subject in subjects:
        sent = [int(version) for version in erp.versions(subject) if version]
        assert sent == sorted(sent), f"seed {seed}: {subject} was sent {sent}"
        tried = set(sent)
        if not stale:
            assert tried == set(range(1, each + 1)), f"seed {seed}: {subject} lost one of {sent}"
        assert each in tried, f"seed {seed}: the newest of {subject} was never tried"
    assert "pending" not in states(database), f"seed {seed}"


def test_a_blocked_lane_with_100_000_behind_it_costs_the_others_nothing(database: Database, clock: FakeClock) -> None:
    before = _work_of_a_claim(database, clock, "before")
    _fill_blocked_lane(database, clock.now(), 100_000)
    assert count(database, "delivery") > 100_000
    assert _work_of_a_claim(database, clock, "after") <= before * 1.5


def _work_of_a_claim(database: Database, clock: FakeClock, subject: str) -> int:
    """What claiming one lane costs: steps of SQLite's virtual machine, pages touched on PostgreSQL; not seconds."""
    owe(database, clock.now(), subject=f"conversation:{subject}", event_type=CONVERSATION_ATTRIBUTES_UPDATED)
    with database.write() as session:
        driver: Any = session.connection().connection.driver_connection
        steps = [0]
        if database.is_sqlite:
            driver.set_progress_handler(lambda: steps.__setitem__(0, steps[0] + 1), 1)
        else:
            driver.execute("ANALYZE lane; ANALYZE delivery")
            touched = (
                "SELECT sum(heap_blks_read + heap_blks_hit + idx_blks_read + idx_blks_hit) FROM pg_statio_user_tables"
            )
            driver.execute("SELECT pg_stat_force_next_flush()")
            begin = driver.execute(touched).fetchone()[0]
        (claimed,) = claim(session, "erp", limit=1, policy=DeliveryPolicy(), now=clock.now(), notes=NOTES, vault=VAULT)
        if database.is_sqlite:
            driver.set_progress_handler(None, 1)
        else:
            driver.execute("SELECT pg_stat_force_next_flush()")
            steps[0] = int(driver.execute(touched).fetchone()[0] - begin)
    assert claimed.event.subject == f"conversation:{subject}"
    return steps[0]


def _fill_blocked_lane(database: Database, now: datetime, deliveries: int) -> None:
    event_id = new_id()
    with database.write() as session:
        session.execute(
            insert(core(EventRow)),
            {
                "id": event_id,
                "source": "genesys",
                "type": CONVERSATION_ATTRIBUTES_UPDATED,
                "subject": "conversation:blocked",
                "received_at": now,
                "payload": {},
                "body": b"{}",
            },
        )
        lane = {"lane_id": 1, "destination": "erp", "subject": "conversation:blocked", "blocked_at": now}
        session.execute(insert(core(LaneRow)), lane | {"last_seq": deliveries})
        session.execute(
            insert(core(DeliveryRow)),
            [
                {
                    "lane_id": 1,
                    "seq": seq,
                    "id": new_id(),
                    "event_id": event_id,
                    "destination": "erp",
                    "webhook_id": "w",
                    "carries": "change",
                    "created_at": now,
                }
                for seq in range(1, deliveries + 1)
            ],
        )
