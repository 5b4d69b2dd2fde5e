"""Whatever a sender writes stays text, and shows what it is."""

from __future__ import annotations

import pytest

from bridge.admin.access import Role
from bridge.admin.console.rendering import inert
from tests.admin.desk import Desk
from tests.console import scenes
from tests.console.visitors import LISTS, Page, sign_in

_ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@_ON_SQLITE
def test_a_hostile_event_adds_no_element_to_any_page(desk: Desk) -> None:
    event, delivery = scenes.hostile(desk.database, desk.clock.now())
    visitor = sign_in(desk, Role.APPROVER)
    for path in (*LISTS, f"/events/{event}", f"/deliveries/{delivery}", "/destinations/erp"):
        text = visitor.text(path)
        page = Page(text)
        assert len(page.all("script")) == 1, path
        assert page.all("img") == [], path
        assert not [attributes for _, attributes in page.elements if "onerror" in attributes], path


@_ON_SQLITE
def test_the_same_in_a_filter_that_comes_back(desk: Desk) -> None:
    page = Page(sign_in(desk, Role.VIEWER).text("/events", text=scenes.SCRIPT, type='"><svg onload=x>'))
    assert page.all("img") == []
    assert scenes.SCRIPT in {field.get("value") for field in page.all("input")}


@_ON_SQLITE
def test_a_hostile_body_that_is_revealed_is_text_too(desk: Desk) -> None:
    event, _ = scenes.hostile(desk.database, desk.clock.now())
    text = sign_in(desk, Role.APPROVER).post(f"/events/{event}/reveal", reason=scenes.SCRIPT).text
    assert "\u202e" not in text
    assert len(Page(text).all("script")) == 1


@_ON_SQLITE
def test_characters_that_deceive_are_shown_by_their_number(desk: Desk) -> None:
    event, _ = scenes.hostile(desk.database, desk.clock.now())
    text = sign_in(desk, Role.VIEWER).text(f"/events/{event}")
    assert "invoice⟨U+202E⟩gpj.exe⟨U+200B⟩" in text
    assert not set(text) & set("\u202e\u200b\u2066\u2069")


@_ON_SQLITE
def test_ten_thousand_characters_are_cut_where_a_list_shows_them(desk: Desk) -> None:
    scenes.hostile(desk.database, desk.clock.now())
    assert "W" * 200 not in sign_in(desk, Role.VIEWER).text("/deliveries")


@pytest.mark.parametrize(
    "character", ["\x00", "\x1b", "\x85", "\u200f", "\u202e", "\u2066", "\u2028", "\ufeff", "\ud800"]
)
def test_no_control_character_is_left(character: str) -> None:
    assert inert(f"a{character}b") == f"a⟨U+{ord(character):04X}⟩b"


@pytest.mark.parametrize("text", ["line\nline\ttab", "Ωmega 漢字 עברית 😀", ""])
def test_other_text_stays_as_it_is(text: str) -> None:
    assert inert(text) == text
