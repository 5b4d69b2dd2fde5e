"""What a legal hold keeps from being forgotten: in doubt more than was meant."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from bridge.database import Database
from bridge.errors import Conflict
from bridge.privacy.holds import LegalHolds, declared_hold, holding_event, holding_range
from bridge.privacy.key_ring import KeyRing
from bridge.privacy.vault import Vault
from bridge.settings.model import LegalHold
from tests.fakes import FakeClock
from tests.keeping.file_room import FileRoom
from tests.privacy.placing import place

AT = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
CALLS_OF_MAY = LegalHold(type="voice", from_=date(2026, 5, 1), to=date(2026, 5, 31))


def held(hold: LegalHold, subject: str = "interaction:i-1", body: bytes = b"{}", at: datetime = AT) -> bool:
    holds = [declared_hold(LegalHold(subject="contact:nobody")), declared_hold(hold)]
    return holds[1] in holding_event(holds, subject=subject, body=body, happened=[at])


def test_an_event_is_held_by_its_subject() -> None:
    assert held(LegalHold(subject="interaction:i-1"))
    assert not held(LegalHold(subject="interaction:i-2"))


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("interaction:i-7", b'{"payload": {"sourceInteractionIds": ["i-6", "i-7"]}}'),
        ("interaction:i-7", b'{"i-7": null}'),
        ("record:Item/a/7", b'{"schemaName": "Item", "record": {"id": "a/7"}}'),
        ("record:a%2Fb/7", b'{"schemaName": "a/b", "record": {"id": "7"}}'),
        ("record:Item/7", b'{"schemaName": "item", "record": {"id": 7}}'),
    ],
)
def test_an_event_is_held_where_it_names_the_subject(subject: str, body: bytes) -> None:
    assert held(LegalHold(subject=subject), "interaction:i-1", body)
    assert not held(LegalHold(subject=subject), "interaction:i-1", body.replace(b"7", b"8"))


def test_a_record_is_named_by_schema_and_id_together() -> None:
    assert not held(LegalHold(subject="record:Item/7"), body=b'{"schemaName": "Order", "record": {"id": "7"}}')


@pytest.mark.parametrize("body", [b'{"customer": {"id": "C-42"}}', b'{"a": [[{"c-42": 1}]]}', b'["c-42"]'])
def test_an_event_is_held_where_it_names_the_customer_in_whatever_case(body: bytes) -> None:
    assert held(LegalHold(customer="C-42"), body=body)
    assert not held(LegalHold(customer="C-4"), body=body)


@pytest.mark.parametrize(
    ("customer", "body"),
    [
        ("+49 151 2345678", b'{"from": "00491512345678"}'),
        ("tel:+491512345678", b'{"ani": 491512345678}'),
        ("Eva@Example.com", b'["mailto:eva@example.com"]'),
    ],
)
def test_a_customer_is_known_by_every_spelling_that_an_erasure_knows(customer: str, body: bytes) -> None:
    assert held(LegalHold(customer=customer), body=body)


def test_a_hold_whose_customer_cannot_be_decrypted_covers_everything(database: Database, clock: FakeClock) -> None:
    place(database, clock.now(), customer="C-42")
    stranger = Vault(KeyRing([b"another secret, long enough"]))
    with database.read() as session:
        (hold,) = LegalHolds((), stranger).in_force(session)
    assert not hold.is_readable
    assert holding_event([hold], subject="record:Item/7", body=b"{}", happened=[AT]) == [hold]
    assert holding_range([hold], "voice", AT, AT + timedelta(days=1)) == [hold]
    room = FileRoom(database, clock, vault=stranger)
    with pytest.raises(Conflict, match=hold.id):
        room.erase(customer="C-1")


def test_a_body_that_cannot_be_read_is_held_where_it_might_name_somebody() -> None:
    assert held(LegalHold(customer="C-42"), body=b"\x00sealed")
    of_a_type = [declared_hold(CALLS_OF_MAY)]
    assert not holding_event(of_a_type, subject="record:Item/7", body=b"\x00", happened=[AT])


@pytest.mark.parametrize(
    ("at", "within"),
    [
        (datetime(2026, 4, 30, 23, 59, 59, tzinfo=UTC), False),
        (datetime(2026, 5, 1, tzinfo=UTC), True),
        (datetime(2026, 5, 31, 23, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 6, 1, tzinfo=UTC), False),
    ],
)
def test_a_range_holds_every_interaction_in_it_because_an_event_does_not_tell_its_type(
    at: datetime, within: bool
) -> None:
    for subject in ("interaction:i-1", "conversation:c-1", "merge:m-1", "unreadable:x"):
        assert held(CALLS_OF_MAY, subject, at=at) is within
    assert not held(CALLS_OF_MAY, "record:Item/1", at=at)


def test_without_holds_nothing_is_held() -> None:
    assert not holding_event([], subject="interaction:i-1", body=b"", happened=[AT])
