"""Photographs of every page: `python -m tests.console.looks FOLDER [NAME…]`, to be looked at by people."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Browser

from bridge import migrate
from bridge.admin.access import Role
from bridge.clock import SystemClock
from bridge.database import Database, open_database
from tests.admin.desk import Desk
from tests.console import scenes
from tests.console.browser import DESK, PHONE, chromium, enter, served
from tests.console.visitors import LISTS, make_console_desk
from tests.fakes import FakeClock


def main(folder: Path, only: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with chromium() as browser:
        for scene in ("empty", "healthy", "trouble", "hostile"):
            database = _database(folder / f"{scene}.db")
            desk = make_console_desk(database, FakeClock(SystemClock().now()))
            paths = _paths(scene, desk)
            with served(desk) as address:
                for look, size, scheme in (("wide", DESK, "light"), ("phone", PHONE, "light"), ("dark", DESK, "dark")):
                    _photograph(browser, address, desk, folder, f"{scene}-{look}", size, scheme, paths, only)
            database.close()


def _database(path: Path) -> Database:
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    database = open_database(f"sqlite:///{path}")
    migrate.upgrade(database)
    return database


def _paths(scene: str, desk: Desk) -> dict[str, str]:
    """The pages to photograph, by name, once the scene is set."""
    now = desk.clock.now()
    paths = {path.strip("/"): f"/console{path}" for path in (*LISTS, "/login")}
    if scene == "healthy":
        scenes.healthy(desk.database, now)
    if scene == "trouble":
        made = scenes.trouble(desk.database, now)
        dead = scenes.dead(made)[0]
        event = next(one["event_id"] for one in made.deliveries if one["id"] == dead)
        paths |= {
            "delivery": f"/console/deliveries/{dead}",
            "event": f"/console/events/{event}",
            "destination": "/console/destinations/erp",
            "paused": "/console/destinations/crm",
            "filtered": "/console/deliveries?state=dead&destination=erp",
            "wrong-filter": "/console/deliveries?since=yesterday&status=abc",
            "replay-new": "/console/replays/new?count=1&destination=erp&state=dead",
            "nothing": "/console/nothing-here",
        }
        paths["purge"] = f"/console/purges/{scenes.planned_purge(desk.database, now)}"
        held = scenes.held(desk.database, now)
        paths |= {
            "hold": f"/console/holds/{held[1]}",
            "hold-release": f"/console/holds/{held[2]}/release",
            "hold-new": "/console/holds/new",
            "erasures": "/console/erasures",
        }
        running = scenes.running_replay(desk.database, now)
        paths |= {
            "replay": f"/console/replays/{running}",
            "cancellation": "/console/deliveries/cancellation?destination=erp",
            "waiting": "/console/deliveries?state=pending",
        }
        paths["command"] = f"/console/commands/{scenes.running_merge(desk.database, now)}"
    if scene == "hostile":
        event_id, delivery_id = scenes.hostile(desk.database, now)
        paths |= {"delivery": f"/console/deliveries/{delivery_id}", "event": f"/console/events/{event_id}"}
    return paths


def _photograph(
    browser: Browser,
    address: str,
    desk: Desk,
    folder: Path,
    name: str,
    size: dict[str, int],
    scheme: str,
    paths: dict[str, str],
    only: list[str],
) -> None:
    context = browser.new_context(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    page.on("console", lambda said: print(f"{name}: {said.text}"))
    page.on("pageerror", lambda error: print(f"{name}: {error}"))
    enter(page, address, desk.token(Role.ADMIN))
    for title, path in paths.items():
        if only and title not in only:
            continue
        answer = page.goto(address + path)
        assert answer is not None
        if answer.status >= 500:
            print(f"{name} {title}: {answer.status}")
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > size["width"]:
            print(f"{name} {title}: {width} px wide")
        page.screenshot(path=folder / f"{name}-{title}.png", full_page=size is DESK)
    context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
