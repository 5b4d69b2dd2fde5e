"""Lists and single views over the API: shapes, pages, and refusals that name the field."""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Any

import pytest
from sqlalchemy import delete, insert

from bridge.admin.access import Role
from bridge.clock import new_id, rfc3339
from bridge.lists.walk import EXAMINED
from bridge.tables import RejectionRow, core
from tests.admin.desk import Desk
from tests.admin.stock import TYPES, id_at, ids, stock
from tests.outbox.yard import FakeDestination, dispatcher, owe

LISTS = (
    *("/events", "/deliveries", "/replays", "/rejections", "/audit", "/tokens"),
    *("/commands", "/destinations", "/lanes", "/purges"),
)
sqlite_only = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def reject(desk: Desk, cause: str, body: bytes | None = None) -> None:
    with desk.database.write() as session:
        row = RejectionRow(
            id=new_id(),
            at=desk.clock.now(),
            source="genesys",
            cause=cause,
            status=401,
            address="192.0.2.1",
            size=12,
            body=body,
        )
        session.add(row)


def test_an_event_has_its_shape(desk: Desk) -> None:
    (delivery,) = owe(desk.database, desk.clock.now(), version="7")
    (event,) = desk.sits(Role.VIEWER).get("/events").get_json()["items"]
    assert event == {
        "id": event["id"],
        "source": "genesys",
        "type": "custom_object.record.updated",
        "subject": "record:InventoryItem/r-1",
        "version": 7,
        "occurred_at": None,
        "received_at": "2026-05-01T12:00:00Z",
        "duplicates": 0,
        "state": "recorded",
        "correlation_id": None,
        "payload": {"version": "7"},
        "erased": False,
        "errors": None,
        "deliveries": [{"id": delivery, "destination": "erp", "state": "pending"}],
    }
    assert desk.sits(Role.VIEWER).get(f"/events/{event['id']}").get_json() == event


def test_a_delivery_has_its_shape_and_its_attempts_in_the_single_view(desk: Desk) -> None:
    (delivery,) = owe(desk.database, desk.clock.now())
    dispatcher(desk.database, desk.clock, FakeDestination()).deliver_due()
    seat = desk.sits(Role.VIEWER)
    shown = seat.get(f"/deliveries/{delivery}").get_json()
    (attempt,) = shown.pop("attempt_log")
    assert attempt.keys() >= {"number", "started_at", "duration_ms", "status", "error", "answer_excerpt"}
    assert seat.get("/deliveries").get_json() == {"items": [shown], "next": None}
    assert shown == {
        "id": delivery,
        "event_id": shown["event_id"],
        "event_type": "custom_object.record.updated",
        "subject": "record:InventoryItem/r-1",
        "destination": "erp",
        "state": "delivered",
        "attempts": 1,
        "next_attempt_at": None,
        "created_at": "2026-05-01T12:00:00Z",
        "finished_at": "2026-05-01T12:00:00Z",
        "last_status": None,
        "last_error": None,
        "error_class": None,
        "superseded_by": None,
        "replay_of": None,
        "replay_id": None,
        "webhook_id": delivery,
    }


def test_a_rejection_has_its_shape(desk: Desk) -> None:
    reject(desk, "signature-wrong")
    reject(desk, "not-json", b"{")
    seat = desk.sits(Role.VIEWER)
    second, first = seat.get("/rejections").get_json()["items"]
    assert first == {
        "id": first["id"],
        "at": "2026-05-01T12:00:00Z",
        "source": "genesys",
        "cause": "signature-wrong",
        "status": 401,
        "address": "192.0.2.1",
        "size": 12,
        "kept": False,
    }
    assert second["kept"] is True
    assert seat.get("/rejections", cause="not-json").get_json()["items"] == [second]
    assert seat.get("/rejections", source="engage").get_json()["items"] == []


