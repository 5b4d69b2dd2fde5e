"""Who is let in, for how long, and whose forms are taken."""

from __future__ import annotations

from itertools import product

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from bridge.admin.access import Role
from bridge.admin.console.sessions import IDLE, LONGEST
from bridge.admin.throttle import BURST
from bridge.admin.tokens import create_token, revoke_token
from bridge.tables import ConsoleSessionRow
from tests.admin.desk import Desk
from tests.console.visitors import LISTS, Page, sign_in
from tests.outbox.yard import NOTES, actions

SECOND = 1.0


def test_a_token_opens_a_session_and_is_not_in_the_cookie(desk: Desk) -> None:
    token = desk.token(Role.VIEWER)
    answer = desk.app.test_client().post("/console/login", data={"token": token})
    assert answer.status_code == 303
    assert answer.location == "/console/"
    cookie = answer.headers["Set-Cookie"]
    assert token not in cookie
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))


def test_behind_tls_the_cookie_is_bound_to_the_host_and_secure(desk: Desk) -> None:
    data = {"token": desk.token(Role.VIEWER)}
    cookie = (
        desk.app.test_client()
        .post("/console/login", data=data, base_url="https://bridge.example")
        .headers["Set-Cookie"]
    )
    assert cookie.startswith("__Host-")
    assert "Secure" in cookie.split("; ")
    assert "Domain" not in cookie


def test_a_session_from_plain_http_is_none_behind_tls(desk: Desk) -> None:
    visitor = sign_in(desk, Role.VIEWER)
    assert visitor.client.get("/console/events", base_url="https://localhost").status_code == 303


def test_without_a_session_every_page_leads_to_the_sign_in_and_back(desk: Desk) -> None:
    for path in LISTS:
        answer = desk.app.test_client().get(f"/console{path}", query_string={"a": "b"})
        assert answer.status_code == 303
        assert answer.location == f"/console/login?next=/console{path}?a%3Db"


def test_after_the_sign_in_one_is_where_one_wanted_to_go(desk: Desk) -> None:
    data = {"token": desk.token(Role.VIEWER), "next": "/console/deliveries?state=dead"}
    assert desk.app.test_client().post("/console/login", data=data).location == "/console/deliveries?state=dead"


