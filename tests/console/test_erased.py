"""The page of an event whose content was erased."""

from __future__ import annotations

from sqlalchemy import update

from bridge.admin.access import Role
from bridge.tables import EventRow
from tests.admin.desk import Desk
from tests.console.visitors import sign_in
from tests.keeping.file_room import MARKER, FileRoom


def test_the_page_says_in_words_that_it_was_erased(desk: Desk) -> None:
    room = FileRoom(desk.database, desk.clock)
    event_id = room.record().event_id
    visitor = sign_in(desk, Role.VIEWER)
    assert "What it says" in visitor.text(f"/events/{event_id}")
    room.erase()
    shown = visitor.text(f"/events/{event_id}")
    assert "What it said was erased" in shown
    assert "What it says" not in shown
    assert sign_in(desk, Role.APPROVER).post(f"/events/{event_id}/reveal", reason="x").status_code in (403, 410)


def test_the_page_of_an_event_that_was_altered_says_that_it_cannot_be_opened(desk: Desk) -> None:
    event_id = FileRoom(desk.database, desk.clock).record(payload={"note": MARKER}).event_id
    with desk.database.write() as session:
        session.execute(update(EventRow).values(sealed_payload=b"something else, altogether"))
    assert "cannot be opened" in sign_in(desk, Role.VIEWER).text(f"/events/{event_id}")
