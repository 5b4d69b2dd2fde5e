"""Operation 4: a custom-object record, under its version."""

from __future__ import annotations

import pytest
import requests

from bridge.genesys.errors import Invalid
from tests.fakes import FakeClock
from tests.genesys.conftest import MakeClient, Outbox
from tests.genesys.fake_genesys import FakeGenesys, Says
from tests.genesys.versioned_record import BODY, LOG, RECORD, entry, inventory, log


@pytest.fixture(autouse=True)
def there(genesys: FakeGenesys) -> None:
    genesys.on("PUT", RECORD, Says(200, {"id": "r-1", "version": 6}))


def test_it_puts_under_the_version_that_was_seen(genesys: FakeGenesys, outbox: Outbox) -> None:
    done = outbox.takes("record.update", BODY).run()
    assert genesys.calls() == [("PUT", RECORD)]
    metadata = {"tags": ["api-update"], "source": "external-integration", "requestCorrelationId": "command-1"}
    assert genesys.sent("PUT", RECORD) == [{"version": 5, "fields": {"a": 2}, "metadata": metadata}]
    assert done.result == {
        "schemaName": "Order",
        "recordId": "r-1",
        "fromVersion": 5,
        "version": 6,
        "changedFields": ["a"],
        "already_applied": False,
        "locking": "body_version",
    }


def test_the_fact_tells_the_state_that_genesys_answered(genesys: FakeGenesys, outbox: Outbox) -> None:
    answer = {
        "version": 6,
        "fields": {"a": 2, "b": 1},
        "modifiedTime": "2026-05-01T14:00:01+02:00",
        "modifiedBy": {"id": "u-1"},
    }
    genesys.on("PUT", RECORD, Says(200, answer))
    [fact] = outbox.takes("record.update", BODY).run().facts
    assert (fact.type, fact.subject, fact.version) == ("custom_object.record.updated", "record:Order/r-1", "6")
    assert fact.payload == {
        "action": "update",
        "schemaName": "Order",
        "recordId": "r-1",
        "version": 6,
        "modifiedTime": "2026-05-01T12:00:01Z",
        "modifiedBy": "u-1",
        "fields": {"a": 2, "b": 1},
    }


def test_an_answer_without_a_version_establishes_no_fact(genesys: FakeGenesys, outbox: Outbox) -> None:
    genesys.on("PUT", RECORD, Says(204))
    done = outbox.takes("record.update", BODY).run()
    assert (done.facts, done.result["version"]) == ((), None)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"version": 0}, None),
        ({"version": -1}, ("version", "range")),
        ({"version": None}, ("version", "required")),
        ({"version": "5"}, ("version", "type")),
        ({"version": True}, ("version", "type")),
        ({"fields": {}}, ("fields", "required")),
        ({"fields": {"x": float("nan")}}, ("fields.x", "type")),
        ({"fields": {"x": 2**63}}, ("fields.x", "type")),
        ({"fields": {"x": 2**63 - 1}}, None),
        ({"fields": {"x": {"y": [1, None]}}}, None),
        ({"on_conflict": "merge"}, ("on_conflict", "choice")),
        ({"on_conflict": "fail"}, None),
        ({"tags": []}, None),
        ({"tags": [1]}, ("tags.0", "type")),
        ({"schema": "x" * 256}, ("schema", "length")),
        ({"more": 1}, ("more", "unknown")),
    ],
)
def test_each_part_of_the_body_is_checked(
    genesys: FakeGenesys, outbox: Outbox, changes: dict[str, object], expected: tuple[str, str] | None
) -> None:
    outbox.takes("record.update", {**BODY, **changes})
    if expected is None:
        outbox.run()
        return
    with pytest.raises(Invalid) as refused:
        outbox.run()
    assert [(wrong.field, wrong.rule) for wrong in refused.value.errors] == [expected]
    assert genesys.requests == []


def test_a_version_is_required(outbox: Outbox) -> None:
    with pytest.raises(Invalid) as refused:
        outbox.takes("record.update", {key: BODY[key] for key in ("schema", "record_id", "fields")}).run()
    assert [wrong.field for wrong in refused.value.errors] == ["version"]


def test_the_rules_of_the_schema_are_told_together_with_those_of_the_body(
    genesys: FakeGenesys, make_client: MakeClient, clock: FakeClock
) -> None:
    outbox = Outbox(make_client(rules=inventory), clock)
    body = {"schema": "InventoryItem", "record_id": "r", "version": -1, "fields": {"sku": "x", "quantity": -1}}
    with pytest.raises(Invalid) as refused:
        outbox.takes("record.update", body).run()
    assert [wrong.field for wrong in refused.value.errors] == ["version", "fields.sku", "fields.quantity"]
    assert genesys.requests == []


@pytest.mark.parametrize("errors", [[{"field": "sku", "code": "pattern"}], {"sku": ["wrong"]}])
def test_what_genesys_refuses_is_told_in_our_words(genesys: FakeGenesys, outbox: Outbox, errors: object) -> None:
    genesys.on("PUT", RECORD, Says(422, {"validationErrors": errors}))
    with pytest.raises(Invalid) as refused:
        outbox.takes("record.update", BODY).run()
    assert [wrong.field for wrong in refused.value.errors] == ["fields.sku"]
    assert refused.value.status == 422


def test_the_history_is_verified_where_that_is_asked_for(
    genesys: FakeGenesys, make_client: MakeClient, clock: FakeClock
) -> None:
    newest = entry(6, a=(1, 2))
    genesys.on("GET", LOG, log(newest, entry(5, a=(0, 1))))
    done = Outbox(make_client(verify_history=True), clock).takes("record.update", BODY).run()
    assert done.result["history"] == {"size": 2, "newest": newest}


@pytest.mark.parametrize("trouble", [Says(403), Says(503), requests.ReadTimeout()])
def test_a_history_that_cannot_be_read_does_not_undo_the_update(
    genesys: FakeGenesys, make_client: MakeClient, clock: FakeClock, trouble: Says | Exception
) -> None:
    genesys.on("GET", LOG, trouble)
    done = Outbox(make_client(verify_history=True), clock).takes("record.update", BODY).run()
    assert "error" in done.result["history"]  # type: ignore[operator]
    assert len(genesys.sent("PUT", RECORD)) == 1
