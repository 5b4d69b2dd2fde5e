"""The last hour by the minute, the sources, and what is not sealed: counted from the rows, by ranges of ids."""

from __future__ import annotations

from datetime import datetime, timedelta
from random import Random

import pytest
from sqlalchemy import delete

from bridge.admin.search.minutes import Minute, Minutes
from bridge.admin.search.sources import FoundSource, find_sources
from bridge.audit.seal import ENOUGH, SETTLES_WITHIN, seal, unsealed_count
from bridge.audit.signing import AuditSigner
from bridge.database import Database
from bridge.settings.model import SourceSettings, VerifySettings
from bridge.tables import AuditEntryRow, EventRow, RejectionRow
from tests.admin.stock import id_at
from tests.fakes import FakeClock


@pytest.fixture
def rng() -> Random:
    return Random(1)


def put_event(
    database: Database, rng: Random, at: datetime, *, source: str = "genesys", state: str = "recorded"
) -> None:
    with database.write() as session:
        session.add(
            EventRow(
                id=id_at(at, rng),
                source=source,
                type="interaction.updated",
                subject="interaction:1",
                received_at=at,
                state=state,
                payload={},
                body=b"",
            )
        )


def put_entry(database: Database, rng: Random, at: datetime, action: str) -> None:
    with database.write() as session:
        session.add(AuditEntryRow(id=id_at(at, rng), at=at, actor="worker", action=action, subject="s", details={}))


def put_rejection(database: Database, rng: Random, at: datetime, cause: str, source: str = "genesys") -> None:
    with database.write() as session:
        session.add(
            RejectionRow(id=id_at(at, rng), at=at, source=source, cause=cause, status=401, address="192.0.2.1", size=0)
        )


def last_hour(database: Database, minutes: Minutes, now: datetime) -> list[Minute]:
    with database.read() as session:
        return minutes.last_hour(session, now)


def source(name: str = "genesys", expect_every: timedelta | None = None) -> SourceSettings:
    return SourceSettings(name=name, format="genesys", verify=VerifySettings(scheme="none"), expect_every=expect_every)


def seen(database: Database, one: SourceSettings, now: datetime) -> FoundSource:
    with database.read() as session:
        (found,) = find_sources(session, [one], now=now)
    return found


def test_each_minute_counts_what_came_in_went_out_and_died_in_it(
    database: Database, clock: FakeClock, rng: Random
) -> None:
    now = clock.now() + timedelta(seconds=30)
    for seconds in (0, 29, -1, -60, -61, -59 * 60, -59 * 60 - 1, -7200):
        put_event(database, rng, clock.now() + timedelta(seconds=seconds))
    for seconds, action in (
        (1, "delivery.delivered"),
        (-1, "delivery.delivered"),
        (-2, "delivery.dead"),
        (-3, "event.recorded"),
    ):
        put_entry(database, rng, clock.now() + timedelta(seconds=seconds), action)
    found = last_hour(database, Minutes(), now)
    assert [one.at for one in found] == [clock.now() - timedelta(minutes=back) for back in range(59, -1, -1)]
    counts = {one.at: (one.events_in, one.deliveries_out, one.deliveries_dead) for one in found}
    assert counts.pop(clock.now()) == (2, 1, 0)
    assert counts.pop(clock.now() - timedelta(minutes=1)) == (2, 1, 1)
    assert counts.pop(clock.now() - timedelta(minutes=2)) == (1, 0, 0)
    assert counts.pop(clock.now() - timedelta(minutes=59)) == (1, 0, 0)
    assert set(counts.values()) == {(0, 0, 0)}


def test_a_minute_that_is_over_is_counted_once(database: Database, clock: FakeClock, rng: Random) -> None:
    minutes = Minutes()
    over, young = clock.now() - timedelta(minutes=3), clock.now() - timedelta(minutes=2)
    for at in (over, young, clock.now()):
        put_event(database, rng, at)
    now = clock.now() + timedelta(seconds=10)
    last_hour(database, minutes, now)
    with database.write() as session:
        session.execute(delete(EventRow))
    counts = {one.at: one.events_in for one in last_hour(database, minutes, now)}
    assert (counts[over], counts[young], counts[clock.now()]) == (1, 0, 0), "only what is long over is remembered"
    later = {one.at: one.events_in for one in last_hour(database, minutes, now + timedelta(minutes=57))}
    assert over not in later


def test_a_source_says_when_it_was_last_heard_and_what_failed(
    database: Database, clock: FakeClock, rng: Random
) -> None:
    now = clock.now()
    for minutes in (70, 50, 5):
        put_event(database, rng, now - timedelta(minutes=minutes))
        put_event(database, rng, now - timedelta(minutes=minutes), state="unreadable")
        put_rejection(database, rng, now - timedelta(minutes=minutes), f"cause-{minutes}")
    put_event(database, rng, now, source="hurried", state="unreadable")
    put_rejection(database, rng, now, "other", source="hurried")
    assert seen(database, source(), now) == FoundSource(
        name="genesys",
        format="genesys",
        last_event_at=now - timedelta(minutes=5),
        silent=False,
        rejections_1h=2,
        unreadable_1h=2,
        last_rejection_at=now - timedelta(minutes=5),
        last_rejection_cause="cause-5",
    )


def test_a_source_that_was_never_heard_is_not_taken_for_its_neighbour(
    database: Database, clock: FakeClock, rng: Random
) -> None:
    for name in ("a", "z"):
        put_event(database, rng, clock.now(), source=name)
        put_rejection(database, rng, clock.now(), "x", source=name)
    found = seen(database, source("genesys", timedelta(hours=1)), clock.now())
    assert (found.last_event_at, found.last_rejection_at, found.rejections_1h, found.silent) == (None, None, 0, True)
    assert seen(database, source("genesys"), clock.now()).silent is False, "nobody said how often to expect it"


def test_a_source_is_silent_once_it_was_not_heard_for_longer_than_expected(
    database: Database, clock: FakeClock, rng: Random
) -> None:
    put_event(database, rng, clock.now())
    expected = source(expect_every=timedelta(hours=1))
    assert seen(database, expected, clock.now() + timedelta(hours=1)).silent is False
    assert seen(database, expected, clock.now() + timedelta(hours=1, seconds=1)).silent is True


def test_entries_behind_the_newest_seal_are_unsealed(database: Database, clock: FakeClock, rng: Random) -> None:
    long_ago = clock.now() - SETTLES_WITHIN - timedelta(seconds=1)
    for number in range(ENOUGH):
        put_entry(database, rng, long_ago + timedelta(milliseconds=number), "x")
    with database.read() as session:
        assert unsealed_count(session) == ENOUGH
    with database.write() as session:
        assert seal(session, AuditSigner(b"a key for tests"), now=clock.now()) is not None
    put_entry(database, rng, clock.now(), "x")
    with database.read() as session:
        assert unsealed_count(session) == 1
