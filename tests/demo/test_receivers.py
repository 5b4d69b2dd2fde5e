"""The demo's receivers: whom they believe, what they remember, and what closed means."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests

from bridge.clock import SystemClock
from bridge.demo.receivers import Receiver, Reply
from bridge.demo.subjects import read_erp_body

KEY = b"k" * 32
BODY = json.dumps({"schemaName": "InventoryItem", "recordId": "item-1", "fields": {"revision": 3}}).encode()


@pytest.fixture
def erp() -> Iterator[Receiver]:
    with Receiver("ERP", read_erp_body, KEY) as receiver:
        yield receiver


def post(erp: Receiver, webhook_id: str = "msg_1", *, key: bytes = KEY, at: datetime | None = None) -> int:
    stamp = str(int((at or datetime.now(UTC)).timestamp()))
    mac = hmac.digest(key, f"{webhook_id}.{stamp}.".encode() + BODY, "sha256")
    headers = {
        "webhook-id": webhook_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(b'x' * 32).decode()} v1,{base64.b64encode(mac).decode()}",
    }
    return requests.post(erp.url, data=BODY, headers=headers, timeout=5).status_code


def test_a_good_signature_is_believed_and_its_change_remembered(erp: Receiver) -> None:
    assert post(erp) == 204
    [heard] = erp.heard
    assert (heard.webhook_id, heard.subject.name, heard.subject.number) == ("msg_1", "record:InventoryItem/item-1", 3)
    assert erp.accepted() == {"msg_1": heard}


@pytest.mark.parametrize("minutes", [0, -6, 6])
def test_a_bad_signature_or_an_old_one_is_refused(erp: Receiver, minutes: int) -> None:
    key = KEY if minutes else b"another"
    assert post(erp, key=key, at=SystemClock().now() + timedelta(minutes=minutes)) == 401
    assert (erp.heard, erp.unsigned) == ([], 1)


def test_a_request_without_a_signature_is_refused(erp: Receiver) -> None:
    assert requests.post(erp.url, data=BODY, timeout=5).status_code == 401
    assert erp.unsigned == 1


def test_what_it_refuses_is_heard_but_not_taken(erp: Receiver) -> None:
    erp.replies(lambda subject: Reply(status=422))
    assert post(erp) == 422
    erp.recovers()
    assert post(erp) == 204
    assert [one.status for one in erp.heard] == [422, 204]
    assert len(erp.accepted()) == 1


def test_closed_it_refuses_connections_and_opens_on_the_same_port(erp: Receiver) -> None:
    with requests.Session() as kept_alive:
        kept_alive.post(erp.url, data=BODY, timeout=5)
        url = erp.url
        erp.close()
        with pytest.raises(requests.ConnectionError):
            kept_alive.post(url, data=BODY, timeout=5)
    with pytest.raises(requests.ConnectionError):
        post(erp)
    erp.open()
    assert erp.url == url
    assert post(erp) == 204
