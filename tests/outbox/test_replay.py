"""Orders to send again: one delivery, many by a filter, and what they may not do."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.clock import new_id
from bridge.database import Database
from bridge.errors import Conflict, Invalid, NotFound
from bridge.events import CONVERSATION_ATTRIBUTES_UPDATED
from bridge.outbox.contract import ClaimedDelivery, Delivered, DeliveryPolicy, Outcome
from bridge.outbox.replay import ReplayedDelivery, replay_delivery
from bridge.outbox.replay_orders import plan_replay
from bridge.outbox.replay_walk import AT_ONCE
from bridge.outbox.selection import ReplayFilter
from bridge.outbox.slots import AHEAD
from tests.fakes import FakeClock
from tests.outbox.replays import counted, many_dead, order, progress_of, reject, step, step_of
from tests.outbox.yard import NOTES, FakeDestination, actions, delivery, dispatcher, owe, states

CHANGE = CONVERSATION_ATTRIBUTES_UPDATED


def replay(database: Database, clock: FakeClock, one: str, *, fresh_id: bool = False) -> ReplayedDelivery:
    with database.write() as session:
        return replay_delivery(
            session, one, reason="mended", actor="cli:eva", fresh_id=fresh_id, now=clock.now(), notes=NOTES
        )


def walk(database: Database, clock: FakeClock, *destinations: FakeDestination) -> None:
    """What a worker does, second by second, until nothing moves any more."""
    worker = dispatcher(database, clock, *destinations)
    for _ in range(20):
        step(database, clock.now())
        worker.deliver_due()
        clock.advance(1)


def test_a_dead_delivery_replayed_arrives_under_its_old_webhook_id(database: Database, clock: FakeClock) -> None:
    (dead,) = owe(database, clock.now())
    dispatcher(database, clock, FakeDestination(answer=reject)).deliver_due()
    again = replay(database, clock, dead)
    dispatcher(database, clock, erp := FakeDestination()).deliver_due()
    assert [(one.delivery_id, one.webhook_id) for one in erp.sent] == [(again.id, dead)]
    assert delivery(database, again.id).replay_of == dead
    assert delivery(database, dead).state == "dead", "the old one stays what it was"
    assert "replay.delivery" in actions(database)


def test_a_fresh_id_is_given_only_when_asked_for(database: Database, clock: FakeClock) -> None:
    (owed,) = owe(database, clock.now())
    dispatcher(database, clock, FakeDestination()).deliver_due()
    again = replay(database, clock, owed, fresh_id=True)
    assert delivery(database, again.id).webhook_id == again.id


def test_what_is_pending_or_on_its_way_again_is_not_replayed_twice(database: Database, clock: FakeClock) -> None:
    (owed,) = owe(database, clock.now())
    with pytest.raises(Conflict, match="still pending"):
        replay(database, clock, owed)
    dispatcher(database, clock, FakeDestination(answer=reject)).deliver_due()
    again = replay(database, clock, owed)
    with pytest.raises(Conflict, match=again.id):
        replay(database, clock, owed)
    with pytest.raises(NotFound):
        replay(database, clock, new_id())


def test_a_replay_says_when_a_newer_version_was_delivered_and_does_not_overwrite_it(
    database: Database, clock: FakeClock
) -> None:
    policy = DeliveryPolicy(skip_stale=True)
    (old,) = owe(database, clock.now(), version="1")
    dispatcher(database, clock, FakeDestination(answer=reject, policy=policy)).deliver_due()
    owe(database, clock.now(), version="2")
    worker = dispatcher(database, clock, erp := FakeDestination(policy=policy))
    worker.deliver_due()
    again = replay(database, clock, old)
    assert again.newer_delivered
    worker.deliver_due()
    assert erp.versions("record:InventoryItem/r-1") == ["2"]
    assert delivery(database, again.id).state == "superseded"


def test_a_replay_goes_out_behind_what_waits_in_its_lane(database: Database, clock: FakeClock) -> None:
    (dead,) = owe(database, clock.now(), event_type=CHANGE, version="1")
    dispatcher(database, clock, FakeDestination(answer=reject)).deliver_due()
    owe(database, clock.now(), event_type=CHANGE, version="2")
    replay(database, clock, dead)
    dispatcher(database, clock, erp := FakeDestination()).deliver_due()
    assert erp.versions("record:InventoryItem/r-1") == ["2", "1"]


def test_live_traffic_goes_before_replays(database: Database, clock: FakeClock) -> None:
    dead = [owe(database, clock.now(), subject=f"conversation:{number}")[0] for number in range(20)]
    dispatcher(database, clock, FakeDestination(answer=reject)).deliver_due()
    for one in dead:
        replay(database, clock, one)
    clock.advance(1)
    live = [owe(database, clock.now(), subject=f"conversation:live-{number}")[0] for number in range(4)]
    narrow = FakeDestination(policy=DeliveryPolicy(max_in_flight=2))
    dispatcher(database, clock, narrow).deliver_due()
    assert {one.delivery_id for one in narrow.sent[:4]} == set(live)
    assert len(narrow.sent) == 24


def test_a_live_event_waits_for_no_replay_but_those_that_were_claimed_before_it(
    database: Database, clock: FakeClock
) -> None:
    many_dead(database, clock.now(), 60)
    clock.advance(1)
    order(database, clock, ReplayFilter(destination="erp", state="dead"), rate=60)
    clock.advance(1)
    step(database, clock.now())
    lock = threading.Lock()
    live: list[str] = []

    def answer(_: ClaimedDelivery) -> Outcome:
        with lock:
            if not live:
                live.extend(owe(database, clock.now(), subject="conversation:live", event_type=CHANGE))
        return Delivered()

    policy = DeliveryPolicy(max_in_flight=2)
    dispatcher(database, clock, erp := FakeDestination(policy=policy, answer=answer)).deliver_due()
    assert len(erp.sent) == 61
    place = [one.delivery_id for one in erp.sent].index(live[0])
    assert place <= policy.max_in_flight * AHEAD, f"{place} replays went before it"


def test_an_order_sends_what_its_filter_selects_and_tells_how_far_it_is(database: Database, clock: FakeClock) -> None:
    for number in range(30):
        owe(database, clock.now(), subject=f"conversation:{number}", event_type=CHANGE, destinations=("erp", "crm"))
    dispatcher(database, clock, FakeDestination(answer=reject), FakeDestination(name="crm")).deliver_due()
    chosen = ReplayFilter(destination="erp", state="dead")
    counts = counted(database, clock, chosen)
    assert (counts.matched, counts.by_destination, counts.by_type) == (30, {"erp": 30}, {CHANGE: 30})
    replay_id = order(database, clock, chosen, rate=7)
    erp, crm = FakeDestination(), FakeDestination(name="crm")
    walk(database, clock, erp, crm)
    assert sorted(one.event.subject for one in erp.sent) == sorted(f"conversation:{n}" for n in range(30))
    assert crm.sent == []
    progress = progress_of(database, replay_id)
    assert (progress.state, progress.matched, progress.sent, progress.delivered, progress.failed) == (
        "completed", 30, 30, 30, 0,
    )  # fmt: skip


def test_an_order_keeps_its_rate(database: Database, clock: FakeClock) -> None:
    for number in range(10):
        owe(database, clock.now(), subject=f"conversation:{number}")
    dispatcher(database, clock, FakeDestination(answer=reject)).deliver_due()
    order(database, clock, ReplayFilter(state="dead"), rate=3)
    assert step(database, clock.now()) == 3
    assert step(database, clock.now()) == 0
    assert step(database, clock.now() + timedelta(seconds=1)) == 3


@pytest.mark.parametrize("rate", [7, 1.2 * AT_ONCE, 2 * AT_ONCE, 6 * AT_ONCE])
def test_a_second_of_a_rate_goes_in_small_steps_and_whole(database: Database, clock: FakeClock, rate: float) -> None:
    many_dead(database, clock.now(), 7 * AT_ONCE)
    clock.advance(1)
    replay_id = order(database, clock, ReplayFilter(state="dead"), rate=rate)
    clock.advance(1)
    first = step_of(database, clock.now(), replay_id)
    assert 0 < first <= AT_ONCE
    assert first + step(database, clock.now()) == rate


def test_a_rate_below_one_waits_longer(database: Database, clock: FakeClock) -> None:
    many_dead(database, clock.now(), 3)
    clock.advance(1)
    slow = order(database, clock, ReplayFilter(state="dead"), rate=0.25)
    assert [step_of(database, clock.now() + timedelta(seconds=second), slow) for second in range(9)] == [
        1, 0, 0, 0, 1, 0, 0, 0, 1,
    ]  # fmt: skip


def test_a_delivery_that_dies_again_is_not_found_again_by_the_same_order(database: Database, clock: FakeClock) -> None:
    for subject in ("conversation:a", "conversation:b"):
        owe(database, clock.now(), subject=subject)
    dispatcher(database, clock, FakeDestination(answer=reject)).deliver_due()
    order(database, clock, ReplayFilter(state="dead"), rate=1)
    clock.advance(1)
    walk(database, clock, erp := FakeDestination(answer=reject))
    assert [one.event.subject for one in erp.sent] == ["conversation:a", "conversation:b"]
    assert states(database) == ["dead"] * 4


def test_a_live_event_lifts_the_replays_before_it_in_its_lane(database: Database, clock: FakeClock) -> None:
    (dead,) = owe(database, clock.now(), event_type=CHANGE, version="1")
    dispatcher(database, clock, FakeDestination(answer=reject)).deliver_due()
    again = replay(database, clock, dead)
    clock.advance(1)
    for subject in ("conversation:a", "conversation:b"):
        owe(database, clock.now(), subject=subject)
    owe(database, clock.now(), event_type=CHANGE, version="2")
    narrow = FakeDestination(policy=DeliveryPolicy(max_in_flight=1))
    dispatcher(database, clock, narrow).deliver_due()
    assert narrow.sent[0].delivery_id == again.id, "its lane waited longest, and a live event waits behind it"


def test_a_replay_behind_a_live_event_does_not_hold_it_back(database: Database, clock: FakeClock) -> None:
    (dead,) = owe(database, clock.now(), event_type=CHANGE, version="1")
    dispatcher(database, clock, FakeDestination(answer=reject)).deliver_due()
    (live,) = owe(database, clock.now(), event_type=CHANGE, version="2")
    replay(database, clock, dead)
    clock.advance(1)
    owe(database, clock.now(), subject="conversation:b")
    narrow = FakeDestination(policy=DeliveryPolicy(max_in_flight=1))
    dispatcher(database, clock, narrow).deliver_due()
    assert narrow.sent[0].delivery_id == live


def test_latest_sends_only_the_newest_version_of_each_subject(database: Database, clock: FakeClock) -> None:
    for version in ("1", "3", "2"):
        owe(database, clock.now(), event_type=CHANGE, version=version)
    dispatcher(database, clock, FakeDestination(answer=reject)).deliver_due()
    chosen = ReplayFilter(destination="erp", state="dead")
    counts = counted(database, clock, chosen, "latest")
    assert (counts.matched, counts.left_out) == (1, 2)
    order(database, clock, chosen, "latest", rate=1)
    walk(database, clock, erp := FakeDestination())
    assert erp.versions("record:InventoryItem/r-1") == ["3"]


def test_a_new_destination_is_filled_with_what_it_was_never_owed(database: Database, clock: FakeClock) -> None:
    for number in range(5):
        owe(database, clock.now(), subject=f"conversation:{number}")
    order(database, clock, ReplayFilter(destination="crm", state="none"), rate=2)
    erp, crm = FakeDestination(), FakeDestination(name="crm")
    walk(database, clock, erp, crm)
    assert sorted(one.event.subject for one in crm.sent) == [f"conversation:{number}" for number in range(5)]


def test_a_wrong_filter_names_every_field(database: Database, clock: FakeClock) -> None:
    wrong = ReplayFilter(destination="epr", state="gone")
    with pytest.raises(Invalid) as refused:
        order(database, clock, wrong)
    assert [one.field for one in refused.value.errors] == ["filter.state", "filter.destination"]
    with pytest.raises(Invalid) as refused:
        order(database, clock, replace(wrong, destination=None, state="none"))
    assert [one.rule for one in refused.value.errors] == ["required"]


def test_where_no_destination_is_configured_nothing_is_selected(database: Database, clock: FakeClock) -> None:
    owe(database, clock.now())
    with database.read() as session:
        assert plan_replay(session, ReplayFilter(), "every", {}, now=clock.now()).counts.matched == 0


def test_a_replay_without_a_reason_is_refused(database: Database, clock: FakeClock) -> None:
    (owed,) = owe(database, clock.now())
    dispatcher(database, clock, FakeDestination(answer=lambda _: Delivered())).deliver_due()
    with pytest.raises(Invalid), database.write() as session:
        replay_delivery(session, owed, reason=" ", actor="cli:eva", fresh_id=False, now=clock.now(), notes=NOTES)
