"""The page at /api/docs: open, inert, whole, and its lines of code work."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from bridge.admin.docs.verifying import RECEIVER_SAMPLE
from bridge.destinations.signing import signatures, signing_key
from bridge.settings.model import Secret
from tests.admin.desk import Desk
from tests.console.visitors import Page

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

SECRET = "whsec_dGhpcnR5LXR3byBieXRlcyBvZiBhIHNpZ25pbmcga2V5"
BODY = b'{"source":"genesys-cloud"}'


def test_it_is_open_and_runs_nothing(desk: Desk) -> None:
    answer = desk.app.test_client().get("/api/docs")
    assert answer.status_code == 200
    assert "default-src 'none'; style-src 'self'" in answer.headers["Content-Security-Policy"]
    page = Page(answer.text)
    assert page.all("script") == []
    assert page.all("style") == []
    assert [one for _, one in page.elements if any(name == "style" or name.startswith("on") for name in one)] == []
    (sheet,) = page.all("link")
    assert desk.app.test_client().get(str(sheet["href"])).status_code == 200


def test_every_operation_is_on_it_and_every_link_leads_somewhere(desk: Desk) -> None:
    client = desk.app.test_client()
    text = client.get("/api/docs").text
    page = Page(text)
    places = {one["id"] for _, one in page.elements if "id" in one}
    document = client.get("/api/openapi.json").get_json()
    told = [one for item in document["paths"].values() for one in item.values() if isinstance(one, dict)]
    assert {one["operationId"] for one in told} <= places
    assert {str(one["href"])[1:] for one in page.all("a") if str(one["href"]).startswith("#")} <= places
    for one in told:
        assert one["summary"].split("`")[0] in text.replace("&#39;", "'"), one["summary"]


def test_text_of_the_document_is_escaped_and_its_code_marked(desk: Desk) -> None:
    text = desk.app.test_client().get("/api/docs").text
    assert "record:&lt;schema&gt;/&lt;id&gt;" in text
    assert not re.search(r"<p>[^<]*`", text)


def verifier() -> Callable[[dict[str, str], bytes, list[str]], None]:
    names: dict[str, Any] = {}
    exec(RECEIVER_SAMPLE, names)
    verify: Callable[[dict[str, str], bytes, list[str]], None] = names["verify"]
    return verify


def signed(stamp: int) -> dict[str, str]:
    key = signing_key(Secret(SECRET))
    return {
        "webhook-id": "msg-1",
        "webhook-timestamp": str(stamp),
        "webhook-signature": signatures([b"another", key], "msg-1", stamp, BODY),
    }


def test_its_lines_verify_what_the_bridge_signs(database_url: str) -> None:
    verify, now = verifier(), int(time.time())
    verify(signed(now), BODY, [SECRET])
    verify(signed(now), BODY, ["whsec_b2xk", SECRET])
    for headers, body, secrets in (
        (signed(now), BODY + b" ", [SECRET]),
        (signed(now), BODY, ["whsec_b2xk"]),
        (signed(now - 301), BODY, [SECRET]),
        ({**signed(now), "webhook-id": "msg-2"}, BODY, [SECRET]),
        ({**signed(now), "webhook-signature": ""}, BODY, [SECRET]),
    ):
        with pytest.raises(ValueError):
            verify(headers, body, secrets)
