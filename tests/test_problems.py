"""Facts about how refusals are answered: one shape for all of them."""

from __future__ import annotations

import json
from tempfile import TemporaryDirectory

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient
from marshmallow import Schema, ValidationError, fields
from sqlalchemy import create_engine
from werkzeug.exceptions import UnprocessableEntity
from werkzeug.test import TestResponse

from bridge.database import open_database
from bridge.errors import FieldError, Invalid, TemporarilyUnavailable
from bridge.problems import install_problem_handlers
from bridge.violations import Violation, field_errors


class Order(Schema):
    quantity = fields.Integer(required=True)
    lines = fields.List(fields.Nested(Schema.from_dict({"sku": fields.String(required=True)})))


def raise_invalid() -> str:
    raise Invalid("Wrong.", errors=[FieldError(field="a.b", rule="required", message="Must be there.")])


def raise_unavailable() -> str:
    raise TemporarilyUnavailable("Later.", retry_after=7)


def raise_from_webargs() -> str:
    refusal = UnprocessableEntity()
    refusal.data = {"messages": {"query": {"limit": ["Not a valid integer."]}}}  # type: ignore[attr-defined]
    raise refusal


def raise_surprise() -> str:
    raise RuntimeError("jane@example.com")


def raise_conflict() -> str:
    abort(409)


def raise_database_away() -> str:
    open_database("postgresql://jane:s3cret@127.0.0.1:9/bridge").engine.connect()
    return "is somebody there?"


def raise_database_locked() -> str:
    with TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/bridge.db")
        with database.write() as session, database.engine.connect() as other:
            session.connection()  # takes the write lock
            other.exec_driver_sql("PRAGMA busy_timeout = 1")
            other.exec_driver_sql("CREATE TABLE t (a INTEGER)")
    return "written"


def raise_pool_exhausted() -> str:
    with TemporaryDirectory() as folder:
        engine = create_engine(f"sqlite:///{folder}/bridge.db", pool_size=1, max_overflow=0, pool_timeout=0.01)
        with engine.connect():
            engine.connect()
    return "connected"


@pytest.fixture
def client() -> FlaskClient:
    app = Flask(__name__)
    for view in (
        *(raise_invalid, raise_unavailable, raise_from_webargs, raise_surprise, raise_conflict),
        *(raise_database_away, raise_database_locked, raise_pool_exhausted),
    ):
        app.add_url_rule(f"/{view.__name__}", view_func=view)
    install_problem_handlers(app)
    return app.test_client()


def body(response: TestResponse) -> dict[str, object]:
    assert response.content_type == "application/problem+json"
    problem: dict[str, object] = json.loads(response.data)
    assert problem["status"] == response.status_code
    assert str(problem["instance"]).startswith("urn:uuid:")
    return problem


def test_a_refusal_names_its_fields(client: FlaskClient) -> None:
    problem = body(client.get("/raise_invalid"))
    assert (problem["status"], problem["title"], problem["detail"]) == (422, "Unprocessable Content", "Wrong.")
    assert problem["errors"] == [{"field": "a.b", "rule": "required", "message": "Must be there."}]


def test_a_refusal_says_when_to_come_back(client: FlaskClient) -> None:
    response = client.get("/raise_unavailable")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "7")
    assert "errors" not in body(response)


def test_flasks_own_refusals_are_problems_too(client: FlaskClient) -> None:
    assert body(client.get("/nowhere"))["title"] == "Not Found"
    response = client.post("/raise_conflict")
    assert body(response)["status"] == 405
    assert "GET" in response.headers["Allow"]
    assert body(client.get("/raise_conflict"))["status"] == 409


def test_what_webargs_found_is_named_by_field(client: FlaskClient) -> None:
    problem = body(client.get("/raise_from_webargs"))
    assert problem["errors"] == [{"field": "limit", "rule": "type", "message": "Not a valid integer."}]


def test_a_fault_of_ours_tells_nothing_to_the_caller_and_its_place_to_the_log(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    response = client.get("/raise_surprise")
    problem = body(response)
    assert (problem["status"], problem["title"]) == (500, "Internal Server Error")
    assert "RuntimeError" not in response.text
    assert str(problem["instance"]) in caplog.text
    assert "RuntimeError" in caplog.text
    assert "raise_surprise" in caplog.text
    assert "jane" not in caplog.text + response.text


@pytest.mark.parametrize("trouble", ["raise_database_away", "raise_database_locked", "raise_pool_exhausted"])
def test_while_the_database_is_away_the_answer_is_to_come_back(
    trouble: str, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    response = client.get(f"/{trouble}")
    problem = body(response)
    assert (problem["status"], response.headers["Retry-After"]) == (503, "5")
    assert str(problem["instance"]) in caplog.text
    assert trouble in caplog.text, "the log has the place"
    for told in ("jane", "s3cret", "127.0.0.1", "is locked"):
        assert told not in caplog.text + response.text


def test_marshmallows_messages_become_field_errors_with_dotted_paths() -> None:
    with pytest.raises(ValidationError) as wrong:
        Order().load({"lines": [{"sku": "a"}, {}, 5], "colour": "red"})
    assert {(error.field, error.rule) for error in field_errors(wrong.value.messages)} == {
        ("quantity", "required"), ("lines.1.sku", "required"), ("lines.2", "type"), ("colour", "unknown"),
    }  # fmt: skip
    with pytest.raises(ValidationError) as wrong:
        Order().load([])
    assert [(error.field, error.rule) for error in field_errors(wrong.value.messages)] == [("body", "type")]


def test_a_violation_carries_its_rule() -> None:
    messages = ValidationError(Violation("range", "Must be at least 1.")).messages
    assert field_errors({"a": messages}) == (FieldError(field="a", rule="range", message="Must be at least 1."),)
