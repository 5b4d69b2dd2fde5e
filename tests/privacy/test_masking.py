"""What masking hides, what it keeps because it helps, and that it takes anything."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import orjson
import pytest

from bridge.privacy.masking import Masking

PERSONAL = ("customer.phoneNumber", "customer.email", "fields.contact*", "attributes.*name*", "rooms.*.guest?")


@pytest.fixture
def masking() -> Masking:
    return Masking(PERSONAL, b"k" * 32)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("+4915123456789", "+49******89"),
        ("call +49 151 23456789 now", "call +49******89 now"),
        ("+44 (0)20 7946 0958", "+44******58"),
        ("tel:+1-555-123-4567", "tel:+15******67"),
        ("tel:4915123456", "tel:49******56"),
        ("0049 30 123456", "00******56"),
        ("004915123456789", "00******89"),
        ("030 1234567", "03******67"),
        ("(030) 1234567", "03******67"),
        ("0151/23456789", "01******89"),
        ("015123456789", "01******89"),
        ("020 7946 0958.", "02******58."),
        ("01 23 45 67 89", "01******89"),
        ("01.23.45.67.89", "01******89"),
        ("(555) 123-4567", "55******67"),
        ("555-123-4567", "55******67"),
        ("1-555-123-4567", "15******67"),
        ("at 2026-05-01T12:00:00+4915123456789", "at 2026-05-01T12:00:00+49******89"),
        ("jane@example.com", "j***@example.com"),
        ("Mail jane.doe+shop@mail.example.co.uk.", "Mail j***@mail.example.co.uk."),
        ("?q=1&to=jane%40example.com", "?***%40example.com"),
        ("john%2Bx%40example.com", "j***%40example.com"),
        ('"jane doe"@example.com', "***@example.com"),
        ("jörg@exämple.de", "j***@exämple.de"),
        ("Bearer abc.def-1", "Bearer ***"),
        ("authorization: basic dXNlcjpwYXNz", "authorization: basic ***"),
        ("token gbr_0190_abcDEF-1 is wrong", "token gbr_*** is wrong"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_***"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "***"),
        ("postgresql://user:hunter2@db.example.com/x", "postgresql://***:***@db.example.com/x"),
        ("https://x.example/?api_key=abc&page=2", "https://x.example/?api_key=***&page=2"),
        ("grant_type=x&client_secret=abc", "grant_type=x&client_secret=***"),
    ],
)
def test_personal_data_and_secrets_in_text_are_masked(masking: Masking, text: str, masked: str) -> None:
    assert masking.text(text) == masked
    assert masking.text(masked) == masked


@pytest.mark.parametrize(
    "text",
    [
        "550e8400-e29b-41d4-a716-446655440000",
        "conversation:01234567-0123-4567-8901-012345678901",
        "id_01234567-0123-4567-8901-012345678901",
        "2026-05-01",
        "2026-05-01T12:00:00+02:00",
        "2026-05-01T12:00:00.123456Z",
        "2026-05-01 12:00:00 +0200",
        "Fri, 01 May 2026 12:00:00 +0000",
        "01.02.2026",
        "05/01/2026 09:30",
        "1714564800",
        "1714564800123",
        "0000012345",
        "order 12345678901 of AB-1234",
        "record:InventoryItem/4500012345",
        "10.0.0.1",
        "192.168.100.200",
        "1.0.12345678",
        "0.0301234567",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "HTTP 503 after 3 tries in 10.5 s",
        "price × quantity ≤ 100 000",
        "user@host",
        "a token is missing",
    ],
)
def test_ids_times_and_numbers_stay(masking: Masking, text: str) -> None:
    assert masking.text(text) == text


def test_configured_paths_are_met_anywhere_in_the_tree(masking: Masking) -> None:
    tree = {
        "payload": {"customer": {"phoneNumber": "+4915123456789", "id": "c1"}},
        "record": {"Fields": {"ContactPerson": "Jane Doe", "sku": "AB-1234"}},
        "attributes": {"nickName2": "Janey", "tier": "gold"},
        "other": {"contactPerson": "a ship"},
        "rooms": [{"guest1": "Jane", "guests": "Jane"}, {"a": {"guest2": "Jane"}}],
    }
    assert masking.tree(tree) == {
        "payload": {"customer": {"phoneNumber": "+49******89", "id": "c1"}},
        "record": {"Fields": {"ContactPerson": "J***", "sku": "AB-1234"}},
        "attributes": {"nickName2": "J***", "tier": "gold"},
        "other": {"contactPerson": "a ship"},
        "rooms": [{"guest1": "J***", "guests": "J***"}, {"a": {"guest2": "J***"}}],
    }


def test_a_subtree_is_masked_by_where_it_stands(masking: Masking) -> None:
    assert masking.tree({"contactPerson": "Jane"}) == {"contactPerson": "Jane"}
    assert masking.tree({"contactPerson": "Jane"}, prefix="record.fields") == {"contactPerson": "J***"}
    assert masking.tree(["Jane"], prefix="fields.contacts") == ["J***"]
    assert masking.tree("hunter2", prefix="password") == "***"


def test_everything_below_a_masked_field_is_masked_whatever_its_type(masking: Masking) -> None:
    tree = {"fields": {"contact": {"a": ["Jane", 4915123456789, 42, 123.5, True, None, ""], "b": {"password": "x1y2"}}}}
    assert masking.tree(tree) == {
        "fields": {"contact": {"a": ["J***", "49******89", "***", "***", "***", None, ""], "b": {"password": "***"}}}
    }


def test_a_name_with_dots_is_a_path(masking: Masking) -> None:
    assert masking.tree({"customer.phoneNumber": "abcdef", "fields.contact.x": "Jane"}) == {
        "customer.phoneNumber": "a***",
        "fields.contact.x": "J***",
    }


@pytest.mark.parametrize(
    "name",
    [
        *("phone", "mobilePhone", "phone_number", "Phone-Number", "msisdn", "ani", "e_mail", "emailAddress"),
        *("firstName", "LAST_NAME", "displayName", "participantName", "customerName", "nickname"),
    ],
)
def test_the_built_in_names_are_masked_in_any_spelling(masking: Masking, name: str) -> None:
    assert masking.tree({"a": [{name: "Jane Doe"}]}) == {"a": [{name: "J***"}]}


def test_names_of_participants_are_masked_and_names_of_things_are_not(masking: Masking) -> None:
    tree = {"participants": [{"name": "Jane Doe", "purpose": "customer"}], "name": "erp", "schemaName": "InventoryItem"}
    assert masking.tree(tree) == {
        "participants": [{"name": "J***", "purpose": "customer"}],
        "name": "erp",
        "schemaName": "InventoryItem",
    }


@pytest.mark.parametrize(
    "name",
    ["password", "client_secret", "secrets", "access_token", "X-Api-Key", "Authorization", "Set-Cookie", "secret_key"],
)
def test_nothing_of_a_secret_stays(masking: Masking, name: str) -> None:
    assert masking.tree({name: "hunter2", "x": {name: ["hunter2", 7]}}) == {name: "***", "x": {name: ["***", "***"]}}


def test_text_in_other_fields_and_in_names_is_searched(masking: Masking) -> None:
    assert masking.tree({"note": "call +4915123456789", "jane@example.com": 1}) == {
        "note": "call +49******89",
        "j***@example.com": 1,
    }


def test_masking_twice_changes_nothing(masking: Masking) -> None:
    tree = {"customer": {"phoneNumber": "+4915123456789", "email": "jane@example.com"}, "firstName": "Jane", "pwd": "x"}
    once = masking.tree(tree)
    assert masking.tree(once) == once


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"firstName": "Jane", "n": 1}', '{"firstName":"J***","n":1}'),
        (b'"jane@example.com"', '"j***@example.com"'),
        (b'{"lastName": "Doe", "firstName": "Ja', '{"lastName": "D***", "firstName": "***"'),
        (b'{"contactPerson": "Jane Doe", "phone": 49151234', '{"contactPerson": "J***", "phone": "49******34"'),
        (b'{"participants": [{"name": "Jane Doe", ', '{"participants": [{"name": "J***", '),
        (b"<s:firstName x='1'>Jane</s:firstName><id>7</id>", "<s:firstName x='1'>J***</s:firstName><id>7</id>"),
        (b"firstName=Jane&id=7&password=x", "firstName=J***&id=7&password=***"),
        (b"call\r\n+4915123456789\x00\x1b[31m", "call  +49******89\ufffd\ufffd[31m"),
        (b"\xff\xfe jane@example.com", "\ufffd\ufffd j***@example.com"),
        ("\u202ejane@example.com".encode(), "\ufffdj***@example.com"),
        (b"", ""),
    ],
)  # fmt: skip
def test_an_excerpt_is_masked_json_or_masked_text_without_control_characters(
    masking: Masking, body: bytes, shown: str
) -> None:
    assert masking.excerpt(body) == shown


def test_an_excerpt_is_cut_to_whole_characters_after_masking(masking: Masking) -> None:
    assert masking.excerpt("ää".encode(), limit=3) == "ä"
    assert len(masking.excerpt(b"x" * 100_000).encode()) == 4096
    assert masking.excerpt(b"+4915123456789", limit=8) == "+49*****"


def test_what_json_text_holds_inside_a_string_is_masked_too(masking: Masking) -> None:
    inner = orjson.dumps({"firstName": "Jane", "id": 7}).decode()
    assert masking.tree({"body": inner}) == {"body": '{"firstName":"J***","id":7}'}


def test_equality_is_keyed_short_and_stable(masking: Masking) -> None:
    other = Masking(PERSONAL, b"other key")
    assert masking.equality("a") == masking.equality("a") != masking.equality("b")
    assert masking.equality("a") != other.equality("a")
    assert len(masking.equality("\ud800")) == 16


def test_what_is_no_json_value_is_masked_as_it_prints(masking: Masking) -> None:
    moment = datetime(2026, 5, 1, tzinfo=UTC)
    assert masking.tree({"at": moment, "who": ValueError("jane@example.com"), 7: ("x",)}) == {
        "at": "2026-05-01 00:00:00+00:00",
        "who": "j***@example.com",
        "7": ["x"],
    }


def test_a_tree_that_is_too_deep_is_cut_off_not_followed(masking: Masking) -> None:
    deep: object = "jane@example.com"
    for _ in range(100_000):
        deep = [deep]
    assert "***" in str(masking.tree({"a": deep}))
    assert masking.excerpt(b"[" * 1000 + b"]" * 1000).startswith("[[[")


@pytest.mark.parametrize(
    "piece",
    ["x@", "%a", "%2B", "+1", "0 ", '"', "<a ", "0-1", "a.b", "://", "(", "password", '"a":', "gbr_", "Bearer ", "&a="],
)
def test_the_time_is_linear_in_the_text(masking: Masking, piece: str) -> None:
    def seconds(size: int) -> float:
        text = "@ %40 " + piece * (size // len(piece))
        began = time.process_time()
        masking.text(text)
        return time.process_time() - began

    seconds(1_000)
    assert seconds(64_000) < 0.5  # quadratic patterns take minutes here, linear ones 30 ms


@pytest.mark.parametrize("name", ["phone" * 100_000 + ".x", ".".join(map(str, range(100_000)))])
def test_a_name_that_is_made_to_cost_time_does_not(masking: Masking, name: str) -> None:
    began = time.process_time()
    masking.tree({name: 1})
    assert time.process_time() - began < 1
