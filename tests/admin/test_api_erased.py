"""What the API says of an event whose content was erased: the envelope, and 410 where the content is asked for."""

from __future__ import annotations

from bridge.admin.access import Role
from tests.admin.desk import Desk
from tests.keeping.file_room import EVA, FileRoom


def test_an_erased_event_shows_its_envelope_and_says_so(desk: Desk) -> None:
    event_id, _ = erased_and_kept(desk)
    told = desk.sits(Role.VIEWER).get(f"/events/{event_id}").get_json()
    assert (told["payload"], told["erased"], told["subject"]) == (None, True, EVA)
    assert [one["state"] for one in told["deliveries"]] == ["cancelled"]


def test_its_content_is_gone(desk: Desk) -> None:
    event_id, kept_id = erased_and_kept(desk)
    seat = desk.sits(Role.VIEWER)
    answer = seat.get(f"/events/{event_id}/raw")
    assert (answer.status_code, answer.content_type) == (410, "application/problem+json")
    assert desk.sits(Role.APPROVER).post(f"/events/{event_id}/reveal", {"reason": "x"}).status_code == 410
    assert seat.get(f"/events/{kept_id}/raw").status_code == 200


def test_it_is_not_sent_again(desk: Desk) -> None:
    event_id, _ = erased_and_kept(desk)
    seat = desk.sits(Role.OPERATOR)
    [delivery] = seat.get("/deliveries", event_id=event_id).get_json()["items"]
    assert (delivery["state"], delivery["last_error"]) == ("cancelled", "erased")
    assert seat.post(f"/deliveries/{delivery['id']}/replay", {"reason": "x"}).status_code == 410
    order = {"filter": {"subject": EVA}, "reason": "x", "dry_run": True}
    assert seat.post("/replays", order).get_json()["matched"] == 0


def test_a_list_shows_what_is_left_of_it_among_the_others(desk: Desk) -> None:
    erased_and_kept(desk)
    items = desk.sits(Role.VIEWER).get("/events").get_json()["items"]
    assert [one["erased"] for one in items] == [False, True]


def erased_and_kept(desk: Desk) -> tuple[str, str]:
    """Ids of two events."""
    room = FileRoom(desk.database, desk.clock)
    erased, kept = room.record(), room.record("conversation:adam")
    room.erase()
    return erased.event_id, kept.event_id
