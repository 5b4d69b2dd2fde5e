"""Events as objects: where they lie and what is in them."""

from __future__ import annotations

import gzip
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import orjson
import pytest

from bridge.destinations.cloudevents import structured
from bridge.destinations.lake_objects import object_key, object_line, packed
from bridge.destinations.transform import Transform
from tests.destinations.deliveries import RECORD


@pytest.mark.parametrize("path", ["interactions/updated", "/interactions/updated/"])
def test_an_object_lies_under_the_hour_in_which_its_event_was_received(path: str) -> None:
    assert object_key(path, RECORD) == f"interactions/updated/2026/05/01/12/{RECORD.id}.jsonl.gz"


def test_a_path_may_be_empty() -> None:
    assert object_key("/", RECORD) == f"2026/05/01/12/{RECORD.id}.jsonl.gz"


def test_hours_are_those_of_utc() -> None:
    elsewhere = datetime(2026, 1, 1, 1, 30, tzinfo=timezone(timedelta(hours=2)))
    assert object_key("p", replace(RECORD, received_at=elsewhere)).startswith("p/2025/12/31/23/")
    assert object_key("p", replace(RECORD, received_at=elsewhere.astimezone(UTC))).startswith("p/2025/12/31/23/")


def test_an_object_is_one_line_of_json_packed() -> None:
    content = packed(object_line(RECORD, None))
    text = gzip.decompress(content)
    assert text.endswith(b"\n")
    assert text.count(b"\n") == 1
    assert orjson.loads(text) == structured(RECORD)


def test_a_line_break_in_an_event_breaks_no_line() -> None:
    event = replace(RECORD, payload={"fields": {"note": "one\ntwo\u2028three"}})
    assert len(gzip.decompress(packed(object_line(event, None))).split(b"\n")) == 2


def test_equal_events_give_equal_bytes_at_any_time() -> None:
    content = packed(object_line(RECORD, None))
    assert content[4:8] == bytes(4)  # MTIME of RFC 1952, section 2.3
    assert packed(object_line(replace(RECORD), None)) == content


def test_a_transform_reshapes_the_line() -> None:
    assert object_line(RECORD, Transform("data.fields")) == b'{"sku":"AB-1234","quantity":7}'
