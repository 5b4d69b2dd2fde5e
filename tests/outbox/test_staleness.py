"""Which delivery of a lane goes next, and which became stale: a pure choice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from bridge.events import Carries
from bridge.outbox.staleness import Age, InLine, choose

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def line(*told: str) -> list[InLine]:
    """`v5`: state of version 5; `c5`: a change; `end`; `x`: cancelled; `t3`: state of minute 3 without a version."""
    carried = {"v": Carries.STATE, "t": Carries.STATE, "c": Carries.CHANGE, "e": Carries.END, "x": Carries.STATE}
    return [
        InLine(
            seq=seq,
            delivery_id=f"{seq}:{one}",
            carries=carried[one[0]],
            age=Age(
                version=one[1:] if one[0] in "vc" else None,
                occurred_at=NOON + timedelta(minutes=int(one[1:])) if one[0] == "t" else None,
            ),
            pending=one != "x",
        )
        for seq, one in enumerate(told, start=1)
    ]


def choice(*told: str, last: str | None = None, skip_stale: bool = True) -> tuple[str | None, list[str]]:
    delivered = None if last is None else line(last)[0].age
    made = choose(line(*told), delivered, skip_stale=skip_stale)
    return (made.head.delivery_id if made.head else None), [one.delivery_id for one, _ in made.superseded]


def test_a_run_of_states_is_coalesced_into_its_newest_version() -> None:
    assert choice("v5", "v6", "v7") == ("3:v7", ["1:v5", "2:v6"])


def test_the_newest_is_told_by_version_not_by_the_order_of_recording() -> None:
    assert choice("v5", "v10", "v9") == ("2:v10", ["1:v5"])


def test_versions_compare_as_numbers() -> None:
    assert choice("v9", "v10") == ("2:v10", ["1:v9"])


def test_without_versions_the_time_tells() -> None:
    assert choice("t1", "t5", "t3") == ("2:t5", ["1:t1"])


def test_where_nothing_tells_the_later_recorded_is_the_newer() -> None:
    assert choice("v", "v") == ("2:v", ["1:v"])


def test_a_state_older_than_what_was_delivered_is_never_sent() -> None:
    assert choice("v6", last="v7") == (None, ["1:v6"])
    assert choice("v6", "c1", last="v7") == ("2:c1", ["1:v6"])


def test_the_same_version_again_is_sent() -> None:
    assert choice("v7", last="v7") == ("1:v7", [])


def test_a_change_is_never_coalesced() -> None:
    assert choice("c1", "c2", "c3") == ("1:c1", [])


def test_a_delete_is_a_barrier() -> None:
    assert choice("v5", "v6", "end", "v1") == ("2:v6", ["1:v5"])
    assert choice("end", "v1", last="v6") == ("1:end", [])


def test_a_cancelled_one_is_passed_over() -> None:
    assert choice("x", "v5") == ("2:v5", [])
    assert choice("x") == (None, [])


def test_a_destination_that_asked_for_everything_gets_everything() -> None:
    assert choice("v5", "v6", last="v7", skip_stale=False) == ("1:v5", [])
