"""The audit log of a record, all pages."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from bridge.genesys import GenesysClient
from bridge.genesys.errors import Unavailable
from tests.fakes import FakeClock
from tests.genesys.conftest import MakeClient, Outbox
from tests.genesys.fake_genesys import FakeGenesys, Says

LOG = "/api/v2/customobjects/schemas/Order/records/auditlogs"


def pages_of(total: int, *, counts: bool, newest_first: bool = True) -> Callable[[requests.PreparedRequest], Says]:
    versions = list(range(total, 0, -1) if newest_first else range(1, total + 1))

    def page(request: requests.PreparedRequest) -> Says:
        query = parse_qs(urlsplit(str(request.url)).query)
        assert query["entityIds"] == ["r/1"]
        assert query["pageSize"] == ["25"]
        number = int(query.get("pageNumber", ["1"])[0])
        entities = [{"version": version} for version in versions[(number - 1) * 25 : number * 25]]
        told = {"pageCount": -(-total // 25), "total": total} if counts else {}
        return Says(200, {"entities": entities, **told})

    return page


@pytest.mark.parametrize("counts", [True, False])
@pytest.mark.parametrize(("total", "calls"), [(0, 1), (1, 1), (24, 1), (25, None), (26, 2), (60, 3)])
def test_every_page_is_read(
    genesys: FakeGenesys, client: GenesysClient, counts: bool, total: int, calls: int | None
) -> None:
    genesys.on("GET", LOG, pages_of(total, counts=counts))
    entries = client.record_history("Order", "r/1")
    assert [entry["version"] for entry in entries] == list(range(total, 0, -1))
    # Where Genesys does not count, a full page may be the last: only an empty one tells.
    assert len(genesys.calls()) == (calls or (1 if counts else 2))


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize(("counts", "calls"), [(True, 2), (False, 5)])
def test_the_size_and_the_newest_entry_need_no_more_than_two_pages(
    genesys: FakeGenesys, make_client: MakeClient, clock: FakeClock, newest_first: bool, counts: bool, calls: int
) -> None:
    genesys.on("PUT", "/api/v2/customobjects/schemas/Order/records/r%2F1", Says(200, {"version": 1}))
    genesys.on("GET", LOG, pages_of(80, counts=counts, newest_first=newest_first))
    body = {"schema": "Order", "record_id": "r/1", "version": 0, "fields": {"a": 1}}
    done = Outbox(make_client(verify_history=True), clock).takes("record.update", body).run()
    assert done.result["history"] == {"size": 80, "newest": {"version": 80}}
    assert len(genesys.sent_to("GET", LOG)) == calls


def test_an_answer_without_entries_is_outside_the_contract(genesys: FakeGenesys, client: GenesysClient) -> None:
    genesys.on("GET", LOG, Says(200, {"total": 3}))
    with pytest.raises(Unavailable, match="look at entities"):
        client.record_history("Order", "r/1")
