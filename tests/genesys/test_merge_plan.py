"""Which interactions are merged, and what is told of the session."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.genesys.operations.merge_plan import (
    DedupeRules,
    Source,
    accuracy,
    deduplicated,
    priority_score,
    timeline,
)
from bridge.genesys.readings import Customer, Interaction

WEIGHTS = {"voice": 10, "chat": 7, "email": 5, "sms": 3}
NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def interaction(id_: str, type_: str = "voice", start: datetime = NOON, customer: str = "cu-1") -> Interaction:
    return Interaction(
        id=id_,
        type=type_,
        status="active",
        created=start,
        start=start,
        end=None,
        customer=Customer(id=customer, phone_number="+49"),
        attributes=None,
        disposition_code=None,
    )


def source(id_: str, type_: str, start: datetime, minutes: float | None = 10) -> Source:
    end = None if minutes is None else start + timedelta(minutes=minutes)
    return Source(id=id_, type=type_, start=start, end=end)


def kept(*interactions: Interaction, window: int) -> list[str]:
    return [one.id for one in deduplicated(interactions, DedupeRules(same_id=True, window_seconds=window))]


@pytest.mark.parametrize(
    ("types", "score"),
    [
        (["voice", "chat"], 9),
        (["voice", "voice"], 10),
        (["email", "sms"], 4),
        (["chat", "email", "sms"], 5),
        (["chat", "email"], 6),
        (["callback", "social"], 1),
        (["sms", "callback"], 2),
        (["voice", "callback", "callback"], 4),
        (["voice", "sms", "callback", "callback"], 4),
    ],
)
def test_the_priority_is_the_mean_of_the_weights_rounded_half_up(types: list[str], score: int) -> None:
    assert priority_score(types, WEIGHTS) == score


@given(st.lists(st.integers(0, 100), min_size=1, max_size=20))
def test_the_priority_is_within_half_of_the_mean_and_a_half_goes_up(weights: list[int]) -> None:
    types = [str(number) for number in range(len(weights))]
    score = priority_score(types, dict(zip(types, weights, strict=True)))
    mean_doubled, count = 2 * sum(weights), len(weights)
    assert 2 * count * score - count <= mean_doubled < 2 * count * score + count


@pytest.mark.parametrize(("seconds", "left"), [(0, ["a"]), (60, ["a"]), (61, ["a", "b"])])
def test_the_same_channel_within_the_window_is_one(seconds: int, left: list[str]) -> None:
    later = interaction("b", start=NOON + timedelta(seconds=seconds))
    assert kept(interaction("a"), later, window=60) == left


def test_of_duplicates_the_earliest_stays_whatever_the_order() -> None:
    late = interaction("late", start=NOON + timedelta(seconds=5))
    assert kept(late, interaction("early"), window=60) == ["early"]


def test_another_channel_or_customer_is_no_duplicate() -> None:
    others = (interaction("b", "chat"), interaction("c", customer="cu-2"))
    assert kept(interaction("a"), *others, window=60) == ["a", "b", "c"]


def test_the_window_is_counted_from_the_one_that_stays() -> None:
    row = [interaction(str(number), start=NOON + timedelta(seconds=40 * number)) for number in range(4)]
    assert kept(*row, window=60) == ["0", "2"]


def test_a_window_of_0_looks_at_no_times() -> None:
    assert kept(interaction("a"), interaction("b"), window=0) == ["a", "b"]


def test_times_of_different_zones_are_compared_as_moments() -> None:
    plus_two = datetime(2026, 5, 1, 14, 0, 30, tzinfo=timezone(timedelta(hours=2)))
    assert kept(interaction("a"), interaction("b", start=plus_two), window=60) == ["a"]


def test_the_session_runs_from_the_earliest_start_to_the_latest_end_over_zones() -> None:
    chat = source("chat", "chat", datetime(2026, 5, 1, 13, 50, tzinfo=timezone(timedelta(hours=2))), 5)
    voice = source("voice", "voice", datetime(2026, 5, 1, 7, 0, tzinfo=timezone(timedelta(hours=-5))), 20)
    assert timeline([voice, chat], WEIGHTS, 1) == {
        "sessionStart": "2026-05-01T11:50:00Z",
        "sessionEnd": "2026-05-01T12:20:00Z",
        "channelSequence": ["chat", "voice"],
        "prioritySource": "voice",
        "deduplicationCount": 1,
        "authoritative": {
            "id": "voice",
            "startTime": "2026-05-01T11:50:00Z",
            "endTime": "2026-05-01T12:20:00Z",
        },
    }


def test_the_latest_end_need_not_be_that_of_the_last_to_start() -> None:
    story = timeline([source("a", "voice", NOON, 60), source("b", "chat", NOON + timedelta(minutes=5), 1)], WEIGHTS, 0)
    assert story["sessionEnd"] == "2026-05-01T13:00:00Z"


def test_of_equal_priority_the_earliest_is_authoritative() -> None:
    story = timeline([source("late", "voice", NOON + timedelta(minutes=1)), source("early", "voice", NOON)], WEIGHTS, 0)
    assert story["authoritative"]["id"] == "early"  # type: ignore[index]


def test_while_one_goes_on_the_session_has_no_end() -> None:
    story = timeline([source("a", "voice", NOON), source("b", "chat", NOON, None)], WEIGHTS, 0)
    assert story["sessionEnd"] is None


@pytest.mark.parametrize(
    ("confirmed", "share"),
    [({"a", "b"}, 1.0), ({"a"}, 0.5), (set(), 0.0), ({"a", "b", "z"}, 1.0), (None, None)],
)
def test_accuracy_is_computed_or_null(confirmed: set[str] | None, share: float | None) -> None:
    assert accuracy(["a", "b"], None if confirmed is None else frozenset(confirmed)) == share
