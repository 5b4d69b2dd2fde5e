"""Which events are forgotten, to the second; and all that goes and stays with them."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from bridge import events
from bridge.errors import NotFound
from bridge.intake.recorder import Arrival, record
from bridge.outbox.contract import Delivered, DeliveryPolicy
from bridge.outbox.ledger.blocked import skip_overdue
from bridge.outbox.ledger.cancel import cancel
from bridge.outbox.replay import replay_delivery
from bridge.settings.model import LegalHold, RetentionSettings
from bridge.tables import DeliveryRow, LaneRow, PurgeRow
from tests.fakes import VAULT
from tests.keeping.attic import DAY, Attic, refuse
from tests.outbox.yard import NOTES, FakeDestination, count, dispatcher, owe


def test_a_delivered_event_goes_with_everything_after_delivered_days(attic: Attic) -> None:
    attic.deliver("conversation:a", "conversation:b", to=("erp", "crm"))
    assert attic.counts() == (2, 4, 4, 4, 0)
    attic.clock.advance(7 * DAY - 1)
    attic.run()
    assert attic.counts() == (2, 4, 4, 4, 0)
    attic.clock.advance(1)
    attic.run()
    assert attic.counts() == (0, 0, 0, 0, 0)


def test_its_age_counts_from_the_end_of_its_last_delivery(attic: Attic) -> None:
    owe(attic.database, attic.clock.now(), subject="conversation:a", destinations=("erp", "crm"))
    attic.deliver_due("erp")
    attic.clock.advance(3 * DAY)
    attic.deliver_due("crm")
    attic.clock.advance(7 * DAY - 1)
    attic.run()
    assert attic.counts() == (1, 2, 2, 2, 0)
    attic.clock.advance(1)
    attic.run()
    assert attic.counts() == (0, 0, 0, 0, 0)


def test_a_dead_delivery_keeps_the_whole_event_until_dead_days(attic: Attic) -> None:
    attic.deliver("conversation:a", to=("erp", "crm"), failing=("crm",))
    attic.clock.advance(90 * DAY - 1)
    attic.run()
    assert attic.states() == ["dead", "delivered"]
    attic.clock.advance(1)
    attic.run()
    assert attic.counts() == (0, 0, 0, 0, 0)


def test_dead_days_may_be_fewer_than_delivered_days(attic: Attic) -> None:
    attic.settings = RetentionSettings(delivered_days=30, dead_days=1)
    attic.deliver("conversation:a", failing=("erp",))
    attic.deliver("conversation:b")
    attic.clock.advance(1 * DAY)
    attic.run()
    assert attic.states() == ["delivered"]


def test_what_is_still_owed_stays_however_old(attic: Attic) -> None:
    attic.deliver("conversation:a", to=("erp",))
    owe(attic.database, attic.clock.now(), subject="conversation:b", destinations=("erp", "crm"))
    attic.deliver_due("erp")
    attic.clock.advance(1000 * DAY)
    attic.run()
    assert attic.states() == ["delivered", "pending"]


def test_an_event_that_nobody_was_owed_goes_after_delivered_days(attic: Attic) -> None:
    attic.record()
    attic.clock.advance(7 * DAY - 1)
    attic.run()
    assert len(attic.events()) == 1
    attic.clock.advance(1)
    attic.run()
    assert attic.events() == []


def test_an_unreadable_event_waits_for_somebody_as_a_dead_one_does(attic: Attic) -> None:
    attic.record("unreadable:x", state="unreadable", type="unreadable", errors=[])
    attic.clock.advance(90 * DAY - 1)
    attic.run()
    assert len(attic.events()) == 1
    attic.clock.advance(1)
    attic.run()
    assert attic.events() == []


def test_superseded_and_cancelled_deliveries_go_like_delivered_ones(attic: Attic) -> None:
    owe(attic.database, attic.clock.now(), version="1")
    owe(attic.database, attic.clock.now(), version="2")
    (third,) = owe(attic.database, attic.clock.now(), subject="conversation:c")
    with attic.database.write() as session:
        cancel(session, third, now=attic.clock.now())
    erp = FakeDestination(policy=DeliveryPolicy(skip_stale=True))
    dispatcher(attic.database, attic.clock, erp).deliver_due()
    assert attic.states() == ["cancelled", "delivered", "superseded"]
    attic.clock.advance(7 * DAY)
    attic.run()
    assert attic.events() == []


def test_a_replay_keeps_its_event_as_long_again(attic: Attic) -> None:
    attic.deliver("conversation:a")
    attic.clock.advance(6 * DAY)
    _replay(attic)
    attic.clock.advance(7 * DAY - 1)
    attic.run()
    assert attic.states() == ["delivered", "delivered"]
    attic.clock.advance(1)
    attic.run()
    assert attic.events() == []


def test_what_is_forgotten_cannot_be_replayed_any_more(attic: Attic) -> None:
    attic.deliver("conversation:a")
    with attic.database.read() as session:
        delivery_id = session.scalars(select(DeliveryRow.id)).one()
    attic.clock.advance(7 * DAY)
    attic.run()
    with pytest.raises(NotFound), attic.database.write() as session:
        replay_delivery(
            session, delivery_id, reason="x", actor="cli:a", fresh_id=False, now=attic.clock.now(), notes=NOTES
        )


def test_a_dead_head_that_holds_its_lane_stays_until_it_is_skipped(attic: Attic) -> None:
    for _ in range(2):
        owe(attic.database, attic.clock.now(), subject="conversation:a")
    blocking = FakeDestination(answer=refuse, policy=DeliveryPolicy(block_on_dead=True))
    dispatcher(attic.database, attic.clock, blocking).deliver_due()
    attic.clock.advance(90 * DAY)
    attic.run()
    assert attic.states() == ["dead", "pending"]
    with attic.database.write() as session:
        day = DeliveryPolicy().max_block
        assert skip_overdue(session, "erp", max_block=day, now=attic.clock.now(), notes=NOTES) == 1
    attic.run()
    assert attic.states() == ["pending"]
    attic.deliver_due("erp")
    assert attic.states() == ["delivered"]


def test_a_delivery_cancelled_behind_a_waiting_head_does_not_leave_a_hole_in_its_lane(attic: Attic) -> None:
    """A lane that steps onto a place without a row would never go on."""
    owe(attic.database, attic.clock.now(), subject="conversation:a")
    (second,) = owe(attic.database, attic.clock.now(), subject="conversation:a")
    owe(attic.database, attic.clock.now(), subject="conversation:a")
    with attic.database.write() as session:
        cancel(session, second, now=attic.clock.now())
    attic.clock.advance(7 * DAY)
    attic.run()
    attic.deliver_due("erp")
    assert attic.states() == ["cancelled", "delivered", "delivered"]


def test_the_command_of_a_purge_stays_and_the_merges_interactions_are_let_go(attic: Attic) -> None:
    purge, merge = attic.deliver("purge:p1", "merge:m1", to=("genesys",))
    now = attic.clock.now()
    with attic.database.write() as session:
        session.add(
            PurgeRow(
                id="p1", state="approved", policy={}, interaction_type="chat", range_start=now,
                range_end=attic.clock.now().replace(year=2027), planned_at=now, planner="eva", command_id=purge,
            )
        )  # fmt: skip
        session.execute(text("INSERT INTO open_merge VALUES ('i1', :merge)"), {"merge": merge})
    attic.clock.advance(1000 * DAY)
    attic.run()
    assert attic.events() == [purge]
    assert count(attic.database, "open_merge") == 0


def test_a_lane_goes_with_its_last_delivery(attic: Attic) -> None:
    attic.deliver("conversation:a")
    attic.clock.advance(3 * DAY)
    attic.deliver("conversation:a", "conversation:b")
    attic.clock.advance(4 * DAY)
    attic.run()
    assert attic.lanes() == ["conversation:a", "conversation:b"]
    attic.clock.advance(3 * DAY)
    attic.run()
    assert attic.lanes() == []


def test_a_lane_that_knows_a_version_stays_so_that_a_stale_one_is_still_told(attic: Attic) -> None:
    skipping = FakeDestination(policy=DeliveryPolicy(skip_stale=True))
    owe(attic.database, attic.clock.now(), subject="record:Item/1", version="5")
    dispatcher(attic.database, attic.clock, skipping).deliver_due()
    attic.clock.advance(7 * DAY)
    attic.run()
    assert (attic.events(), attic.lanes()) == ([], ["record:Item/1"])
    owe(attic.database, attic.clock.now(), subject="record:Item/1", version="4")
    dispatcher(attic.database, attic.clock, skipping).deliver_due()
    assert attic.states() == ["superseded"]
    owe(attic.database, attic.clock.now(), subject="record:Item/1", version="6")
    dispatcher(attic.database, attic.clock, skipping).deliver_due()
    assert [one.event.version for one in skipping.sent] == ["5", "6"]


def test_the_lane_of_a_deleted_record_goes(attic: Attic) -> None:
    attic.deliver("record:Item/1", event_type=events.RECORD_DELETED)
    attic.clock.advance(7 * DAY)
    attic.run()
    assert attic.lanes() == []


def test_the_lane_that_an_event_had_to_itself_goes_with_it(attic: Attic) -> None:
    """`order = "none"`: without this there would be a lane for every event that ever was."""
    (event_id,) = attic.deliver("record:Item/1", event_type=events.RECORD_UPDATED)
    with attic.database.write() as session:
        lane = session.scalars(select(LaneRow)).one()
        lane.subject, lane.last_version = events.event_subject(event_id), "5"
    attic.clock.advance(7 * DAY)
    attic.run()
    assert attic.lanes() == []


def test_a_lane_made_anew_delivers_as_before(attic: Attic) -> None:
    attic.deliver("conversation:a")
    attic.clock.advance(7 * DAY)
    attic.run()
    attic.deliver("conversation:a")
    assert attic.states() == ["delivered"]


def test_a_webhook_sent_again_after_its_event_was_forgotten_is_a_new_event(attic: Attic) -> None:
    assert [_arrive(attic), _arrive(attic)] == [False, True]
    attic.clock.advance(7 * DAY)
    attic.run()
    assert [_arrive(attic), _arrive(attic)] == [False, True]
    assert len(attic.events()) == 1


def test_what_a_legal_hold_covers_stays_and_is_counted(attic: Attic) -> None:
    attic.holds = [LegalHold(subject="conversation:b"), LegalHold(customer="c-7")]
    gone, held = attic.record("conversation:a"), attic.record("conversation:b")
    named = attic.record("conversation:c", body=b'{"customer": {"id": "C-7"}}')
    attic.clock.advance(1000 * DAY)
    attic.run()
    assert attic.events() == [held, named]
    assert attic.noted()[-1]["events"] == 1
    assert attic.noted()[-1]["held"] == 2
    attic.holds = []
    attic.run()
    assert attic.events() == []
    assert gone not in attic.events()


def test_rejections_go_after_rejections_days(attic: Attic) -> None:
    attic.reject(3)
    attic.clock.advance(1)
    attic.reject()
    attic.clock.advance(7 * DAY - 1)
    attic.run()
    assert count(attic.database, "rejection") == 1
    attic.clock.advance(1)
    attic.run()
    assert count(attic.database, "rejection") == 0


def test_zero_days_keep_nothing_that_has_ended(attic: Attic) -> None:
    attic.settings = RetentionSettings(delivered_days=0, dead_days=0, rejections_days=0)
    attic.deliver("conversation:a", to=("erp", "crm"), failing=("crm",))
    attic.reject()
    attic.run()
    assert attic.counts() == (0, 0, 0, 0, 0)


def _arrive(attic: Attic) -> bool:
    """Record the same webhook; whether it counts as a duplicate."""
    event = events.Event(
        type=events.INTERACTION_UPDATED, subject="interaction:i1", payload={}, delivery_key=b"d" * 32,
        content_key=b"c" * 32,
    )  # fmt: skip
    now = attic.clock.now()
    with attic.database.write() as session:
        arrival = Arrival(event=event, source="genesys", body=b"{}", received_at=now)
        (receipt,) = record(session, [arrival], notes=NOTES, vault=VAULT, now=now, dedupe_window=DeliveryPolicy().lease)
    return receipt.duplicate


def _replay(attic: Attic) -> None:
    with attic.database.write() as session:
        delivery_id = session.scalars(select(DeliveryRow.id)).one()
        replay_delivery(
            session, delivery_id, reason="again", actor="cli:a", fresh_id=False, now=attic.clock.now(), notes=NOTES
        )
    dispatcher(attic.database, attic.clock, FakeDestination(answer=lambda _: Delivered())).deliver_due()
