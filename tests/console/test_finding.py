"""What is found from where one stands: by an id in hand, by a part of a subject, by the pages' own links."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import select

from bridge.admin.access import Role
from bridge.admin.search.anything import kind_of
from bridge.database import Database
from bridge.tables import AuditEntryRow
from tests.admin.desk import Desk
from tests.console import scenes
from tests.console.situations import LIST_PAGES, SITUATIONS
from tests.console.visitors import Page, Visitor, sign_in
from tests.fakes import FakeClock

_ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_an_id_is_known_by_what_has_it(database: Database, clock: FakeClock) -> None:
    made = scenes.normal(database, clock.now())
    purge = scenes.planned_purge(database, clock.now())
    with database.read() as session:
        entry = session.scalars(select(AuditEntryRow.id)).first()
        ids = (made.events[0]["id"], made.deliveries[0]["id"], purge, entry, str(uuid4()))
        kinds = [kind_of(session, str(one)) for one in ids]
    assert kinds == ["event", "delivery", "purge", "audit entry", None]


@_ON_SQLITE
def test_the_box_leads_to_what_has_the_id_else_to_the_events_that_name_it(desk: Desk) -> None:
    event = str(scenes.normal(desk.database, desk.clock.now()).events[0]["id"])
    visitor = sign_in(desk, Role.VIEWER)
    for sought, address in (
        (f"  {event.upper()} ", f"/console/events/{event}"),
        ("WH-1042", "/console/events?text=WH-1042"),
        (unknown := str(uuid4()), f"/console/events?text={unknown}"),
        ("//evil.example", "/console/events?text=//evil.example"),
        ("", "/console/events"),
    ):
        assert visitor.get("/find", q=sought).location == address
    assert sign_in(desk, Role.SENDER, destination="erp").get("/find", q=event).status_code == 403


def test_the_pictures_of_the_readme_are_there_and_small() -> None:
    top = Path(__file__).parents[2]
    pictures = re.findall(r"tests/console/screenshots/\w+\.png", (top / "README.md").read_text("utf-8"))
    assert len(pictures) == 5
    assert all((top / picture).stat().st_size <= 150_000 for picture in pictures)


@pytest.fixture(scope="module")
def in_trouble(standing_desk: Desk) -> tuple[Visitor, Mapping[str, str]]:
    """Somebody at a bridge in trouble, and its pages."""
    pages = _pages(standing_desk, "trouble")
    return sign_in(standing_desk, Role.ADMIN), pages


def test_every_page_of_a_bridge_in_trouble_is_there(in_trouble: tuple[Visitor, Mapping[str, str]]) -> None:
    visitor, pages = in_trouble
    _assert_there(visitor, pages)


@_ON_SQLITE
@pytest.mark.parametrize("situation", ["empty", "stalled", "long"])
def test_every_page_of_every_other_situation_is_there(desk: Desk, situation: str) -> None:
    pages = _pages(desk, situation)
    visitor = sign_in(desk, Role.ADMIN)
    _assert_there(visitor, pages)
    first = re.findall(r'<li class="need [^>]*>.*?</li>', visitor.text("/overview"), re.S)
    assert (first != [] and "nobody sends them" in first[0]) == (situation == "stalled")


def test_every_link_of_the_overview_and_of_a_destination_leads_somewhere(
    in_trouble: tuple[Visitor, Mapping[str, str]],
) -> None:
    visitor, _ = in_trouble
    links = {
        str(link["href"])
        for path in ("/overview", "/destinations/erp", "/destinations/crm")
        for link in Page(visitor.client.get(f"/console{path}").text).all("a")
    }
    assert len(links) > 40
    for link in links:
        assert link.startswith("#") or visitor.client.get(link).status_code in (200, 303), link


def test_each_kind_of_failure_leads_to_as_many_deliveries_as_it_says(
    in_trouble: tuple[Visitor, Mapping[str, str]],
) -> None:
    visitor, _ = in_trouble
    kinds = re.findall(
        r'row-link" href="([^"]+error_class[^"]+)">.*?class="numeric">(\d+)<', visitor.text("/destinations/erp"), re.S
    )
    assert len(kinds) == 3
    for link, number in kinds:
        page = visitor.client.get(link.replace("&amp;", "&") + "&limit=500").text
        assert page.count('class="row-link"') == int(number), link


@_ON_SQLITE
def test_a_new_bridge_says_how_to_begin(desk: Desk) -> None:
    visitor = sign_in(desk, Role.VIEWER)
    assert "POST /webhooks/genesys" in visitor.text("/overview")
    scenes.normal(desk.database, desk.clock.now())
    assert "Nothing has come in yet" not in visitor.text("/overview")


def _pages(desk: Desk, situation: str) -> Mapping[str, str]:
    [fill] = [one.fill for one in SITUATIONS if one.name == situation]
    return LIST_PAGES | dict(fill(desk.database, desk.clock.now()))


def _assert_there(visitor: Visitor, pages: Mapping[str, str]) -> None:
    for name, path in pages.items():
        expected = {"nothing": 404, "wrong-filter": 422, "found": 303}.get(name, 200)
        assert visitor.client.get(path).status_code == expected, name