def test_an_audit_entry_has_its_shape(desk: Desk) -> None:
    seat = desk.sits(Role.VIEWER)
    (entry,) = seat.get("/audit", action="token.created").get_json()["items"]
    assert seat.get(f"/audit/{entry['id']}").get_json() == entry
    assert entry.keys() == {"id", "at", "actor", "action", "subject", "reason", "details", "sealed", "hash"}
    assert (entry["actor"], entry["sealed"], entry["hash"]) == ("cli:tests", False, None)


def test_a_list_is_walked_by_following_next(desk: Desk) -> None:
    made = stock(desk.clock.now(), events=20).put(desk.database)
    for _ in range(3):
        reject(desk, "too-large")
    seat = desk.sits(Role.ADMIN)
    desk.sits(Role.VIEWER)
    for path, rows in (("/events", made.events), ("/deliveries", made.deliveries)):
        pages = list(seat.pages(path, limit=7))
        assert [one["id"] for page in pages for one in page] == ids(rows)
        assert [len(page) for page in pages[:-1]] == [7] * (len(pages) - 1)
    for path, count in (("/rejections", 3), ("/tokens", 2), ("/audit", 2)):
        assert [len(page) for page in seat.pages(path, limit=1)] == [1] * count


def test_filters_are_parameters_of_the_fields_names(desk: Desk) -> None:
    now = desk.clock.now()
    made = stock(now, events=40).put(desk.database)
    seat = desk.sits(Role.VIEWER)
    of_type = [row for row in made.events if row["type"] == TYPES[2]]
    assert [one["id"] for one in seat.get("/events", type=TYPES[2]).get_json()["items"]] == ids(of_type)
    dead = [row for row in made.deliveries if row["state"] == "dead"]
    found = seat.get("/deliveries", state="dead", status="503", error_class="status").get_json()["items"]
    assert [one["id"] for one in found] == ids(dead)
    late = rfc3339(now - timedelta(minutes=20))
    assert len(seat.get("/events", since=late).get_json()["items"]) == 3
    assert len(seat.get("/events", since="2026-05-01T13:40:00+02:00").get_json()["items"]) == 3


@sqlite_only
def test_a_wrong_query_names_every_field(desk: Desk) -> None:
    seat = desk.sits(Role.ADMIN)
    for path in LISTS:
        answer = seat.get(path, limit="0", frob="1")
        assert answer.status_code == 422, path
        errors = {(one["field"], one["rule"]) for one in answer.get_json()["errors"]}
        assert errors == {("limit", "range"), ("frob", "unknown")}, path


@sqlite_only
def test_a_limit_too_large_and_a_cursor_that_is_none_are_refused_by_every_list(desk: Desk) -> None:
    seat = desk.sits(Role.ADMIN)
    for path in LISTS:
        for field, wrong in (("limit", "501"), ("limit", "-1"), ("cursor", "nonsense"), ("cursor", "A" * 28)):
            answer = seat.get(path, **{field: wrong})
            assert answer.status_code == 422, (path, field, wrong)
            assert {one["field"] for one in answer.get_json()["errors"]} == {field}, (path, wrong)


@sqlite_only
def test_an_operation_that_takes_no_query_says_so(desk: Desk) -> None:
    answer = desk.sits(Role.VIEWER).get("/overview", verbose="1")
    assert answer.status_code == 422
    assert [(one["field"], one["rule"]) for one in answer.get_json()["errors"]] == [("verbose", "unknown")]


def test_pages_join_while_rows_are_added_and_removed(desk: Desk) -> None:
    for number in range(6):
        owe(desk.database, desk.clock.now(), subject=f"conversation:{number}")
        reject(desk, "too-large")
        desk.token(Role.VIEWER)  # its audit entry
    seat = desk.sits(Role.VIEWER)
    for path, table in (("/rejections", RejectionRow), ("/events", None), ("/deliveries", None), ("/audit", None)):
        before = [one["id"] for page in seat.pages(path) for one in page]
        first = seat.get(path, limit=2).get_json()
        owe(desk.database, desk.clock.now(), subject="conversation:new")
        reject(desk, "not-json")
        if table is not None:  # the very row that the cursor names
            with desk.database.write() as session:
                session.execute(delete(table).where(table.id == first["items"][-1]["id"]))
        rest = seat.get(path, limit=500, cursor=first["next"]).get_json()["items"]
        assert [one["id"] for one in first["items"] + rest] == before, path


