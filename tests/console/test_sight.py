"""What every page is like to see and to hear: by axe, in the light and the dark, from a phone to a wall.

The pages are only looked at, so that one bridge, one database and one sign-in serve them all.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from bridge.admin.access import Role
from tests.admin.desk import Desk
from tests.console import scenes
from tests.console.browser import DESK, PHONE, let_in, served
from tests.console.visitors import LISTS, sign_in

_SIZES = (PHONE, {"width": 820, "height": 1180}, {"width": 1920, "height": 1080})


@pytest.fixture(scope="module")
def paths() -> list[str]:
    """Filled in by `page`: every list, some rows of it, and one of each thing."""
    lists = [path if path in ("/overview", "/destinations") else f"{path}?limit=4" for path in LISTS]
    return [f"/console{path}" for path in (*lists, "/destinations/erp?over=day", "/replays/new?count=1", "/nothing")]


@pytest.fixture(scope="module")
def page(standing_desk: Desk, browser: Browser, paths: list[str]) -> Iterator[Page]:
    """At a bridge in trouble, which was sent hostile values, too."""
    desk, database, now = standing_desk, standing_desk.database, standing_desk.clock.now()
    made = scenes.trouble(database, now)
    event, delivery = scenes.hostile(database, now)
    things = {
        "deliveries": (scenes.dead(made)[0], delivery),
        "events": (made.events[0]["id"], event),
        "commands": (scenes.running_merge(database, now),),
        "purges": (scenes.planned_purge(database, now),),
    }
    paths += [f"/console/{kind}/{id_}" for kind, ids in things.items() for id_ in ids]
    with served(desk) as address:
        context = browser.new_context(viewport=DESK, base_url=address)  # type: ignore[arg-type]
        opened = context.new_page()
        let_in(opened, address, sign_in(desk, Role.APPROVER))
        yield opened
        context.close()


def test_no_page_has_a_barrier_is_faint_or_wider_than_its_screen(page: Page, paths: list[str]) -> None:
    _look(page, paths)


def test_nor_has_a_page_by_which_things_are_moved(page: Page, standing_desk: Desk) -> None:
    replay = scenes.running_replay(standing_desk.database, standing_desk.clock.now())
    hold = scenes.held(standing_desk.database, standing_desk.clock.now())[1]
    let_in(page, page.evaluate("location.origin"), sign_in(standing_desk, Role.ADMIN))
    paths = (
        *(f"/replays/{replay}", "/deliveries/cancellation?destination=erp"),
        *("/holds", "/holds/new", f"/holds/{hold}", f"/holds/{hold}/release", "/erasures"),
    )
    _look(page, [f"/console{path}" for path in paths])


def _look(page: Page, paths: list[str]) -> None:
    axe = Axe()
    for place, path in enumerate(paths):
        page.set_viewport_size((PHONE, DESK)[place % 2])  # type: ignore[arg-type]
        page.goto(path)
        assert [one["id"] for one in axe.run(page, options=_RULES).response["violations"]] == [], path
        for scheme in ("dark", "light"):
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(_FAINT) == [], (scheme, path)
        for size in _SIZES:
            page.set_viewport_size(size)  # type: ignore[arg-type]
            assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], (size, path)
        assert page.title() != "owned", path


#: Contrast is looked at by ourselves, in both schemes; axe takes longest for it.
_RULES = {
    "resultTypes": ["violations"],
    "rules": {"target-size": {"enabled": True}, "color-contrast": {"enabled": False}},
}
#: The texts whose contrast is below AA (WCAG 2.2, 1.4.3), on the nearest background that covers.
_FAINT = """() => {
  const parse = (colour) => (colour.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  return [...document.querySelectorAll("main *, header *")]
    .filter((e) => [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()) && !e.closest("[disabled], svg"))
    .filter((e) => {
      const pair = [light(parse(getComputedStyle(e).color)), light(ground(e))].sort((a, b) => b - a);
      return (pair[0] + 0.05) / (pair[1] + 0.05) < 4.5;
    })
    .map((e) => e.textContent.trim().slice(0, 40));
}"""
