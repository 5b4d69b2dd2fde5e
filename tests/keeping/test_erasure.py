"""Erasing somebody: what is gone, what stays, what is never sent any more, and what stands in the way."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from sqlalchemy import text

from bridge.admin.search.events import raw_body, show_event
from bridge.database import Database
from bridge.errors import Conflict, Gone, Invalid
from bridge.events import CONVERSATION_ATTRIBUTES_UPDATED
from bridge.intake.canonical import event_key
from bridge.keeping.erasure_search import ErasureOrder
from bridge.outbox.contract import ClaimedDelivery, Delivered, Exchange, Outcome, RetryLater, Waiting
from bridge.outbox.replay import replay_delivery
from bridge.privacy import data_keys
from bridge.settings.model import LegalHold
from tests.fakes import VAULT, FakeClock
from tests.keeping.file_room import EVA, MARKER, MASKING, FileRoom
from tests.moments import just_before
from tests.outbox.yard import NOTES, FakeDestination, attempts, dispatcher, lane, owe
from tests.privacy.placing import place


@pytest.fixture
def room(database: Database, clock: FakeClock) -> FileRoom:
    return FileRoom(database, clock)


def test_what_was_erased_cannot_be_read_and_its_envelope_stays(room: FileRoom) -> None:
    receipt = room.record()
    room.record("conversation:adam")
    report = room.erase()
    assert (report.subjects, report.events) == ([EVA], 1)
    with room.database.read() as session:
        shown = show_event(session, receipt.event_id, masking=MASKING, vault=VAULT, now=room.clock.now())
        assert (shown.payload, shown.erased, shown.subject, shown.errors) == (None, True, EVA, None)
        with pytest.raises(Gone):
            raw_body(session, receipt.event_id, VAULT)
    adam = room.events()[1]
    with room.database.read() as session:
        assert MARKER.encode() in raw_body(session, adam.id, VAULT)


def test_a_new_event_of_an_erased_subject_is_kept_under_a_new_key_and_sent(room: FileRoom) -> None:
    room.record()
    room.erase()
    receipt = room.record(payload={"note": "new"})
    assert not receipt.duplicate
    crm = FakeDestination(name="crm")
    room.deliver_due(crm)
    assert [one.event.payload for one in crm.sent] == [{"note": "new"}]


def test_a_webhook_that_its_sender_sends_again_does_not_bring_it_back(room: FileRoom) -> None:
    first = room.record(delivery_key=b"d" * 32)
    room.erase()
    again = room.record(delivery_key=b"d" * 32)
    assert (again.duplicate, again.conflicting, again.event_id) == (True, False, first.event_id)


def test_the_same_said_anew_after_an_erasure_is_a_new_event(room: FileRoom) -> None:
    """A hash of what was said would let anybody try out what it was: it goes too."""
    room.record(content_key=b"c" * 32)
    room.erase()
    assert not room.record(content_key=b"c" * 32).duplicate


def test_what_could_not_be_read_is_found_by_the_customer_that_it_names(room: FileRoom) -> None:
    document = [{"customer": {"email": "eva@example.com"}, "note": MARKER}]
    room.record("unreadable:h", payload={}, body=orjson.dumps(document), state="unreadable", to=())
    report = room.erase(customer="Eva@example.com")
    assert (report.subjects, report.events) == (["unreadable:h"], 1)
    (event,) = room.events()
    with room.database.read() as session, pytest.raises(Gone):
        raw_body(session, event.id, VAULT)


def test_another_event_of_the_same_version_is_recorded_though_the_first_is_half_erased(room: FileRoom) -> None:
    """Its key is destroyed, and whoever did it was stopped: that the two say different things nobody can tell."""
    key = event_key("genesys", CONVERSATION_ATTRIBUTES_UPDATED, EVA, "7", {})
    room.record(payload={"note": "one"}, version="7", content_key=key)
    with room.database.write() as session:
        data_keys.destroy(session, data_keys.take_from_recorders(session, EVA), now=room.clock.now())
    other = room.record(payload={"note": "two"}, version="7", content_key=key)
    assert not other.duplicate
    assert room.record(payload={"note": "two"}, version="7", content_key=key).event_id == other.event_id


def test_what_is_still_owed_is_cancelled_and_says_so(room: FileRoom) -> None:
    for _ in range(3):
        room.record(to=("crm", "erp"))
    report = room.erase()
    assert report.cancelled == {"crm": 3, "erp": 3}
    assert room.states() == [("cancelled", "erased")] * 6
    crm = FakeDestination(name="crm")
    room.deliver_due(crm)
    assert crm.sent == []
    assert len(room.audited("delivery.cancelled")) == 6


def test_the_report_tells_what_was_delivered_to_whom_and_when(room: FileRoom) -> None:
    first = room.clock.now()
    room.record(to=("crm", "erp"))
    room.deliver_due(FakeDestination(name="crm"), FakeDestination(name="erp"))
    room.clock.advance(60)
    room.record(to=("crm",))
    room.deliver_due()
    report = room.erase()
    told = [(one.destination, one.deliveries, one.first_at, one.last_at) for one in report.delivered]
    assert told == [("crm", 2, first, room.clock.now()), ("erp", 1, first, first)]
    assert report.cancelled == {}


def test_an_erasure_given_again_finds_nothing_left(room: FileRoom) -> None:
    room.record()
    room.erase()
    again = room.erase()
    assert (again.events, again.erased_before, again.cancelled) == (0, 1, {})


def test_a_subject_that_nobody_knows_is_no_error(room: FileRoom) -> None:
    assert room.erase("conversation:nobody").events == 0
    assert room.erase(customer="nobody").subjects == []
    assert [one.action for one in room.audited("erasure.")] == [
        *("erasure.begun", "erasure.completed"),
        "erasure.completed",
    ]


@pytest.mark.parametrize("order", [{"subject": EVA}, {"customer": "cust-7"}])
def test_a_preview_tells_what_the_order_would_do_and_does_nothing(room: FileRoom, order: dict[str, str]) -> None:
    told: dict[str, object] = {"customer": {"id": "cust-7"}}
    room.record(payload=told)
    room.erase()
    room.record(payload=told)
    room.record("conversation:adam")
    room.deliver_due()
    room.record(payload=told, to=("crm", "erp"))
    before = room.dump()
    wanted = ErasureOrder(**order, reason="asked", actor="cli:root")
    preview = room.erasures().preview(wanted)
    assert room.dump() == before
    assert (preview.events, preview.erased_before, preview.cancelled) == (2, 1, {"crm": 1, "erp": 1})
    assert room.erasures().erase(wanted) == preview


def test_a_preview_is_refused_as_the_order_would_be_and_nothing_is_noted(room: FileRoom) -> None:
    room.record()
    room.holds.append(LegalHold(subject=EVA, reason="lawsuit"))
    with pytest.raises(Conflict, match="lawsuit"):
        room.erasures().preview(ErasureOrder(subject=EVA, reason="asked", actor="cli:root"))
    assert room.audited("erasure.") == []


def test_a_hold_that_is_placed_between_two_subjects_keeps_the_second(room: FileRoom) -> None:
    first, second = (room.record(f"interaction:{one}", payload={"customer": {"id": "cust-7"}}) for one in "ab")

    def lay(_looked_at: int) -> None:
        place(room.database, room.clock.now(), subject="interaction:b")

    with pytest.raises(Conflict, match="1 had been erased before it was placed"):
        room.erasures().erase(ErasureOrder(customer="cust-7", reason="asked", actor="cli:root"), progress=lay)
    with room.database.read() as session:
        assert raw_body(session, second.event_id, VAULT)
        with pytest.raises(Gone):
            raw_body(session, first.event_id, VAULT)


def test_a_big_subject_is_erased_a_page_at_a_time(room: FileRoom) -> None:
    for _ in range(5):
        room.record()
    seen: list[int] = []
    order = ErasureOrder(subject=EVA, reason="asked", actor="cli:root")
    report = room.erasures(page=2).erase(order, progress=seen.append)
    assert (report.events, report.cancelled, seen) == (5, {"crm": 5}, [2, 4, 5])


def test_a_customer_is_found_by_id_phone_and_e_mail_wherever_they_were_named(room: FileRoom) -> None:
    customer = {"id": "cust-7", "phoneNumber": "+49 151 2345678", "email": "Eva@Example.com"}
    room.record("interaction:a", payload={"customer": customer})
    room.record("interaction:b", payload={"updatedAttributes": {"callerPhone": "0049151 2345678"}})
    room.record("interaction:c", payload={"body": {"customer_id": "cust-7"}})
    room.record("interaction:d", payload={"customer": {"id": "cust-8"}})
    assert room.erase(customer="tel:+491512345678").subjects == ["interaction:a", "interaction:b"]
    assert room.erase(customer="cust-7").subjects == ["interaction:c"]
    assert room.erase(customer="eva@example.COM").subjects == []
    assert room.erase(customer="cust-8").events == 1
    with room.database.read() as session:
        assert session.execute(text("SELECT count(*) FROM customer_subject")).scalar() == 0


def test_the_index_of_customers_tells_nothing_to_whoever_reads_the_database(room: FileRoom) -> None:
    room.record("interaction:a", payload={"customer": {"id": MARKER}})
    assert MARKER not in room.dump()


def test_neither_the_audit_nor_an_error_names_the_customer(room: FileRoom) -> None:
    room.record("interaction:a", payload={"customer": {"id": MARKER}})
    room.erase(customer=MARKER)
    room.holds.append(LegalHold(customer=MARKER, reason="lawsuit"))
    with pytest.raises(Conflict) as refused:
        room.erase(customer=MARKER)
    assert MARKER not in refused.value.detail
    assert MARKER not in room.dump()


@pytest.mark.parametrize(
    "hold",
    [
        LegalHold(subject=EVA, reason="lawsuit"),
        LegalHold(customer="cust-7", reason="lawsuit"),
    ],
)
def test_a_legal_hold_forbids_it_names_itself_and_is_audited(room: FileRoom, hold: LegalHold) -> None:
    receipt = room.record(payload={"customer": {"id": "cust-7"}})
    room.holds.append(hold)
    for order in ({"subject": EVA}, {"customer": "cust-7"}):
        with pytest.raises(Conflict, match="lawsuit"):
            room.erase(**order)
    with room.database.read() as session:
        assert raw_body(session, receipt.event_id, VAULT)
    refusals = room.audited("erasure.")
    assert [one.action for one in refusals] == ["erasure.refused"] * 2
    assert all("lawsuit" in one.details["hold"] for one in refusals)
    assert room.states() == [("pending", None)]


@pytest.mark.parametrize("held", [{"subject": EVA}, {"customer": "cust-7"}])
@pytest.mark.parametrize("order", [{"subject": EVA}, {"customer": "cust-7"}])
def test_a_hold_that_is_placed_while_the_subject_is_looked_through_is_still_seen(
    room: FileRoom, held: dict[str, str], order: dict[str, str]
) -> None:
    receipt = room.record(payload={"customer": {"id": "cust-7"}})

    def lay() -> None:
        place(room.database, room.clock.now(), **held, reason="just now")

    with just_before(room.database, "FROM event", 1, lay), pytest.raises(Conflict, match="just now"):
        room.erase(**order)
    with room.database.read() as session:
        assert raw_body(session, receipt.event_id, VAULT)


@pytest.mark.parametrize(
    "order",
    [
        ErasureOrder(reason="asked", actor="cli:root"),
        ErasureOrder(subject=EVA, customer="c", reason="asked", actor="cli:root"),
        ErasureOrder(subject=EVA, reason="  ", actor="cli:root"),
        ErasureOrder(subject=" ", reason="asked", actor="cli:root"),
        ErasureOrder(subject="source:genesys", reason="asked", actor="cli:root"),
        ErasureOrder(subject="index:customers", reason="asked", actor="cli:root"),
    ],
)
def test_an_order_that_names_nobody_or_no_reason_is_refused(room: FileRoom, order: ErasureOrder) -> None:
    with pytest.raises(Invalid):
        room.erasures().erase(order)


def test_what_is_being_sent_is_cancelled_and_nothing_of_its_answer_is_kept(room: FileRoom) -> None:
    def erased_meanwhile(_: ClaimedDelivery) -> Outcome:
        assert room.erase().in_flight == {"crm": 1}
        return Delivered(exchange=Exchange(status=200, answer_excerpt=MARKER), progress={"result": MARKER})

    room.record()
    room.record()
    room.deliver_due(FakeDestination(name="crm", answer=erased_meanwhile))
    assert room.states() == [
        ("cancelled", "erased while it was being sent: it may have been delivered"),
        ("cancelled", "erased"),
    ]
    assert MARKER not in room.dump()


def test_a_lane_goes_on_when_the_lease_of_what_was_being_sent_ends(room: FileRoom) -> None:
    def erased_meanwhile(_: ClaimedDelivery) -> Outcome:
        room.erase()
        return Delivered()

    room.record()
    room.deliver_due(FakeDestination(name="crm", answer=erased_meanwhile))
    room.record(payload={"note": "new"})
    crm = FakeDestination(name="crm")
    room.deliver_due(crm)
    assert crm.sent == []  # it could overtake what is on its way
    room.clock.advance(31)
    room.deliver_due(crm)
    assert [one.event.payload for one in crm.sent] == [{"note": "new"}]


def test_a_claim_that_meets_an_erased_event_cancels_it_and_sends_what_follows(room: FileRoom) -> None:
    """As a replay leaves it that was ordered while the subject was erased."""
    room.record()
    room.record()
    with room.database.write() as session:  # the key alone: all that a crash right after it leaves behind
        session.execute(
            text("UPDATE data_key SET wrapped = NULL, wrapped_by = NULL, destroyed_at = created_at WHERE scope = :eva"),
            {"eva": EVA},
        )
    room.record(payload={"note": "new"})
    crm = FakeDestination(name="crm")
    room.deliver_due(crm)
    assert [one.event.payload for one in crm.sent] == [{"note": "new"}]
    assert room.states() == [("cancelled", "erased"), ("cancelled", "erased"), ("delivered", None)]
    assert len(room.audited("delivery.cancelled")) == 2
    assert lane(room.database, EVA, "crm").due_at is None


def test_an_erasure_that_was_cut_off_goes_on_when_it_is_ordered_again(room: FileRoom) -> None:
    room.record()
    with room.database.write() as session:
        session.execute(
            text("UPDATE data_key SET wrapped = NULL, wrapped_by = NULL, destroyed_at = created_at WHERE scope = :eva"),
            {"eva": EVA},
        )
    report = room.erase()
    assert (report.events, report.erased_before, report.cancelled) == (0, 1, {"crm": 1})


def test_answers_and_progress_of_what_was_erased_are_emptied(room: FileRoom) -> None:
    told = Exchange(status=500, answer_excerpt=MARKER)
    room.record()
    room.deliver_due(
        FakeDestination(name="crm", answer=lambda _: RetryLater(reason="away", error_class="status", exchange=told))
    )
    room.clock.advance(3600)
    room.deliver_due(FakeDestination(name="crm", answer=lambda _: Delivered(exchange=told, progress={"a": MARKER})))
    assert MARKER in room.dump()
    room.erase()
    assert MARKER not in room.dump()
    with room.database.read() as session:
        (delivery_id,) = session.execute(text("SELECT id FROM delivery")).scalars()
    assert [one.status for one in attempts(room.database, delivery_id)] == [500, 500]


def test_a_command_that_waits_for_genesys_is_cancelled_between_its_steps(room: FileRoom) -> None:
    room.record(to=("genesys",))
    waiting = FakeDestination(
        name="genesys", answer=lambda _: Waiting(progress={"plan": MARKER}, wait=timedelta(seconds=5))
    )
    room.deliver_due(waiting)
    assert room.erase().cancelled == {"genesys": 1}
    assert MARKER not in room.dump()


def test_a_replay_of_what_was_erased_is_refused(room: FileRoom) -> None:
    room.record()
    room.deliver_due()
    room.erase()
    with room.database.read() as session:
        (delivery_id,) = session.execute(text("SELECT id FROM delivery")).scalars()
    with pytest.raises(Gone), room.database.write() as session:
        replay_delivery(
            session, delivery_id, reason="x", actor="cli:a", fresh_id=False, now=room.clock.now(), notes=NOTES
        )


def test_rows_of_an_older_version_are_overwritten(room: FileRoom) -> None:
    owe(room.database, room.clock.now(), subject=EVA, version=MARKER[:9], destinations=("crm",))
    with room.database.write() as session:
        session.execute(text("UPDATE event SET body = :body"), {"body": MARKER.encode()})
    report = room.erase()
    assert (report.events, report.cancelled) == (1, {"crm": 1})
    (row,) = room.events()
    assert (row.payload, row.body, row.sealed_payload) == (None, b"", None)
    assert room.erase().erased_before == 1
    dispatcher(room.database, room.clock, FakeDestination(name="crm")).deliver_due()


def test_what_is_sealed_with_its_sources_key_is_overwritten_and_the_key_stays(room: FileRoom) -> None:
    eva, adam = room.record("unknown:e", payload={"customer": {"id": "c"}}), room.record("unknown:a")
    assert room.erase(customer="c").subjects == ["unknown:e"]
    with room.database.read() as session:
        assert MARKER.encode() in raw_body(session, adam.event_id, VAULT)
        with pytest.raises(Gone):
            raw_body(session, eva.event_id, VAULT)


def test_a_destroyed_key_is_in_the_file_no_more(room: FileRoom) -> None:
    """Not even in what SQLite would leave of a row that became shorter."""
    room.record()
    for number in range(40):
        room.record(f"conversation:{number}", to=())
    with room.database.read() as session:
        wrapped = session.execute(text("SELECT wrapped FROM data_key WHERE scope = :eva"), {"eva": EVA}).scalar_one()
    room.erase()
    if room.database.is_sqlite:
        with room.database.engine.connect() as connection:
            connection.exec_driver_sql("ROLLBACK")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        path = room.database.engine.url.database
        assert path is not None
        assert bytes(wrapped) not in Path(path).read_bytes()
    assert bytes(wrapped).decode("latin-1") not in room.dump()
