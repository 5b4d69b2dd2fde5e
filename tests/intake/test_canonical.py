"""Facts about what makes two messages the same."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.intake.canonical import canonical_json, content_hash, delivery_key, document_key, event_key, payload_key


def test_canonical_json_sorts_keys_at_every_depth_and_has_no_white_space() -> None:
    written = canonical_json({"b": [{"d": 1, "c": "\u00e4"}], "a": None})
    assert written.decode() == '{"a":null,"b":[{"c":"\u00e4","d":1}]}'


def test_what_changes_per_sending_is_no_content() -> None:
    first = {
        "id": "1", "time": "t1", "timestamp": "t1", "processedAt": "t1", "metadata": {"CorrelationId": "c1"},
        "eventType": "X", "payload": {"id": "p", "time": "t", "processedAt": "t1", "metadata": {"a": 1}},
    }  # fmt: skip
    again = {
        "eventType": "X", "metadata": {"CorrelationId": "c2"}, "id": "2", "time": "t2", "timestamp": "t2",
        "payload": {"metadata": {"a": 2}, "processedAt": "t2", "time": "t", "id": "p"},
    }  # fmt: skip
    assert document_key("s", first) == document_key("s", again)
    assert content_hash(first) == content_hash(again)


def test_version_times_and_ids_of_the_content_are_content() -> None:
    keys = {
        document_key("s", {"payload": {field: value}})
        for field in ("version", "modifiedTime", "eventTime", "id", "time", "timestamp")
        for value in ("1", "2")
    }
    assert len(keys) == 12


def test_no_source_can_claim_the_key_of_another() -> None:
    document = {"a": 1}
    assert document_key("crm", document) != document_key("genesys", document)
    assert delivery_key("crm", "1") != delivery_key("genesys", "1")
    assert event_key("crm", "t", "s", "1", {}) != event_key("genesys", "t", "s", "1", {})


def test_a_version_identifies_an_event_whatever_else_it_says() -> None:
    same = [event_key("s", "t", "subject", "3", payload) for payload in ({"a": 1}, {"a": 2, "processedAt": "x"})]
    assert same[0] == same[1]
    assert len({event_key("s", t, x, v, {}) for t in "ab" for x in "cd" for v in "12"}) == 8


def test_without_a_version_the_values_identify_an_event() -> None:
    payload = {"id": "i", "processedAt": "t1", "version": None}
    assert event_key("s", "t", "x", None, payload) == event_key("s", "t", "x", None, {**payload, "processedAt": "t2"})
    assert event_key("s", "t", "x", None, payload) != event_key("s", "t", "x", None, {**payload, "id": "j"})
    assert event_key("s", "t", "x", None, payload) == payload_key("s", "t", "x", payload)


@settings(deadline=None)
@given(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=4))
def test_different_content_has_different_keys(one: list[str], other: list[str]) -> None:
    assert (document_key("s", one) == document_key("s", other)) == (one == other)