#: Path, query, and the field that is wrong in it.
WRONG_VALUES: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("/events", {"limit": "501"}, "limit"),
    ("/events", {"limit": "ten"}, "limit"),
    ("/events", {"limit": ["5", "6"]}, "limit"),
    ("/events", {"cursor": "nonsense"}, "cursor"),
    ("/events", {"cursor": ""}, "cursor"),
    ("/events", {"since": "yesterday"}, "since"),
    ("/events", {"since": "2026-05-01T12:00:00"}, "since"),
    ("/events", {"since": "0001-01-01T00:00:00+14:00"}, "since"),
    ("/events", {"since": "2026-05-01T12:00:00Z", "until": "2026-05-01T12:00:00Z"}, "until"),
    ("/events", {"state": "dead"}, "state"),
    ("/events", {"text": "a\x00b"}, "text"),
    ("/events", {"subject": "x" * 601}, "subject"),
    ("/deliveries", {"state": "gone"}, "state"),
    ("/deliveries", {"status": "99"}, "status"),
    ("/deliveries", {"status": "٢٠٠"}, "status"),
    ("/rejections", {"type": "x"}, "type"),
    ("/replays", {"state": "running"}, "state"),
)


@sqlite_only
def test_a_value_that_cannot_be_is_refused_by_its_field(desk: Desk) -> None:
    seat = desk.sits(Role.VIEWER)
    for path, query, field in WRONG_VALUES:
        answer = seat.get(path, **query)
        assert answer.status_code == 422, (path, query)
        assert {one["field"] for one in answer.get_json()["errors"]} == {field}, (path, query)


@sqlite_only
def test_a_cursor_of_another_list_is_refused(desk: Desk) -> None:
    for number in range(2):
        owe(desk.database, desk.clock.now(), subject=f"conversation:{number}")
    seat = desk.sits(Role.VIEWER)
    of_events = seat.get("/events", limit=1).get_json()["next"]
    assert seat.get("/events", cursor=of_events).status_code == 200
    assert seat.get("/deliveries", cursor=of_events).status_code == 422


@sqlite_only
def test_what_is_not_there_is_a_404(desk: Desk) -> None:
    seat = desk.sits(Role.VIEWER)
    for path in ("/events", "/deliveries", "/replays", "/audit"):
        for unknown in (new_id(), "no-id", "%00"):
            answer = seat.get(f"{path}/{unknown}")
            assert answer.status_code == 404, (path, unknown)
            assert answer.content_type == "application/problem+json"


def test_times_far_away_are_no_trouble(desk: Desk) -> None:
    made = stock(desk.clock.now(), events=5).put(desk.database)
    seat = desk.sits(Role.VIEWER)
    begin, end = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"
    assert len(seat.get("/events", since=begin, until=end).get_json()["items"]) == len(made.events)
    assert seat.get("/events", since=end).get_json()["items"] == []
    assert seat.get("/events", until=begin).get_json()["items"] == []


@sqlite_only
def test_a_page_that_has_looked_far_enough_is_short_and_goes_on(desk: Desk) -> None:
    rng, now = Random(1), desk.clock.now()
    rows = [
        {
            "id": id_at(now - timedelta(seconds=number), rng),
            "at": now - timedelta(seconds=number),
            "source": "genesys",
            "cause": "rare" if number == EXAMINED + 1 else "too-large",
            "status": 413,
            "address": "192.0.2.1",
            "size": 1,
        }
        for number in range(EXAMINED + 5)
    ]
    with desk.database.write() as session:
        session.connection().execute(insert(core(RejectionRow)), rows)
    seat = desk.sits(Role.VIEWER)
    first = seat.get("/rejections", cause="rare").get_json()
    assert (first["items"], first["next"] is None) == ([], False)
    second = seat.get("/rejections", cause="rare", cursor=first["next"]).get_json()
    assert ([one["cause"] for one in second["items"]], second["next"]) == (["rare"], None)
