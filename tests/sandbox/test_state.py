"""What the sandbox tells of itself: the state, the page, the way back to the start."""

from __future__ import annotations

import re

import pytest
import requests

from bridge.sandbox import SandboxConfig, SandboxServer
from tests.fakes import FakeClock
from tests.sandbox.calling import Caller
from tests.sandbox.conftest import Serve


def page(caller: Caller) -> str:
    answer = requests.get(f"{caller.url}/", timeout=5)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    return answer.text


def test_requests_are_counted_per_path_and_answer(caller: Caller) -> None:
    for conversation in ("conv-2001", "conv-2001", "nobody"):
        caller.get(f"/api/v2/conversations/{conversation}")
    counts = caller.state()["requests"]
    assert counts["GET /api/v2/conversations/conv-2001"] == {"count": 2, "answers": {"200": 2}}
    assert counts["GET /api/v2/conversations/nobody"]["answers"] == {"404": 1}
    newest = caller.state()["newest_requests"][0]
    assert (newest["path"], newest["status"]) == ("/api/v2/conversations/nobody", 404)


def test_the_state_holds_no_token_and_no_secret(serve: Serve) -> None:
    config = SandboxConfig(webhook_url="http://127.0.0.1:9/", webhook_secret="hush-hush", webhook_tries=1)
    caller = serve(config)
    text = requests.get(f"{caller.url}/_sandbox/state", timeout=5).text + page(caller)
    assert caller.token not in text
    assert "hush-hush" not in text


def test_only_the_public_secret_of_the_demo_is_shown(caller: Caller) -> None:
    assert "GENESYS_CLIENT_SECRET=sandbox-secret" in page(caller)
    with SandboxServer(SandboxConfig(client_secret="hush-hush")) as server:
        shown = requests.get(server.url, timeout=5).text
    assert "GENESYS_CLIENT_SECRET=(as you set it)" in shown
    assert "hush-hush" not in shown


def test_a_reset_leads_back_to_the_start(caller: Caller) -> None:
    before = caller.state()
    caller.merge()
    caller.patch("/api/v2/interactions/voice-1005", {"attributes": {"a": "b"}})
    caller.fault(path="*", kind="drop")
    assert requests.post(f"{caller.url}/_sandbox/reset", timeout=5).status_code == 204
    after = caller.state()
    for part in ("interactions", "conversations", "records", "merges", "changes", "faults"):
        assert after[part] == before[part]
    assert (after["requests"], after["tokens"]) == ({}, {"issued": 0, "live": 0})
    assert caller.get("/api/v2/interactions/voice-1005").status_code == 401


def test_ids_are_the_same_for_one_seed_and_after_a_reset(serve: Serve) -> None:
    first, second, other = (serve(SandboxConfig(seed=seed)) for seed in (7, 7, 8))
    merged = [caller.merge().json()["id"] for caller in (first, second, other)]
    assert merged[0] == merged[1] != merged[2]
    requests.post(f"{first.url}/_sandbox/reset", timeout=5)
    assert first.log_in().merge().json()["id"] == merged[0]


def test_versions_from_the_clock_never_go_back_behind_an_earlier_run(serve: Serve, clock: FakeClock) -> None:
    first = serve(SandboxConfig(first_version=None)).get("/api/v2/conversations/conv-2001").json()["version"]
    clock.advance(60)
    second = serve(SandboxConfig(first_version=None)).get("/api/v2/conversations/conv-2001").json()["version"]
    assert second == first + 60


def test_the_page_shows_what_happened(caller: Caller) -> None:
    caller.patch("/api/v2/interactions/voice-1005", {"attributes": {"mood": "better"}})
    merge = caller.merge().json()
    caller.purge()
    caller.fault(path="/api/v2/nowhere/*", kind="drop")
    shown = page(caller)
    for text in (
        "not Genesys Cloud",
        "better",
        merge["id"],
        "permanent email",
        "/api/v2/nowhere/*",
    ):
        assert text in shown


def test_the_page_escapes_what_others_wrote(caller: Caller) -> None:
    caller.patch("/api/v2/interactions/voice-1005", {"attributes": {"<b>": '"><script>alert(1)</script>'}})
    assert "<script>alert" not in page(caller)
    assert "&lt;script&gt;alert(1)" in page(caller)


def test_the_page_needs_nothing_from_elsewhere(caller: Caller) -> None:
    answer = requests.get(f"{caller.url}/", timeout=5)
    assert re.findall(r"""(?:src|href|action)=["']?(?:https?:)?//""", answer.text) == []
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 403), ("same-site", 403), ("same-origin", 204), ("none", 204)]
)
def test_a_page_from_elsewhere_cannot_reset(caller: Caller, site: str, status: int) -> None:
    answer = requests.post(f"{caller.url}/_sandbox/reset", headers={"Sec-Fetch-Site": site}, timeout=5)
    assert answer.status_code == status


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not.found"),
        ("DELETE", "/api/v2/conversations/conv-2001", 405, "method.not.allowed"),
    ],
)
def test_what_is_not_there_is_refused_in_the_platforms_form(
    caller: Caller, method: str, path: str, status: int, code: str
) -> None:
    answer = caller.call(method, path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert "not Genesys Cloud" in answer.json()["message"]


def test_a_body_that_is_too_large_is_413(serve: Serve) -> None:
    caller = serve(SandboxConfig(max_body_bytes=100))
    answer = caller.patch("/api/v2/interactions/voice-1001", {"attributes": {"a": "x" * 200}})
    assert answer.status_code == 413


def test_a_body_that_is_not_json_is_415(caller: Caller) -> None:
    answer = requests.patch(
        f"{caller.url}/api/v2/interactions/voice-1001",
        data="a=b",
        headers={"Authorization": f"Bearer {caller.token}"},
        timeout=5,
    )
    assert answer.status_code == 415
