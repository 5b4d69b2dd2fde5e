"""Replays over the API: steered with reasons, refused by their state."""

from __future__ import annotations

from bridge.admin.access import Role
from bridge.clock import new_id
from tests.admin.desk import Desk
from tests.outbox.replays import kill


def test_a_replay_is_paused_resumed_and_cancelled_each_with_its_reason(desk: Desk) -> None:
    kill(desk.database, desk.clock, "conversation:a")
    seat = desk.sits(Role.OPERATOR)
    replay = seat.post("/replays", {"filter": {"state": "dead"}, "reason": "again"}).get_json()["id"]
    for way, state in (("pause", "paused"), ("resume", "running"), ("cancel", "cancelled")):
        answer = seat.post(f"/replays/{replay}/{way}", {"reason": f"to {way}"})
        assert (answer.status_code, answer.get_json()["state"]) == (200, state)
        assert seat.post(f"/replays/{replay}/{way}", {}).status_code == 422
    assert seat.get(f"/replays/{replay}").get_json()["finished_at"] is not None
    subject = f"replay:{replay}"
    assert [(one["action"], one["reason"]) for one in seat.get("/audit", subject=subject).get_json()["items"]] == [
        ("replay.swept", None),
        ("replay.cancelled", "to cancel"),
        ("replay.resumed", "to resume"),
        ("replay.paused", "to pause"),
        ("replay.ordered", "again"),
    ]


def test_a_replay_in_the_wrong_state_is_a_conflict_that_names_it(desk: Desk) -> None:
    kill(desk.database, desk.clock, "conversation:a")
    seat, why = desk.sits(Role.OPERATOR), {"reason": "to try"}
    replay = seat.post("/replays", {"filter": {"state": "dead"}, "reason": "again"}).get_json()["id"]
    assert seat.post(f"/replays/{replay}/resume", why).get_json()["detail"].startswith("the replay is running")
    seat.post(f"/replays/{replay}/cancel", why)
    for way in ("pause", "resume", "cancel"):
        answer = seat.post(f"/replays/{replay}/{way}", why)
        assert (answer.status_code, "is cancelled" in answer.get_json()["detail"]) == (409, True)
        assert seat.post(f"/replays/{new_id()}/{way}", why).status_code == 404


def test_the_list_is_narrowed_by_when_replays_were_ordered(desk: Desk) -> None:
    kill(desk.database, desk.clock, "conversation:a")
    seat = desk.sits(Role.OPERATOR)
    ordered = []
    for _ in range(3):
        answer = seat.post("/replays", {"filter": {"state": "dead"}, "reason": "again"}).get_json()
        ordered.append((answer["id"], answer["created_at"]))
        desk.clock.advance(60)
    second = ordered[1][1]
    since = seat.get("/replays", since=second).get_json()["items"]
    assert [one["id"] for one in since] == [ordered[2][0], ordered[1][0]]
    until = seat.get("/replays", until=second).get_json()["items"]
    assert [one["id"] for one in until] == [ordered[0][0]]
