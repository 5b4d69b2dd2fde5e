"""Whatever stands in the file, the answer is settings or sentences, never a stack trace and never a value."""

from __future__ import annotations

import copy
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from bridge.settings.file import FILE
from bridge.settings.references import Reading, reading
from bridge.settings.section import sentences

GOOD: dict[str, Any] = {
    "server": {"dedupe_window": "10m", "trusted_proxies": ["10.0.0.0/8"]},
    "sources": {"s": {"format": "genesys", "verify": {"scheme": "basic", "user": "u", "password": "env:S"}}},
    "destinations": {
        "erp": {
            "kind": "erp",
            "url": "https://erp.example.com",
            "events": ["custom_object.record.updated"],
            "auth": {"type": "bearer", "token": "env:S"},
            "headers": {"X-Tenant": "7"},
            "retry": {"base": 1, "cap": 2},
            "retry_on": [422],
            "proxy": "http://proxy.example.com",
        },
        "lake": {"kind": "datalake", "bucket": "b", "sink": "s3", "access_key": "env:S", "secret_key": "env:S"},
    },
    "genesys": {
        "client_id": "i",
        "client_secret": "env:S",
        "region": "mypurecloud.de",
        "crm": {"url": "https://crm.example.com"},
        "merge": {"weights": {"voice": 1}},
        "purge": {"rules": [{"classification": "pii", "require_type": "soft"}]},
    },
    "schemas": {
        "Item": {
            "fields": {"a": {"type": "decimal", "min": 1, "enum": [1, Decimal("1.5")]}, "b": {"type": "string"}},
            "rules": [{"forbid": {"b": "x"}}, {"require": ["a"]}, {"max_product": {"fields": ["a"], "limit": 1}}],
        }
    },
    "privacy": {"personal": ["a.b"]},
    "legal_holds": [{"type": "voice", "from": date(2020, 1, 1), "to": date(2021, 1, 1)}],
    "alerts": {"every": 1},
}
VALUE = "rejected-value"
toml_values = st.recursive(
    st.sampled_from([VALUE, "", "env:", "file:", "file:\0", "none", "http://", "a" * 300, "env:S"])
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.decimals()
    | st.dates()
    | st.datetimes()
    | st.times(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["", "a", "type", "kind"]), inner),
    max_leaves=6,
)


def places(node: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every table, list and value of a document."""
    inner = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [path, *(found for key, item in inner for found in places(item, (*path, key)))]


def load(document: Any) -> list[str]:
    with reading(Reading(environ={"S": "s"}, folder=Path("nowhere"), allow_literals=False)):
        try:
            FILE.load(document)
        except ValidationError as invalid:
            return [f"{key}: {sentence}" for key, sentence in sentences(invalid.messages)]
    return []


def test_the_document_that_the_others_are_made_of_checks() -> None:
    assert load(GOOD) == []


@given(st.lists(st.tuples(st.sampled_from(places(GOOD)[1:]), toml_values), min_size=1, max_size=3))
def test_any_value_anywhere_gives_settings_or_sentences(changes: list[tuple[tuple[Any, ...], Any]]) -> None:
    document = copy.deepcopy(GOOD)
    for path, value in changes:
        node = document
        try:
            for step in path[:-1]:
                node = node[step]
            node[path[-1]] = value
        except (TypeError, KeyError, IndexError):  # an earlier change took this place away
            continue
    for sentence in load(document):
        assert VALUE not in sentence
        assert ": " in sentence


def test_moments_are_aware_or_dates() -> None:
    for moment in (datetime(2020, 1, 1), "2020-01-01T00:00:00", "2020-13-01", 1):  # noqa: DTZ001
        document = {"legal_holds": [{"type": "voice", "from": moment, "to": date(2021, 1, 1)}]}
        (sentence,) = load(document)
        assert sentence.startswith("legal_holds.0.from: must be a date")
