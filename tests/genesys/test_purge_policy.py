"""What a purge policy must say, and what governance allows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bridge.genesys import PurgePolicy
from bridge.genesys.errors import Invalid
from bridge.genesys.purge_policy import Blocks, PurgeScope, no_blocks, read_policy
from bridge.settings.model import PurgeRule, PurgeSettings

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
BODY: dict[str, Any] = {
    "interactionType": "voice",
    "dateRange": {"start": "2020-01-01T00:00:00Z", "end": "2021-01-01T00:00:00Z"},
    "retentionDays": 365,
    "classification": "internal",
    "purgeType": "soft",
    "reason": "end of the retention",
    "filters": {"attributes": {"queue": "sales"}},
}
GOVERNANCE = PurgeSettings()


def read(
    body: dict[str, Any],
    governance: PurgeSettings = GOVERNANCE,
    holds: Blocks = no_blocks,
    open_purges: Blocks = no_blocks,
) -> PurgePolicy:
    return read_policy(body, governance=governance, now=NOW, holds=holds, open_purges=open_purges)


def violations(body: dict[str, Any], **options: Any) -> list[tuple[str, str]]:
    try:
        read(body, **options)
    except Invalid as refused:
        return [(wrong.field, wrong.rule) for wrong in refused.errors]
    return []


def ending(days_ago: float, **changes: object) -> dict[str, Any]:
    end = (NOW - timedelta(days=days_ago)).isoformat()
    return {**BODY, "dateRange": {"start": "2001-01-01T00:00:00Z", "end": end}, **changes}


def test_a_policy_is_read_with_its_zones() -> None:
    body = {**BODY, "dateRange": {"start": "2020-01-01T00:00:00+02:00", "end": "2021-01-01T00:00:00Z"}}
    scope = read(body).scope
    assert scope.start == datetime(2019, 12, 31, 22, 0, tzinfo=UTC)
    assert scope.filters == {"attributes": {"queue": "sales"}}


@pytest.mark.parametrize("type_", ["voice", "email", "chat", "callback", "sms", "social"])
def test_the_types_of_interactions(type_: str) -> None:
    assert violations({**BODY, "interactionType": type_}) == []


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("interactionType", "fax", "choice"),
        ("interactionType", "Voice", "choice"),
        ("interactionType", None, "required"),
        ("classification", "secret", "choice"),
        ("purgeType", "hard", "choice"),
        ("retentionDays", -1, "range"),
        ("retentionDays", 3651, "range"),
        ("retentionDays", 1.0, "type"),
        ("retentionDays", True, "type"),
        ("reason", "x" * 9, "min_length"),
        ("reason", " " * 5 + "x" * 9 + " " * 5, "min_length"),
        ("reason", 7, "type"),
        ("dateRange", None, "required"),
        ("dateRange", "2020", "type"),
        ("filters", [], "type"),
        ("everything", "yes", "type"),
        ("unknown", 1, "unknown"),
    ],
)
def test_a_part_that_is_wrong_is_named(key: str, value: object, rule: str) -> None:
    assert violations({**BODY, key: value}) == [(key, rule)]


@pytest.mark.parametrize("days", [0, 1, 3650])
def test_retention_days_are_0_to_3650(days: int) -> None:
    assert violations(ending(3650, retentionDays=days)) == []


def test_a_reason_of_ten_characters_is_enough() -> None:
    assert violations({**BODY, "reason": "x" * 10}) == []


@pytest.mark.parametrize(
    "text", ["2021-01-01T00:00:00", "2021-01-01", "2021-02-30T00:00:00Z", "soon", "2021-01-01T00:00:00z", 5, ""]
)
def test_a_time_must_be_iso_8601_with_a_zone(text: object) -> None:
    assert violations({**BODY, "dateRange": {**BODY["dateRange"], "end": text}}) == [("dateRange.end", "date_time")]


@pytest.mark.parametrize(
    ("start", "end", "right"),
    [
        ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00.001Z", True),
        ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00Z", False),
        ("2020-01-01T00:00:01Z", "2020-01-01T00:00:00Z", False),
        ("2020-01-01T00:00:00+02:00", "2020-01-01T00:00:00Z", True),
        ("2020-01-01T00:00:00Z", "2020-01-01T02:00:00+02:00", False),
    ],
)
def test_the_start_lies_before_the_end_whatever_the_zones(start: str, end: str, right: bool) -> None:
    body = {**BODY, "dateRange": {"start": start, "end": end}}
    assert violations(body) == ([] if right else [("dateRange.end", "order")])


@pytest.mark.parametrize(("days", "right"), [(2555, True), (2556, True), (2554, False)])
def test_hipaa_is_kept_2555_days(days: int, right: bool) -> None:
    found = violations(ending(4000, classification="hipaa", retentionDays=days))
    assert found == ([] if right else [("retentionDays", "governance")])


@pytest.mark.parametrize(("purge_type", "right"), [("permanent", True), ("soft", False)])
def test_pii_is_purged_permanently(purge_type: str, right: bool) -> None:
    found = violations({**BODY, "classification": "pii", "purgeType": purge_type})
    assert found == ([] if right else [("purgeType", "governance")])


def test_the_rules_of_governance_are_the_configurations() -> None:
    governance = PurgeSettings(rules=(PurgeRule(classification="public", min_retention_days=30),))
    assert violations({**BODY, "classification": "public", "retentionDays": 29}, governance=governance) == [
        ("retentionDays", "governance")
    ]
    assert violations({**BODY, "classification": "pii"}, governance=governance) == []


@pytest.mark.parametrize(("days_ago", "right"), [(365, True), (366, True), (364.99999, False), (-1, False)])
def test_the_window_must_have_expired(days_ago: float, right: bool) -> None:
    assert violations(ending(days_ago)) == ([] if right else [("dateRange.end", "retention")])


def test_that_check_alone_can_be_turned_off() -> None:
    governance = PurgeSettings(require_expired_window=False)
    assert violations(ending(-1), governance=governance) == []
    body = ending(-1, classification="pii", retentionDays=3651)
    assert violations(body, governance=governance) == [("retentionDays", "range"), ("purgeType", "governance")]


@pytest.mark.parametrize(
    ("filters", "everything", "expected"),
    [
        ({"attributes": {"queue": "sales"}}, False, []),
        ({"attributes": {"queue": "sales", "x": "*"}}, False, []),
        (None, False, [("filters", "everything")]),
        ({}, False, [("filters", "everything")]),
        ({"attributes": {}}, False, [("filters", "everything")]),
        ({"attributes": {"queue": "*"}}, False, [("filters", "everything")]),
        ({"attributes": {"queue": "%%"}}, False, [("filters", "everything")]),
        ({"attributes": {"queue": ""}}, False, [("filters", "everything")]),
        (None, True, []),
        ({"attributes": {"queue": "*"}}, True, []),
        ({"attributes": {"queue": "sales"}}, True, [("everything", "everything")]),
        ({"attributes": {"queue": 7}}, False, [("filters.attributes.queue", "type")]),
        ({"queue": "sales"}, False, [("filters.queue", "unknown")]),
    ],
)
def test_everything_is_purged_only_where_that_is_said(
    filters: object, everything: bool, expected: list[tuple[str, str]]
) -> None:
    assert violations({**BODY, "filters": filters, "everything": everything}) == expected


def test_holds_and_open_purges_are_named_and_shown_the_scope() -> None:
    asked: list[PurgeScope] = []

    def holds(scope: PurgeScope) -> list[str]:
        asked.append(scope)
        return ["hold-1", "hold-2"]

    with pytest.raises(Invalid) as refused:
        read(BODY, holds=holds, open_purges=lambda _scope: ["purge-7"])
    assert [(wrong.field, wrong.rule) for wrong in refused.value.errors] == [
        ("body", "legal_hold"),
        ("body", "legal_hold"),
        ("dateRange", "overlap"),
    ]
    assert "hold-2" in str(refused.value)
    assert "purge-7" in str(refused.value)
    assert [(scope.interaction_type, scope.end.year) for scope in asked] == [("voice", 2021)]


def test_everything_that_is_wrong_is_told_at_once() -> None:
    body = {**ending(1), "classification": "hipaa", "purgeType": "hard", "reason": "short", "filters": None}
    assert set(violations(body, holds=lambda _scope: ["h"])) == {
        ("purgeType", "choice"),
        ("reason", "min_length"),
        ("retentionDays", "governance"),
        ("dateRange.end", "retention"),
        ("filters", "everything"),
        ("body", "legal_hold"),
    }
