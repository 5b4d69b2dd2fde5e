"""Operation 4 where somebody else was faster, or a reply was lost."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from bridge.genesys.errors import Invalid, NotFound, Unavailable, VersionConflict
from tests.fakes import FakeClock
from tests.genesys.conftest import MakeClient, Outbox
from tests.genesys.fake_genesys import FakeGenesys, Says
from tests.genesys.versioned_record import BODY, LOG, RECORD, VersionedRecord, entry, inventory, log, record


def sent(genesys: FakeGenesys) -> list[tuple[int, object]]:
    return [(body["version"], body["fields"]) for body in genesys.sent("PUT", RECORD)]


def conflicting(genesys: FakeGenesys, current: Says, *entries: dict[str, object]) -> None:
    """Version 5 is not the current one any more."""
    genesys.on("PUT", RECORD, Says(409, {"version": 6}), Says(200, {"version": 7}))
    genesys.on("GET", RECORD, current)
    genesys.on("GET", LOG, log(*entries) if entries else Says(404))


def test_by_default_a_conflict_fails_and_tells_both_versions(genesys: FakeGenesys, outbox: Outbox) -> None:
    conflicting(genesys, record(6, a=1, b=9), entry(6, b=(1, 9)))
    with pytest.raises(VersionConflict) as conflict:
        outbox.takes("record.update", BODY).run()
    assert (conflict.value.sent_version, conflict.value.current_version) == (5, 6)
    assert conflict.value.measures.conflicts == 1
    assert len(sent(genesys)) == 1


def test_overwrite_sends_the_same_under_the_current_version(genesys: FakeGenesys, outbox: Outbox) -> None:
    conflicting(genesys, record(6, a=8, b=9))
    done = outbox.takes("record.update", {**BODY, "on_conflict": "overwrite"}).run()
    assert sent(genesys) == [(5, {"a": 2}), (6, {"a": 2})]
    assert done.result["version"] == 7


def test_retry_reapplies_what_nobody_else_changed(genesys: FakeGenesys, outbox: Outbox) -> None:
    conflicting(genesys, record(6, a=1, b=9), entry(6, b=(1, 9)), entry(5, a=(0, 1)))
    outbox.takes("record.update", {**BODY, "on_conflict": "retry"}).run()
    assert sent(genesys)[1] == (6, {"a": 2, "b": 9})


def test_retry_keeps_what_others_changed_in_fields_that_the_asker_only_repeated(
    genesys: FakeGenesys, outbox: Outbox
) -> None:
    conflicting(genesys, record(7, a=1, b=9), entry(7, b=(8, 9)), entry(6, b=(1, 8)))
    outbox.takes("record.update", {**BODY, "fields": {"a": 2, "b": 1}, "on_conflict": "retry"}).run()
    assert sent(genesys)[1] == (7, {"a": 2, "b": 9})


def test_retry_fails_naming_the_fields_that_somebody_else_changed_too(genesys: FakeGenesys, outbox: Outbox) -> None:
    conflicting(genesys, record(6, a=3, b=1, c=3), entry(6, a=(1, 3), c=(1, 3)))
    body = {**BODY, "fields": {"a": 2, "b": 2, "c": 4}, "on_conflict": "retry"}
    with pytest.raises(VersionConflict, match="somebody else changed a, c") as conflict:
        outbox.takes("record.update", body).run()
    assert conflict.value.fields == ("a", "c")
    assert (conflict.value.sent_version, conflict.value.current_version) == (5, 6)


def test_retry_sees_a_field_that_somebody_else_added_or_removed(genesys: FakeGenesys, outbox: Outbox) -> None:
    conflicting(genesys, record(6, new="theirs"), entry(6, new=(None, "theirs"), old=("x", None)))
    body = {**BODY, "fields": {"new": "ours", "old": "y"}, "on_conflict": "retry"}
    with pytest.raises(VersionConflict) as conflict:
        outbox.takes("record.update", body).run()
    assert conflict.value.fields == ("new", "old")


def test_the_same_change_by_somebody_else_is_no_clash(genesys: FakeGenesys, outbox: Outbox) -> None:
    conflicting(genesys, record(6, a=2, b=1), entry(6, a=(1, 2)))
    outbox.takes("record.update", {**BODY, "fields": {"a": 2, "b": 7}, "on_conflict": "retry"}).run()
    assert sent(genesys)[1] == (6, {"a": 2, "b": 7})


@pytest.mark.parametrize("entries", [(), (entry(7, b=(1, 9)),)])
def test_retry_fails_where_the_log_does_not_tell_every_change(
    genesys: FakeGenesys, outbox: Outbox, entries: tuple[dict[str, object], ...]
) -> None:
    conflicting(genesys, record(7, a=1, b=9), *entries)
    with pytest.raises(VersionConflict, match="does not tell") as conflict:
        outbox.takes("record.update", {**BODY, "fields": {"a": 2, "b": 9}, "on_conflict": "retry"}).run()
    assert conflict.value.fields == ("a",)


def test_what_is_reapplied_is_checked_again(genesys: FakeGenesys, make_client: MakeClient, clock: FakeClock) -> None:
    path = "/api/v2/customobjects/schemas/InventoryItem/records/r-1"
    genesys.on("PUT", path, Says(409, {"version": 6}))
    genesys.on("GET", path, record(6, sku="AB-1234", quantity=0, price=1, status="available"))
    genesys.on("GET", LOG.replace("Order", "InventoryItem"), log(entry(6, quantity=(5, 0))))
    body = {
        **BODY,
        "schema": "InventoryItem",
        "fields": {"sku": "AB-1234", "quantity": 5, "price": 1, "status": "reserved"},
        "on_conflict": "retry",
    }
    with pytest.raises(Invalid) as refused:
        Outbox(make_client(rules=inventory), clock).takes("record.update", body).run()
    assert [(wrong.field, wrong.rule) for wrong in refused.value.errors] == [("fields.status", "forbid")]


@pytest.mark.parametrize("on_conflict", ["fail", "retry", "overwrite"])
@pytest.mark.parametrize("later", [False, True])
def test_a_reply_lost_after_it_was_applied_is_found_in_the_log(
    genesys: FakeGenesys, outbox: Outbox, on_conflict: str, later: bool
) -> None:
    """Also after somebody else has changed the same field again."""
    genesys.on("PUT", RECORD, requests.ReadTimeout(), Says(409, {"version": 6}))
    ours = entry(6, by="command-1", a=(1, 2))
    genesys.on("GET", RECORD, record(7, a=99) if later else record(6, a=2))
    genesys.on("GET", LOG, log(entry(7, a=(2, 99)), ours) if later else log(ours))
    outbox.takes("record.update", {**BODY, "on_conflict": on_conflict})
    with pytest.raises(Unavailable):
        outbox.step()
    done = outbox.run()
    assert done.result["already_applied"] is True
    assert done.result["version"] == 6
    assert len(sent(genesys)) == 2
    assert [fact.version for fact in done.facts] == ([] if later else ["6"])


def test_without_a_log_values_that_stand_already_are_enough(genesys: FakeGenesys, outbox: Outbox) -> None:
    conflicting(genesys, record(6, a=2, b=1))
    done = outbox.takes("record.update", BODY).run()
    assert done.result["already_applied"] is True
    assert done.facts[0].payload["fields"] == {"a": 2, "b": 1}


def test_a_record_that_is_gone_is_said_to_be_gone(genesys: FakeGenesys, outbox: Outbox) -> None:
    conflicting(genesys, Says(404))
    with pytest.raises(NotFound):
        outbox.takes("record.update", BODY).run()


@pytest.mark.parametrize(("conflicts", "succeeds"), [(3, True), (4, False)])
def test_three_conflicts_are_tried_again_and_a_fourth_ends_it(
    genesys: FakeGenesys, outbox: Outbox, conflicts: int, succeeds: bool
) -> None:
    genesys.on("PUT", RECORD, *[Says(409, {"version": 6})] * conflicts, Says(200, {"version": 7}))
    genesys.on("GET", RECORD, record(6, a=1))
    outbox.takes("record.update", {**BODY, "on_conflict": "overwrite"})
    if succeeds:
        assert outbox.run().measures.conflicts == 3
        return
    with pytest.raises(VersionConflict) as conflict:
        outbox.run()
    assert conflict.value.measures.conflicts == 4


def test_eight_writers_of_their_own_fields_lose_no_update(
    genesys: FakeGenesys, make_client: MakeClient, clock: FakeClock
) -> None:
    start = {f"k{number}": 0 for number in range(8)}
    kept = VersionedRecord(genesys, dict(start))
    client = make_client(conflict_tries=50, max_writes=8)
    at_once = threading.Barrier(8)

    def write(number: int) -> None:
        body = {**BODY, "version": 1, "fields": {**start, f"k{number}": number + 1}, "on_conflict": "retry"}
        outbox = Outbox(client, clock).takes("record.update", body, command_id=f"cmd-{number}")
        at_once.wait(5)
        outbox.run()

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(8)))
    assert kept.fields == {f"k{number}": number + 1 for number in range(8)}
    assert kept.version == 9


def test_of_eight_writers_of_one_field_one_wins_and_seven_are_told(
    genesys: FakeGenesys, make_client: MakeClient, clock: FakeClock
) -> None:
    kept = VersionedRecord(genesys, {"a": 0})
    client = make_client(conflict_tries=50, max_writes=8)
    at_once = threading.Barrier(8)

    def write(number: int) -> VersionConflict | None:
        body = {**BODY, "version": 1, "fields": {"a": number + 1}, "on_conflict": "retry"}
        outbox = Outbox(client, clock).takes("record.update", body, command_id=f"cmd-{number}")
        at_once.wait(5)
        try:
            outbox.run()
        except VersionConflict as conflict:
            return conflict
        return None

    with ThreadPoolExecutor(8) as threads:
        ends = list(threads.map(write, range(8)))
    assert ends.count(None) == 1
    assert all(end is None or end.fields == ("a",) for end in ends)
    assert kept.fields == {"a": ends.index(None) + 1}
    assert kept.version == 2
