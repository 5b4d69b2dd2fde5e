"""The data-lake trigger."""

from __future__ import annotations

import pytest

from bridge.genesys import GenesysClient
from bridge.genesys.errors import Unavailable
from tests.genesys.fake_genesys import FakeGenesys, Says

PATH = "/api/v2/integrations/exports"


def test_the_trigger_names_one_thing_and_a_bucket(genesys: FakeGenesys, client: GenesysClient) -> None:
    genesys.on("POST", PATH, Says(202, {"id": "e-1"}))
    client.trigger_export(
        kind="interaction", subject_id="i-1", bucket="lake", path="interactions/updated", key="delivery-1"
    )
    assert genesys.sent("POST", PATH) == [
        {
            "name": "interaction-update-sync-i-1",
            "type": "streaming",
            "filter": {"type": "interaction", "query": "id eq 'i-1'"},
            "export": {"type": "s3", "configuration": {"bucket": "lake", "path": "interactions/updated"}},
        }
    ]
    assert genesys.requests[-1].headers["X-Genesys-Idempotency-Key"] == "delivery-1"


@pytest.mark.parametrize(
    ("id_", "query"),
    [("a' or '1' eq '1", "id eq 'a'' or ''1'' eq ''1'"), ("'", "id eq ''''"), ("\\'", "id eq '\\'''")],
)
def test_an_id_cannot_add_a_condition(genesys: FakeGenesys, client: GenesysClient, id_: str, query: str) -> None:
    genesys.on("POST", PATH, Says(202))
    client.trigger_export(kind="customObjectRecord", subject_id=id_, bucket="lake", path="p")
    assert genesys.sent("POST", PATH)[0]["filter"]["query"] == query


def test_it_is_tried_once_and_never_waits(genesys: FakeGenesys, client: GenesysClient) -> None:
    genesys.on("POST", PATH, Says(503))
    with pytest.raises(Unavailable):
        client.trigger_export(kind="conversation", subject_id="c-1", bucket="lake", path="p")
    assert len(genesys.calls()) == 1
