"""What is sealed can be opened with its key, in its place, as it was; and in no other way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text, update

from bridge.clock import new_id
from bridge.database import Database
from bridge.privacy import data_keys
from bridge.privacy.key_ring import Altered, KeyRing, SecretMissing
from bridge.privacy.vault import BODY, BODY_COLUMN, IS_KEY, KEYS, PAYLOAD, PAYLOAD_COLUMN, DataKey, Vault
from bridge.tables import DataKeyRow, EventRow, core
from tests.fakes import VAULT, FakeClock

OLD, NEW = b"an old secret, long enough", b"a new secret, long enough"
ROW = new_id()
_EVENT = core(EventRow)


@given(st.binary(max_size=2000))
def test_what_is_sealed_opens_as_it_was(plain: bytes) -> None:
    key = DataKey(new_id(), bytes(32))
    sealed = key.seal(plain, row=ROW, column=BODY_COLUMN)
    assert key.open(sealed, row=ROW, column=BODY_COLUMN) == plain
    assert len(plain) < 8 or plain not in sealed


@given(st.binary(min_size=1, max_size=200), st.data())
def test_one_changed_bit_and_it_does_not_open(plain: bytes, data: st.DataObject) -> None:
    key = DataKey(new_id(), bytes(32))
    sealed = bytearray(key.seal(plain, row=ROW, column=BODY_COLUMN))
    place = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[place // 8] ^= 1 << place % 8
    with pytest.raises(Altered):
        key.open(bytes(sealed), row=ROW, column=BODY_COLUMN)


@given(st.binary(max_size=60))
def test_what_was_never_sealed_does_not_open(bytes_: bytes) -> None:
    with pytest.raises(Altered):
        DataKey(new_id(), bytes(32)).open(bytes_, row=ROW, column=BODY_COLUMN)


def test_a_body_of_another_row_or_column_or_key_does_not_open() -> None:
    key = DataKey(new_id(), bytes(32))
    sealed = key.seal(b"it", row=ROW, column=BODY_COLUMN)
    for other, row, column in (
        (key, new_id(), BODY_COLUMN),
        (key, ROW, PAYLOAD_COLUMN),
        (DataKey(key.id, b"o" * 32), ROW, BODY_COLUMN),
    ):
        with pytest.raises(Altered):
            other.open(sealed, row=row, column=column)


def test_two_sealings_of_the_same_do_not_show_that_they_are() -> None:
    key = DataKey(new_id(), bytes(32))
    assert len({key.seal(b"it", row=ROW, column=BODY_COLUMN) for _ in range(100)}) == 100


def test_a_key_opens_under_the_secret_that_wrapped_it_as_long_as_the_ring_has_it() -> None:
    wrapped = KeyRing([OLD]).wrap("k1", b"k" * 32)
    by = KeyRing([OLD]).first
    assert KeyRing([NEW, OLD]).unwrap("k1", wrapped, by) == b"k" * 32
    with pytest.raises(SecretMissing, match="BRIDGE_SECRET_KEY"):
        KeyRing([NEW]).unwrap("k1", wrapped, by)


def test_a_wrapped_key_cannot_be_given_to_another_scope() -> None:
    ring = KeyRing([OLD])
    with pytest.raises(Altered):
        ring.unwrap("k2", ring.wrap("k1", b"k" * 32), ring.first)


def test_every_scope_has_one_key_made_when_it_is_first_asked_for(database: Database, clock: FakeClock) -> None:
    with database.write() as session:
        first = VAULT.keys(session, {"a:1", "a:2"}, now=clock.now())
    with database.write() as session:
        second = VAULT.keys(session, {"a:2", "a:3"}, now=clock.now())
    assert len(first.made) == 2
    assert second.made == {second.by_scope["a:3"].id}
    assert second.by_scope["a:2"].id == first.by_scope["a:2"].id
    sealed = first.by_scope["a:2"].seal(b"it", row=ROW, column=BODY_COLUMN)
    assert second.by_scope["a:2"].open(sealed, row=ROW, column=BODY_COLUMN) == b"it"


def test_a_scope_whose_key_was_destroyed_gets_another_one(database: Database, clock: FakeClock) -> None:
    with database.write() as session:
        before = VAULT.keys(session, {"a:1"}, now=clock.now()).by_scope["a:1"]
        sealed = before.seal(b"it", row=ROW, column=BODY_COLUMN)
    with database.write() as session:
        assert data_keys.take_from_recorders(session, "a:1") == [before.id]
        data_keys.destroy(session, [before.id], now=clock.now())
        after = VAULT.keys(session, {"a:1"}, now=clock.now()).by_scope["a:1"]
    assert after.id != before.id
    with pytest.raises(Altered):
        after.open(sealed, row=ROW, column=BODY_COLUMN)


def test_a_plain_row_of_an_older_version_is_read_as_it_is(database: Database, clock: FakeClock) -> None:
    row = {"source": "s", "type": "t", "subject": "a:1", "state": "recorded", "duplicates": 0}
    with database.write() as session:
        # As the version before writes it: without the columns that it does not know.
        session.execute(
            text(
                "INSERT INTO event (id, source, type, subject, received_at, state, payload, body, duplicates)"
                " VALUES (:id, :source, :type, :subject, :at, :state, :payload, :body, :duplicates)"
            ),
            {**row, "id": ROW, "at": clock.now().replace(tzinfo=None), "payload": '{"a":1}', "body": b'{"a": 1}'},
        )
    with database.read() as session:
        found = session.execute(select(*PAYLOAD).select_from(_EVENT).outerjoin(KEYS, IS_KEY)).one()
        assert VAULT.payload(ROW, found) == {"a": 1}
        raw = session.execute(select(*BODY).select_from(_EVENT).outerjoin(KEYS, IS_KEY)).one()
        assert VAULT.body(ROW, raw) == b'{"a": 1}'


def test_recording_under_a_key_whose_secret_is_missing_is_refused(database: Database, clock: FakeClock) -> None:
    with database.write() as session:
        Vault(KeyRing([OLD])).keys(session, {"a:1"}, now=clock.now())
    with pytest.raises(SecretMissing), database.write() as session:
        Vault(KeyRing([NEW])).keys(session, {"a:1"}, now=clock.now())


def test_a_key_that_was_altered_is_told_from_one_that_was_destroyed(database: Database, clock: FakeClock) -> None:
    with database.write() as session:
        VAULT.keys(session, {"a:1"}, now=clock.now())
        session.execute(update(DataKeyRow).values(wrapped=b"x" * 60))
    with pytest.raises(Altered), database.write() as session:
        VAULT.keys(session, {"a:1"}, now=clock.now())
