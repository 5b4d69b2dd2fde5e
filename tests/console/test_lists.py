"""Lists: filters in the address, pages, and what is said where nothing is found."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from bridge.admin.access import Caller, Role
from bridge.admin.api.deliveries import list_deliveries
from bridge.admin.api.entrance import Call, installed_rooms
from bridge.admin.api.queries import Listing
from bridge.admin.console.queries import first_found
from bridge.admin.search.deliveries import LISTED
from bridge.admin.search.delivery_ids import DeliveryFilter
from bridge.admin.search.pages import PageRequest
from tests.admin.desk import Desk
from tests.admin.stock import stock
from tests.console import scenes
from tests.console.visitors import LISTS, Page, sign_in

# What the pages show does not depend on the database.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

_ROW = re.compile(r'class="row-link" href="/console/(?:deliveries|events)/([0-9a-f-]{36})"')


def test_the_address_of_a_list_holds_its_filter(desk: Desk) -> None:
    made = scenes.normal(desk.database, desk.clock.now())
    page = sign_in(desk, Role.VIEWER).text("/deliveries", destination="erp", state="dead")
    assert _ROW.findall(page) == scenes.dead(made)
    assert '<option value="dead" selected>' in page
    assert "remove this filter" in page


def test_pages_follow_one_another_and_keep_the_filter(desk: Desk) -> None:
    stock(desk.clock.now(), events=130).put(desk.database)
    visitor, path, seen = sign_in(desk, Role.VIEWER), "/console/events?source=genesys", list[str]()
    while path:
        page = visitor.client.get(path).text
        seen += _ROW.findall(page)
        path = next((str(link["href"]) for link in Page(page).all("a") if link.get("rel") == "next"), "")
        assert not path or "source=genesys" in path
    assert len(seen) == len(set(seen)) > 50
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize("query", [{"since": "2026-05-01T11:30"}, {"since": "2026-05-01T11:30:00Z"}])
def test_a_browsers_local_time_is_taken_as_utc(desk: Desk, query: dict[str, str]) -> None:
    stock(desk.clock.now(), events=60, every=timedelta(minutes=1)).put(desk.database)
    page = sign_in(desk, Role.VIEWER).text("/events", **query)
    assert len(_ROW.findall(page)) == 31
    assert 'value="2026-05-01T11:30:00"' in page


@pytest.mark.parametrize(
    ("path", "query", "message"),
    [
        ("/deliveries", {"status": "abc"}, "Must be a whole number"),
        ("/deliveries", {"state": "lost"}, "Must be one of"),
        ("/events", {"since": "yesterday"}, "RFC 3339"),
        ("/events", {"since": "2026-05-02T00:00", "until": "2026-05-01T00:00"}, "Must lie after since"),
        ("/events", {"cursor": "made-up"}, "send the `next`"),
        ("/audit", {"colour": "red"}, "Unknown field"),
        ("/commands", {"operation": "x"}, "Must be one of"),
        ("/rejections", {"until": "x"}, "RFC 3339"),
        ("/replays/new", {"count": "1", "state": "none"}, "say which destination"),
        ("/replays/new", {"count": "1", "mode": "some"}, "Must be one of"),
    ],
)
def test_a_wrong_filter_is_no_success_and_named_beside_its_field(
    desk: Desk, path: str, query: dict[str, str], message: str
) -> None:
    answer = sign_in(desk, Role.OPERATOR).get(path, **query)
    assert answer.status_code == 422
    assert message in answer.text


def test_a_filter_that_finds_nothing_says_how_to_see_more(desk: Desk) -> None:
    visitor = sign_in(desk, Role.VIEWER)
    for path in ("/events", "/deliveries", "/commands", "/audit", "/rejections"):
        page = visitor.text(path, since="2199-01-01T00:00")
        assert 'class="empty"' in page
        assert f'href="/console{path}">' in page


def test_every_page_has_one_heading_landmarks_and_labels(desk: Desk) -> None:
    scenes.trouble(desk.database, desk.clock.now())
    visitor = sign_in(desk, Role.ADMIN)
    for path in (*LISTS, "/destinations/erp", "/replays/new?count=1", "/holds/new", "/erasures"):
        page = Page(visitor.client.get(f"/console{path}").text)
        assert len(page.all("h1")) == len(page.all("main")) == 1
        assert page.all("html")[0]["lang"] == "en"
        assert page.all("a")[0] == {"class": "skip", "href": "#main"}
        assert {"id": "main", "tabindex": "-1"}.items() <= page.all("main")[0].items()
        assert len([link for link in page.all("a") if link.get("aria-current") == "page"]) == 1
        labelled = {label["for"] for label in page.all("label")}
        for field in (*page.all("input"), *page.all("select"), *page.all("textarea")):
            assert field.get("type") == "hidden" or field.get("aria-label") or field.get("id") in labelled, field
        assert all(header.get("scope") for header in page.all("th"))
        assert len(page.all("caption")) == len(page.all("table"))
        ids = [str(attributes["id"]) for _, attributes in page.elements if "id" in attributes]
        assert len(ids) == len(set(ids))


def test_titles_tell_the_pages_apart(desk: Desk) -> None:
    visitor = sign_in(desk, Role.ADMIN)
    titles = [re.findall("<title>(.*?)</title>", visitor.text(path))[0] for path in LISTS]
    assert len(set(titles)) == len(LISTS)
    assert all(title.endswith(" · Genesys bridge") for title in titles)


def test_no_page_has_script_or_style_in_it(desk: Desk) -> None:
    scenes.trouble(desk.database, desk.clock.now())
    visitor = sign_in(desk, Role.ADMIN)
    for path in (*LISTS, "/destinations/erp", "/replays/new?count=1", "/holds/new", "/erasures"):
        page = Page(visitor.client.get(f"/console{path}").text)
        assert all(script.get("src") for script in page.all("script"))
        assert page.all("style") == []
        for tag, attributes in page.elements:
            assert not [name for name in attributes if name == "style" or name.startswith("on")], tag


def test_nobody_clicks_through_pages_on_which_nothing_is(desk: Desk) -> None:
    now = desk.clock.now()
    stock(now, events=60).put(desk.database)
    eva = Caller(token_id="t", person="eva", role=Role.VIEWER, destination=None, last_used_at=now)
    call = Call(rooms=installed_rooms(desk.app), caller=eva, now=now)
    asked = Listing(filter=DeliveryFilter(status=503, destination="crm"), page=PageRequest(examined=5))
    assert not list_deliveries(call, asked).items
    found = first_found(list_deliveries, LISTED, call, asked).items
    assert {(one.destination, one.last_status) for one in found} == {("crm", 503)}
