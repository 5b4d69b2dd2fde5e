"""API tokens: made once, shown once, recognised, noted, ended."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select

from bridge.admin.access import Caller, Role
from bridge.admin.tokens import authenticate, create_token, list_tokens, note_use, revoke_token, use_is_noted
from bridge.clock import new_id
from bridge.database import Database
from bridge.errors import Conflict, Invalid, NotFound, Unauthenticated
from bridge.tables import ApiTokenRow, AuditEntryRow
from tests.fakes import FakeClock
from tests.outbox.yard import NOTES


def create(
    database: Database,
    clock: FakeClock,
    *,
    role: str = "viewer",
    expires_at: datetime | None = None,
    destination: str | None = None,
) -> tuple[ApiTokenRow, str]:
    with database.write() as session:
        return create_token(
            session,
            name="night watch",
            person="eva",
            role=role,
            expires_at=expires_at,
            destination=destination,
            now=clock.now(),
            actor="cli:root",
            notes=NOTES,
        )


def recognise(database: Database, clock: FakeClock, header: str | None) -> Caller:
    with database.read() as session:
        return authenticate(session, header, clock.now())


def refusal(database: Database, clock: FakeClock, header: str | None) -> str:
    with pytest.raises(Unauthenticated) as refused:
        recognise(database, clock, header)
    return refused.value.cause


def test_a_token_tells_who_is_calling(database: Database, clock: FakeClock) -> None:
    row, token = create(database, clock, role="sender", destination="erp")
    found = recognise(database, clock, f"Bearer {token}")
    assert (found.token_id, found.person, found.role, found.destination) == (row.id, "eva", Role.SENDER, "erp")
    assert recognise(database, clock, f"bearer  {token}") == found, "the scheme's name has no case (RFC 9110)"


def test_only_a_hash_of_the_secret_is_kept(database: Database, clock: FakeClock) -> None:
    row, token = create(database, clock)
    secret = token.removeprefix(f"gbr_{row.id}_")
    assert len(secret) == 43, "256 bit"
    with database.read() as session:
        stored = session.scalars(select(ApiTokenRow)).one()
        noted = session.scalars(select(AuditEntryRow)).one()
    kept = [str(getattr(row, column.key)) for row in (stored, noted) for column in row.__table__.columns]
    assert not any(secret in value for value in kept)


def test_a_token_that_is_not_exactly_right_is_refused(database: Database, clock: FakeClock) -> None:
    row, token = create(database, clock)
    other, _ = create(database, clock)
    secret = token[-43:]
    wrong = [
        f"Bearer {token[:-1]}",
        f"Bearer {token[:-1]}{'A' if token[-1] != 'A' else 'B'}",
        f"Bearer gbr_{other.id}_{secret}",
        f"Bearer gbr_{new_id()}_{secret}",
        f"Bearer gbr_{row.id}_",
        f"Bearer {secret}",
        f"Basic {token}",
        f"Bearer {token} ",
        f"Bearer {token}\n",
        "Bearer gbr_ü_\x00",
        token,
    ]
    assert {refusal(database, clock, header) for header in wrong} == {"token-wrong"}
    assert {refusal(database, clock, header) for header in (None, "")} == {"token-missing"}


def test_an_expired_token_is_refused_from_its_last_moment_on(database: Database, clock: FakeClock) -> None:
    _, token = create(database, clock, expires_at=clock.now() + timedelta(hours=1))
    clock.advance(3599)
    recognise(database, clock, f"Bearer {token}")
    clock.advance(1)
    assert refusal(database, clock, f"Bearer {token}") == "token-expired"


def test_a_revoked_token_is_refused_at_once_and_for_good(database: Database, clock: FakeClock) -> None:
    row, token = create(database, clock)
    with database.write() as session:
        revoke_token(session, row.id, now=clock.now(), actor="cli:root", notes=NOTES, reason="it leaked")
    assert refusal(database, clock, f"Bearer {token}") == "token-revoked"
    with pytest.raises(Conflict), database.write() as session:
        revoke_token(session, row.id, now=clock.now(), actor="cli:root", notes=NOTES)
    with pytest.raises(NotFound), database.write() as session:
        revoke_token(session, new_id(), now=clock.now(), actor="cli:root", notes=NOTES)


def test_what_happens_to_a_token_is_noted(database: Database, clock: FakeClock) -> None:
    row, _ = create(database, clock, role="sender", destination="erp")
    with database.write() as session:
        revoke_token(session, row.id, now=clock.now(), actor="token:x", notes=NOTES, reason="it leaked")
    with database.read() as session:
        noted = session.scalars(select(AuditEntryRow).order_by(AuditEntryRow.id)).all()
    assert [(one.actor, one.action, one.reason) for one in noted] == [
        ("cli:root", "token.created", None),
        ("token:x", "token.revoked", "it leaked"),
    ]
    assert {one.subject for one in noted} == {f"token:{row.id}"}
    told = {name: noted[0].details[name] for name in ("person", "role", "destination")}
    assert told == {"person": "eva", "role": "sender", "destination": "erp"}, "two persons means two of these"


def test_the_last_use_is_noted_at_most_once_a_minute(database: Database, clock: FakeClock) -> None:
    _, token = create(database, clock)
    begin = clock.now()

    def last_use() -> datetime | None:
        found = recognise(database, clock, f"Bearer {token}")
        if not use_is_noted(found, clock.now()):
            with database.write() as session:
                note_use(session, found, clock.now())
        return recognise(database, clock, f"Bearer {token}").last_used_at

    assert last_use() == begin
    clock.advance(59)
    assert last_use() == begin
    clock.advance(1)
    assert last_use() == begin + timedelta(minutes=1)


def test_of_two_requests_that_note_the_use_the_second_changes_nothing(database: Database, clock: FakeClock) -> None:
    _, token = create(database, clock)
    stale = recognise(database, clock, f"Bearer {token}")
    for later in (timedelta(), timedelta(seconds=1)):
        with database.write() as session:
            note_use(session, stale, clock.now() + later)
    assert recognise(database, clock, f"Bearer {token}").last_used_at == clock.now()


def test_a_token_that_makes_no_sense_is_not_created(database: Database, clock: FakeClock) -> None:
    with pytest.raises(Invalid) as refused:
        create(database, clock, role="root", expires_at=clock.now(), destination="erp")
    assert [error.field for error in refused.value.errors] == ["role", "expires_at", "destination"]


def test_tokens_are_listed_newest_first(database: Database, clock: FakeClock) -> None:
    made = [create(database, clock)[0].id for _ in range(3)]
    with database.read() as session:
        first = list_tokens(session, limit=2)
        rest = list_tokens(session, before_id=first[-1].id)
    assert [row.id for row in first + rest] == made[::-1]
