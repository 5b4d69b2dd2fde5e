"""Blocked lanes over the API: found page by page, and let go on by an operator."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import select, update

from bridge import signals
from bridge.admin.access import Role
from bridge.admin.search.pages import cursor
from bridge.events import CONVERSATION_ATTRIBUTES_UPDATED
from bridge.outbox.contract import ClaimedDelivery, DeliveryPolicy, Outcome, Rejected
from bridge.tables import AuditEntryRow, LaneRow
from tests.admin.desk import Desk, Seat
from tests.outbox.yard import FakeDestination, delivery, dispatcher, owe

sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
WHY = {"reason": "mended by hand"}
#: Ids may hold anything but control characters.
ODD = "record:Inventory Item/a//b?c=#é%2F/skip"


def reject(_: ClaimedDelivery) -> Outcome:
    return Rejected(reason="422: quantity", error_class="status")


def block(desk: Desk, *subjects: str, destination: str = "erp", behind: int = 0) -> list[str]:
    """Block those lanes, with so many deliveries behind each dead head; returns the heads."""
    heads = []
    for subject in subjects:
        for number in range(behind + 1):
            (owed,) = owe(
                desk.database,
                desk.clock.now(),
                subject=subject,
                event_type=CONVERSATION_ATTRIBUTES_UPDATED,
                destinations=(destination,),
                version=str(number + 1),
            )
            heads += [owed] if number == 0 else []
    policy = DeliveryPolicy(block_on_dead=True)
    dispatcher(desk.database, desk.clock, FakeDestination(name=destination, answer=reject, policy=policy)).deliver_due()
    return heads


def order(seat: Seat, what: str, subject: str, body: dict[str, Any], destination: str = "erp") -> Any:
    return seat.post(f"/lanes/{destination}/{quote(subject, safe='/:')}/{what}", body)


def test_a_lane_has_its_shape(desk: Desk) -> None:
    (head,) = block(desk, "conversation:a", behind=2)
    owe(desk.database, desk.clock.now(), subject="conversation:free")
    assert desk.sits(Role.VIEWER).get("/lanes", blocked="true").get_json() == {
        "items": [
            {
                "destination": "erp",
                "subject": "conversation:a",
                "blocked_at": "2026-05-01T12:00:00Z",
                "waiting": 2,
                "head": {"delivery": head, "error": "422: quantity"},
            }
        ],
        "next": None,
    }


def test_lanes_come_page_by_page_the_newest_block_first(desk: Desk) -> None:
    block(desk, *(f"conversation:{number}" for number in range(5)))  # at the same moment
    desk.clock.advance(0.000001)
    block(desk, "conversation:crm", destination="crm")
    desk.clock.advance(1)
    block(desk, "conversation:last")
    seat = desk.sits(Role.VIEWER)
    for limit in (1, 2, 3, 50):
        found = [one["subject"] for page in seat.pages("/lanes", limit=limit) for one in page]
        assert found[:2] == ["conversation:last", "conversation:crm"]
        assert sorted(found[2:]) == [f"conversation:{number}" for number in range(5)]
    only = [one["subject"] for page in seat.pages("/lanes", destination="crm", limit=1) for one in page]
    assert only == ["conversation:crm"]
    assert seat.get("/lanes", destination="nobody").get_json() == {"items": [], "next": None}


def test_a_page_is_stable_while_lanes_go_and_come(desk: Desk) -> None:
    for number in range(4):
        block(desk, f"conversation:{number}")
        desk.clock.advance(1)
    seat = desk.sits(Role.OPERATOR)
    first = seat.get("/lanes", limit=2).get_json()
    assert [one["subject"] for one in first["items"]] == ["conversation:3", "conversation:2"]
    assert order(seat, "skip", "conversation:2", WHY).status_code == 200  # where the page ended
    block(desk, "conversation:new")
    rest = seat.get("/lanes", limit=2, cursor=first["next"]).get_json()
    assert [one["subject"] for one in rest["items"]] == ["conversation:1", "conversation:0"]
    assert rest["next"] is None


@sqlite_only
def test_a_wrong_query_is_refused_by_its_field(desk: Desk) -> None:
    seat = desk.sits(Role.VIEWER)
    far = cursor("lanes", "ffffffff-ffff-ffff-ffff-ffffffffffff")
    for query, field in (
        ({"blocked": "false"}, "blocked"),
        ({"limit": "0"}, "limit"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": far}, "cursor"),
        ({"subject": "x"}, "subject"),
    ):
        answer = seat.get("/lanes", **query)
        assert answer.status_code == 422, query
        assert [one["field"] for one in answer.get_json()["errors"]] == [field]


def test_a_skipped_lane_goes_on_and_the_audit_keeps_why(desk: Desk) -> None:
    (head,) = block(desk, ODD, behind=1)
    seat = desk.sits(Role.OPERATOR)
    heard: list[int] = []

    def hear(_: object) -> None:
        heard.append(len(seat.get("/lanes").get_json()["items"]))

    with signals.work_recorded.connected_to(hear):
        answer = order(seat, "skip", ODD, WHY)
    assert answer.get_json() == {"destination": "erp", "subject": ODD, "delivery": head, "state": "dead"}
    assert heard == [0], "the dispatcher is woken after the commit"
    dispatcher(desk.database, desk.clock, erp := FakeDestination()).deliver_due()
    assert erp.versions(ODD) == ["2"]
    with desk.database.read() as session:
        (entry,) = session.scalars(select(AuditEntryRow).where(AuditEntryRow.action == "lane.skipped"))
    assert (entry.actor, entry.subject, entry.reason) == (seat.actor, ODD, "mended by hand")


def test_a_released_head_goes_first(desk: Desk) -> None:
    (head,) = block(desk, "conversation:a", behind=1)
    answer = order(desk.sits(Role.OPERATOR), "release", "conversation:a", {**WHY, "head": head})
    assert (answer.status_code, answer.get_json()["state"]) == (200, "pending")
    assert delivery(desk.database, head).state == "pending"
    dispatcher(desk.database, desk.clock, erp := FakeDestination()).deliver_due()
    assert erp.versions("conversation:a") == ["1", "2"]


@pytest.mark.parametrize("what", ["skip", "release"])
def test_what_cannot_be_done_is_a_conflict_and_what_is_not_there_a_404(desk: Desk, what: str) -> None:
    heads = block(desk, "conversation:a", "conversation:b")
    seat = desk.sits(Role.OPERATOR)
    assert order(seat, what, "conversation:c", WHY).status_code == 404
    assert order(seat, what, "conversation:a", WHY, destination="crm").status_code == 404
    other = {**WHY, "head": heads[1]}
    assert order(seat, what, "conversation:a", other).status_code == 409
    assert order(seat, what, "conversation:a", {}).status_code == 422
    assert order(seat, what, "conversation:a", {"reason": "  "}).status_code == 422
    assert order(seat, what, "conversation:a", WHY).status_code == 200
    assert order(seat, what, "conversation:a", WHY).status_code == 409
    assert len(seat.get("/lanes").get_json()["items"]) == 1


@sqlite_only
def test_a_page_of_lanes_costs_the_same_however_many_there_are(desk: Desk) -> None:
    block(desk, *(f"conversation:{number}" for number in range(60)))
    seat = desk.sits(Role.VIEWER)
    few = _steps(desk, seat)
    with desk.database.write() as session:
        for number in range(3000):
            session.add(
                LaneRow(
                    lane_id=number + 1,
                    destination="erp",
                    subject=f"record:X/{number}",
                    last_seq=0,
                    head_seq=1,
                    attempt=0,
                )
            )
    block(desk, *(f"conversation:more-{number}" for number in range(200)))
    with desk.database.write() as session:  # one long after the other, as they die
        more = session.scalars(select(LaneRow).where(LaneRow.subject.like("conversation:more-%"))).all()
        for number, lane in enumerate(more):
            at = desk.clock.now() - timedelta(seconds=number + 1)
            session.execute(update(LaneRow).where(LaneRow.lane_id == lane.lane_id).values(blocked_at=at))
    assert _steps(desk, seat) < few * 2


def _steps(desk: Desk, seat: Seat) -> int:
    """How many steps SQLite's machine makes for a page."""
    from bridge.admin.search.lanes import find_blocked_lanes
    from bridge.admin.search.pages import PageRequest

    counted = 0

    def tick() -> int:
        nonlocal counted
        counted += 10
        return 0

    with desk.database.read() as session:
        driver: Any = session.connection().connection.driver_connection
        driver.set_progress_handler(tick, 10)
        find_blocked_lanes(session, None, PageRequest(limit=20))
        driver.set_progress_handler(None, 0)
    return counted
