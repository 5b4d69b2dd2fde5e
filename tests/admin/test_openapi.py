"""The API is what its OpenAPI document says: each example is sent, each answer held to what was promised."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import requests

from bridge.admin.access import Role
from bridge.admin.api.problem_shapes import PROBLEM_JSON
from bridge.admin.api.shapes import JSON
from bridge.admin.throttle import BURST
from bridge.clock import new_id
from tests.admin.day import API, Day, parts_of, passing_day
from tests.admin.openapi import Document, Operation

UNKNOWN = new_id()
REASON = {"reason": "a test"}
#: Who calls: the first of the roles that may, but the second key of a purge is another person's.
ROLES = (Role.ADMIN, Role.AUDITOR, Role.APPROVER)


@pytest.fixture(scope="module")
def day(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    file = tmp_path_factory.mktemp("day") / "bridge.db"
    shutil.copy(_sqlite_template, file)
    with passing_day(f"sqlite:///{file}") as day:
        yield day


@pytest.fixture(scope="module")
def document(day: Day) -> Document:
    return Document(day.call("GET", "/api/openapi.json").json())


def test_every_operation_is_told_whole(document: Document) -> None:
    for operation in document.operations():
        told = operation.told
        assert told["summary"], operation
        assert told["description"], operation
        assert len(told["tags"]) == 1, operation
        for parameter in operation.parameters:
            assert parameter.get("description"), (operation.id, parameter)
        content = told.get("requestBody", {}).get("content", {})
        assert all("example" in one for one in content.values()), operation
        for status in told["responses"]:
            answer = document.response(operation, status)
            assert answer["description"], (operation.id, status)
            if int(status) == HTTPStatus.NO_CONTENT:
                continue
            assert all("example" in one for one in answer["content"].values()), (operation.id, status)
            assert (PROBLEM_JSON in answer["content"]) == (int(status) >= 400), (operation.id, status)


def test_operations_are_found_by_their_tag_and_called_by_their_name(document: Document) -> None:
    operations = list(document.operations())
    tags = [one["name"] for one in document.whole["tags"]]
    assert all(one["description"] for one in document.whole["tags"])
    assert {one.told["tags"][0] for one in operations} == set(tags)
    assert len({one.id for one in operations}) == len(operations)
    assert document.whole["servers"] == [{"url": "/", "description": "Where this document comes from."}]


def test_examples_are_what_their_schemas_say(document: Document) -> None:
    for operation in document.operations():
        told = [operation.told.get("requestBody", {"content": {}})]
        told += [document.response(operation, status) for status in operation.told["responses"]]
        for one in told:
            for content in one.get("content", {}).values():
                assert document.faults(content["example"], content["schema"]) == [], operation.id
        for parameter in operation.parameters:
            schema = parameter["schema"]
            for example in [*schema.get("examples", ()), *([parameter["example"]] if "example" in parameter else [])]:
                assert document.faults(example, schema) == [], (operation.id, parameter["name"])


def test_a_shapes_example_has_every_field(document: Document) -> None:
    for operation in document.operations():
        for status in operation.told["responses"]:
            for content in document.response(operation, status).get("content", {}).values():
                schema = document.resolved(content["schema"])
                if int(status) < 400 and "x-ndjson" not in str(content):
                    assert schema["properties"].keys() >= content["example"].keys(), operation.id
                    assert set(schema.get("required", ())) <= content["example"].keys(), operation.id


def test_every_operation_takes_its_own_example_and_answers_as_promised(day: Day, document: Document) -> None:
    faults = {
        operation.id: faults_of(called(day, operation), operation, document) for operation in document.operations()
    }
    assert {name: found for name, found in faults.items() if found} == {}


def test_every_parameters_example_is_taken(day: Day, document: Document) -> None:
    for operation in document.operations():
        for parameter in operation.parameters:
            if operation.method != "GET" or parameter["in"] != "query":
                continue
            for example in parameter["schema"].get("examples", ()):
                answer = called(day, operation, params={parameter["name"]: example})
                assert answer.status_code == 200, (operation.id, parameter["name"], answer.text)


def test_a_refusal_is_worded_as_its_example(day: Day, document: Document) -> None:
    replay = f"{API}/deliveries/{day.waiting}/replay"
    wrong = {"Authorization": f"Bearer gbr_{UNKNOWN}_{'x' * 43}"}
    refused = [
        day.call("POST", replay, data=b"{", headers={"Content-Type": JSON}),
        day.call("GET", f"{API}/events", headers={"Authorization": ""}),
        day.call("POST", f"{API}/merges", Role.VIEWER, json={}),
        day.call("GET", f"{API}/events/{UNKNOWN}"),
        day.call("POST", replay, json=REASON),
        day.call("POST", replay, data=b'"' + b"x" * 65536 + b'"', headers={"Content-Type": JSON}),
        day.call("POST", replay, data=b"{}", headers={"Content-Type": "text/plain"}),
        day.call("GET", f"{API}/events", params={"limit": "501"}),
        [day.call("GET", f"{API}/events", headers=wrong) for _ in range(int(BURST) + 1)][-1],
    ]
    for answer in refused:
        told = document.whole["components"]["responses"][HTTPStatus(answer.status_code).name]
        content = told["content"][answer.headers["Content-Type"]]
        assert document.faults(answer.json(), content["schema"]) == []
        assert {**answer.json(), "instance": ""} == {**content["example"], "instance": ""}
        assert told.get("headers", {}).keys() <= answer.headers.keys()
    assert [one.status_code for one in refused] == [400, 401, 403, 404, 409, 413, 415, 422, 429]


def faults_of(answer: requests.Response, operation: Operation, document: Document) -> list[str]:
    if answer.status_code >= 300:
        return [answer.text]
    if answer.status_code == HTTPStatus.NO_CONTENT:
        return []
    content_type = answer.headers["Content-Type"]
    schema = document.response(operation, answer.status_code)["content"][content_type]["schema"]
    if content_type != JSON:
        return []  # lines: the export's are held to their chain by the audit's own tests
    return document.faults(answer.json(), schema)


def called(day: Day, operation: Operation, **options: Any) -> requests.Response:
    """The operation, asked as its examples say, about what is there."""
    path = operation.path
    for name, value in parts_of(day, operation.id).items():
        path = path.replace("{" + name + "}", quote(value, safe="/:"))
    body = operation.told.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
    if operation.id == "preview":
        body = {**body, "event_id": day.there["event_id"]}
    roles = operation.told.get("x-roles", "admin").split(", ")
    role = next(role for role in ROLES if role in roles)
    return day.call(operation.method, path, role, **options, **({} if body is None else {"json": body}))
