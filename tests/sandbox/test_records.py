"""Records: versions in the body, the rules of the example schema, the audit log."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from bridge.sandbox import SandboxConfig
from tests.fakes import FakeClock
from tests.sandbox.calling import RECORDS, Caller
from tests.sandbox.conftest import Serve

ITEM = f"{RECORDS}/item-3001"
FIELDS: dict[str, object] = {"sku": "AB-1234", "quantity": 5, "price": 2.5, "status": "available"}


def put(caller: Caller, version: object = 1, *, path: str = ITEM, **fields: object) -> requests.Response:
    metadata = {"tags": ["api-update"], "source": "test", "requestCorrelationId": "c-1"}
    return caller.put(path, {"version": version, "fields": {**FIELDS, **fields}, "metadata": metadata})


def test_a_put_under_the_version_that_stands_replaces_the_fields(caller: Caller) -> None:
    answer = put(caller, quantity=6)
    assert (answer.status_code, answer.json()["version"]) == (200, 2)
    read = caller.get(ITEM).json()
    assert read["fields"] == {**FIELDS, "quantity": 6}
    assert read["modifiedBy"] == {"id": "sandbox-client"}


@pytest.mark.parametrize("version", [0, 2])
def test_a_put_under_another_version_is_409_with_the_one_that_stands(caller: Caller, version: int) -> None:
    answer = put(caller, version)
    assert (answer.status_code, answer.json()["version"]) == (409, 1)


@pytest.mark.parametrize("version", [None, "1", -1, 1.0, True])
def test_a_version_is_an_integer(caller: Caller, version: object) -> None:
    assert put(caller, version).status_code == 400


def test_zero_is_a_version(serve: Serve) -> None:
    caller = serve(SandboxConfig(first_version=0))
    assert put(caller, 0).json()["version"] == 1


def test_version_zero_creates_a_record_that_is_not_there(caller: Caller) -> None:
    assert put(caller, 1, path=f"{RECORDS}/new").status_code == 404
    assert put(caller, 0, path=f"{RECORDS}/new").json()["version"] == 1
    assert put(caller, 0, path=f"{RECORDS}/new").status_code == 409


def test_an_unknown_schema_is_404(caller: Caller) -> None:
    assert put(caller, 1, path="/api/v2/customobjects/schemas/Nothing/records/a").status_code == 404


def test_eight_writers_lose_no_update(serve: Serve, quick_switches: None) -> None:
    caller = serve(SandboxConfig(rate_per_minute=100_000))

    def take_one(_: int) -> None:
        for _tries in range(1000):
            read = caller.get(ITEM).json()
            if put(caller, read["version"], quantity=read["fields"]["quantity"] - 1).status_code == 200:
                return
        raise AssertionError("no write got through")

    with ThreadPoolExecutor(8) as writers:
        list(writers.map(take_one, range(24)))
    assert caller.get(ITEM).json()["fields"]["quantity"] == 16


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"sku": "AB-123"}, [("sku", "pattern")]),
        ({"sku": "AB-1234\n"}, [("sku", "pattern")]),
        ({"quantity": -1}, [("quantity", "range")]),
        ({"quantity": 1.5}, [("quantity", "range")]),
        ({"price": 0}, [("price", "range")]),
        ({"status": "lost"}, [("status", "enum")]),
        ({"status": "reserved", "quantity": 0}, [("status", "forbid")]),
        ({"price": 100_000.01, "quantity": 1}, [("price", "max_product")]),
        ({"price": 0.1, "quantity": 1_000_001}, [("price", "max_product")]),
        ({"sku": "x", "quantity": "y", "price": None}, [("sku", "pattern"), ("quantity", "range"), ("price", "range")]),
    ],
)
def test_a_record_against_the_rules_is_422_naming_each(
    caller: Caller, fields: dict[str, object], wrong: list[tuple[str, str]]
) -> None:
    answer = caller.put(ITEM, {"version": 1, "fields": {**FIELDS, **fields}})
    assert answer.status_code == 422
    assert [(error["field"], error["code"]) for error in answer.json()["validationErrors"]] == wrong
    assert caller.get(ITEM).json()["version"] == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"price": 100_000, "quantity": 1},
        {"price": 0.1, "quantity": 1_000_000},
        {"status": "reserved", "quantity": 1},
        {"price": 0.01},
        {"quantity": 0},
    ],
)
def test_a_record_at_the_boundary_of_the_rules_is_taken(caller: Caller, fields: dict[str, object]) -> None:
    assert caller.put(ITEM, {"version": 1, "fields": {**FIELDS, **fields}}).status_code == 200


def test_the_audit_log_tells_every_change_newest_first_in_pages(caller: Caller, clock: FakeClock) -> None:
    for version in range(1, 6):
        clock.advance(1)
        assert put(caller, version, quantity=40 - version).status_code == 200
    put(caller, 1, path=f"{RECORDS}/item-3002")
    pages = []
    path: str | None = f"{RECORDS}/auditlogs?entityIds=item-3001&pageSize=2"
    while path is not None:
        page = caller.get(path).json()
        assert (page["total"], page["pageCount"]) == (5, 3)
        pages.append([entry["version"] for entry in page["entities"]])
        path = page["nextUri"]
    assert pages == [[6, 5], [4, 3], [2]]


def test_an_entry_of_the_audit_log_tells_who_changed_what(caller: Caller) -> None:
    put(caller, quantity=39, price=19.99)
    [entry] = caller.get(f"{RECORDS}/auditlogs?entityIds=item-3001").json()["entities"]
    assert entry["changes"] == [{"field": "quantity", "oldValue": 40, "newValue": 39}]
    assert (entry["user"], entry["action"], entry["metadata"]["requestCorrelationId"]) == (
        {"id": "sandbox-client"},
        "update",
        "c-1",
    )


@pytest.mark.parametrize(
    "query", ["", "entityIds=", "entityIds=a&pageSize=0", "entityIds=a&pageSize=101", "entityIds=a&pageNumber=x"]
)
def test_an_audit_query_that_is_wrong_is_400(caller: Caller, query: str) -> None:
    assert caller.get(f"{RECORDS}/auditlogs?{query}").status_code == 400


def test_somebody_at_the_desk_changes_one_field_and_deletes(caller: Caller) -> None:
    desk = f"{caller.url}/_sandbox/records/InventoryItem/item-3001"
    changed = requests.put(desk, json={"fields": {"quantity": 39}}, timeout=5).json()
    assert (changed["version"], changed["fields"]["price"], changed["modifiedBy"]["id"]) == (2, 19.99, "agent-1")
    assert requests.delete(desk, timeout=5).json()["version"] == 3
    assert caller.get(ITEM).status_code == 404
    assert put(caller, 0).json()["version"] == 4
