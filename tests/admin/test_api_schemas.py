"""What integrators read: JSON Schema of what receivers get, and samples that fit."""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator

from bridge.admin.access import Role
from tests.admin.desk import Desk

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_every_listed_type_has_what_its_kinds_receive(desk: Desk) -> None:
    seat = desk.sits(Role.VIEWER)
    listed = seat.get("/schemas").get_json()
    assert listed["next"] is None
    assert {"custom_object.record.updated", "conversation.attributes.updated", "interaction.merged"} <= {
        one["type"] for one in listed["items"]
    }
    for one in listed["items"]:
        shown = seat.get(f"/schemas/{one['type']}").get_json()
        assert [receiver["kind"] for receiver in shown["receivers"]] == one["kinds"]
        assert (shown["type"], shown["carries"]) == (one["type"], one["carries"])
        assert "webhook-id" in shown["headers"]
        for receiver in shown["receivers"]:
            Draft202012Validator(receiver["schema"]).validate(receiver["sample"])


def test_an_erp_reads_exactly_what_it_gets(desk: Desk) -> None:
    shown = desk.sits(Role.VIEWER).get("/schemas/custom_object.record.updated").get_json()
    (erp,) = (one for one in shown["receivers"] if one["kind"] == "erp")
    assert erp["content_type"] == "application/json"
    assert erp["schema"]["required"] == ["source", "schemaName", "recordId", "timestamp", "modifiedBy", "fields"]
    assert erp["sample"] == {
        "source": "genesys-cloud",
        "schemaName": "InventoryItem",
        "recordId": "8f1c2d3e",
        "timestamp": "2026-05-01T10:00:00Z",
        "modifiedBy": "user-1",
        "fields": {"sku": "WH-1042", "quantity": 5},
    }


def test_a_type_that_nobody_knows_is_a_404_that_says_where_to_look(desk: Desk) -> None:
    answer = desk.sits(Role.VIEWER).get("/schemas/genesys.unheard_of")
    assert answer.status_code == 404
    assert "/api/v1/schemas" in answer.get_json()["detail"]