def test_a_link_from_another_site_goes_by_a_page_of_ours_so_that_the_cookie_comes_along(desk: Desk) -> None:
    visitor, stranger = sign_in(desk, Role.VIEWER), desk.app.test_client()
    answer = stranger.get("/console/deliveries?state=dead", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert "Newest answer" not in answer.text
    way_on = _refresh_of(answer.text)
    assert visitor.client.get(way_on).location == "/console/deliveries?state=dead"
    assert 'value="/console/deliveries?state=dead"' in stranger.get(way_on).text


def test_a_hostile_address_in_such_a_link_leads_nowhere_else(desk: Desk) -> None:
    hostile = '/console/events?text="><script>//evil.example'
    answer = desk.app.test_client().get(hostile, headers={"Sec-Fetch-Site": "cross-site"})
    assert _refresh_of(answer.text).startswith("/console/login?next=/console/events?text%3D")
    assert len(Page(answer.text).all("script")) == 1
    visitor = sign_in(desk, Role.VIEWER)
    assert visitor.get("/login", next="//evil.example").status_code == 200
    assert visitor.get("/login").status_code == 200, "to sign in as somebody else"


def test_a_form_that_came_too_late_leads_back_to_where_it_stood(desk: Desk) -> None:
    visitor = sign_in(desk, Role.OPERATOR)
    desk.clock.advance(IDLE.total_seconds())
    form = {"form_key": visitor.form_key, "reason": "because"}
    for referer, wanted in (
        ("http://localhost/console/destinations/erp?over=day", "/console/destinations/erp?over%3Dday"),
        ("https://evil.example/console/destinations/erp", "/console/destinations/erp"),
    ):
        answer = visitor.client.post("/console/destinations/erp/pause", data=form, headers={"Referer": referer})
        assert answer.location == f"/console/login?next={wanted}&said=over"
    assert "destination.paused" not in actions(desk.database)


def test_a_newcomer_is_told_where_a_token_comes_from(desk: Desk) -> None:
    page = desk.app.test_client().get("/console/login").text
    for words in ("bridge up", "bridge token create --name", "--role operator", "POST /api/v1/tokens", "approver"):
        assert words in page


@pytest.mark.parametrize(
    "path", ["//evil.example", "https://evil.example", "/console\\evil", "/api/v1", "/console/\r\nX: y"]
)
def test_the_sign_in_leads_nowhere_else(desk: Desk, path: str) -> None:
    data = {"token": desk.token(Role.VIEWER), "next": path}
    assert desk.app.test_client().post("/console/login", data=data).location == "/console/"


def test_a_wrong_token_is_told_on_the_form_and_not_repeated(desk: Desk) -> None:
    wrong = desk.token(Role.VIEWER)[:-1] + "!"
    answer = desk.app.test_client().post("/console/login", data={"token": wrong})
    assert answer.status_code == 401
    assert "The token is not known" in answer.text
    assert wrong not in answer.text


def test_wrong_tokens_are_slowed_down_and_right_ones_never(desk: Desk) -> None:
    client = desk.app.test_client()
    answers = [client.post("/console/login", data={"token": "gbr_x"}) for _ in range(int(BURST) + 1)]
    assert [answer.status_code for answer in answers] == [401] * int(BURST) + [429]
    assert int(answers[-1].headers["Retry-After"]) > 0
    assert client.post("/console/login", data={"token": desk.token(Role.VIEWER)}).status_code == 303


def test_signing_out_ends_the_session_for_every_copy_of_the_cookie(desk: Desk) -> None:
    visitor = sign_in(desk, Role.VIEWER)
    cookie = visitor.client.get_cookie("bridge-console")
    assert cookie is not None
    assert visitor.post("/logout").status_code == 303
    copy = desk.app.test_client()
    copy.set_cookie("bridge-console", cookie.value)
    assert _is_sent_away(copy.get("/console/events"))
    assert actions(desk.database)[-2:] == ["console.signed-in", "console.signed-out"]


def test_a_session_without_a_request_is_over_after_a_while(desk: Desk) -> None:
    visitor = sign_in(desk, Role.VIEWER)
    for _ in range(3):
        desk.clock.advance(IDLE.total_seconds() - SECOND)
        assert visitor.get("/events").status_code == 200
    desk.clock.advance(IDLE.total_seconds())
    assert _is_sent_away(visitor.get("/events"))


def test_a_page_that_reads_itself_again_keeps_no_session_alive(desk: Desk) -> None:
    visitor = sign_in(desk, Role.VIEWER)
    desk.clock.advance(IDLE.total_seconds() - SECOND)
    assert visitor.client.get("/console/events", headers={"X-Console-Refresh": "1"}).status_code == 200
    desk.clock.advance(SECOND)
    assert _is_sent_away(visitor.get("/events"))


def test_a_session_is_over_in_the_end_however_busy(desk: Desk) -> None:
    visitor = sign_in(desk, Role.VIEWER)
    step = IDLE.total_seconds() / 2
    for _ in range(int(LONGEST.total_seconds() / step) - 1):
        desk.clock.advance(step)
        assert visitor.get("/commands").status_code == 200
    desk.clock.advance(step)
    assert _is_sent_away(visitor.get("/commands"))


def test_revoking_the_token_ends_its_sessions_at_once(desk: Desk) -> None:
    visitor = sign_in(desk, Role.VIEWER)
    with desk.database.write() as session:
        revoke_token(session, visitor.actor[6:], now=desk.clock.now(), actor="cli:tests", notes=NOTES)
    assert _is_sent_away(visitor.get("/events"))


def test_a_session_lasts_no_longer_than_its_token(desk: Desk) -> None:
    client, now = desk.app.test_client(), desk.clock.now()
    with desk.database.write() as session:
        _, token = create_token(
            session, name="short", person="eva", role="viewer", expires_at=now + IDLE / 2, destination=None, now=now,
            actor="cli:tests", notes=NOTES,
        )  # fmt: skip
    client.post("/console/login", data={"token": token})
    assert client.get("/console/events").status_code == 200
    desk.clock.advance(IDLE.total_seconds() / 2)
    assert _is_sent_away(client.get("/console/events"))


def test_sessions_that_are_over_are_removed_by_the_next_sign_in(desk: Desk) -> None:
    sign_in(desk, Role.VIEWER)
    desk.clock.advance(IDLE.total_seconds())
    sign_in(desk, Role.VIEWER)
    with desk.database.read() as session:
        assert session.scalar(select(func.count()).select_from(ConsoleSessionRow)) == 1


def test_a_made_up_cookie_opens_nothing(desk: Desk) -> None:
    client = desk.app.test_client()
    client.set_cookie("bridge-console", "made-up")
    assert _is_sent_away(client.get("/console/events"))


@pytest.mark.parametrize("key", ["", "0" * 64, "é"])
def test_a_form_without_the_sessions_key_does_nothing(desk: Desk, key: str) -> None:
    visitor = sign_in(desk, Role.OPERATOR)
    answer = visitor.post("/destinations/erp/pause", key=key, reason="because")
    assert answer.status_code == 403
    assert "load the page again" in answer.text
    assert "destination.paused" not in actions(desk.database)


def test_another_sessions_key_is_no_key(desk: Desk) -> None:
    visitor, other = sign_in(desk, Role.OPERATOR), sign_in(desk, Role.OPERATOR)
    assert visitor.post("/destinations/erp/pause", key=other.form_key, reason="because").status_code == 403


@pytest.mark.parametrize("path", ["/console/destinations/erp/pause", "/console/login"])
def test_a_form_from_another_site_is_refused(desk: Desk, path: str) -> None:
    visitor = sign_in(desk, Role.OPERATOR)
    data = {"form_key": visitor.form_key, "reason": "because", "token": visitor.token}
    assert visitor.client.post(path, data=data, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403


@pytest.mark.parametrize(
    "path", ["/console/login", "/console/events", "/console/nothing", "/console/static/console.css"]
)
def test_every_answer_forbids_what_comes_from_elsewhere(desk: Desk, path: str) -> None:
    answer = sign_in(desk, Role.VIEWER).client.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_what_no_page_takes_is_refused_by_a_page_like_any_other(desk: Desk) -> None:
    client = sign_in(desk, Role.OPERATOR).client
    for method, path in product(("POST", "PUT", "PATCH", "DELETE"), ("/", "/events", "/nothing")):
        answer = client.open(f"/console{path}", method=method)
        assert (answer.status_code, answer.mimetype) == (405, "text/html"), (method, path)
        assert "Go to the page itself" in answer.text
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")
        assert answer.headers["Allow"] == "GET, HEAD"


def test_the_address_without_its_last_stroke_leads_in_under_the_same_policy(desk: Desk) -> None:
    answer = desk.app.test_client().get("/console")
    assert (answer.status_code, answer.headers["Location"]) == (308, "/console/")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")


def test_pages_are_kept_by_nobody(desk: Desk) -> None:
    assert sign_in(desk, Role.VIEWER).get("/events").headers["Cache-Control"] == "no-store"


def test_the_session_is_no_way_into_the_api(desk: Desk) -> None:
    assert sign_in(desk, Role.ADMIN).client.get("/api/v1/events").status_code == 401


def _refresh_of(text: str) -> str:
    """Where the page goes by itself."""
    [refresh] = [one for one in Page(text).all("meta") if one.get("http-equiv") == "refresh"]
    return str(refresh["content"]).removeprefix("0; url=")


def _is_sent_away(answer: TestResponse) -> bool:
    return answer.status_code == 303 and answer.location.startswith("/console/login")
