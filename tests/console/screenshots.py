"""Photographs of every page in every situation, to be looked at by people: `python -m tests.console.screenshots`.

With `--readme` it takes the few small ones that the README shows, and puts them beside this file.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext

from bridge import migrate
from bridge.admin.access import Role
from bridge.app import create_app
from bridge.clock import SystemClock
from bridge.database import open_database
from bridge.settings.load import load_settings
from tests.admin.desk import Desk
from tests.console.browser import chromium, enter, served
from tests.console.situations import LIST_PAGES, SITUATIONS, Situation
from tests.fakes import SECRET_KEY, FakeClock

CONFIGURATION = """
[sources.genesys]
format = "genesys"
verify = { scheme = "hub-sha256", secrets = ["env:SECRET"] }
expect_every = "1h"
[sources.engage]
format = "engage"
verify = { scheme = "bearer", secrets = ["env:SECRET"] }
[destinations.erp]
kind = "erp"
url = "https://erp.example.com/genesys"
on_dead = "block"
[destinations.crm]
kind = "crm"
url = "https://crm.example.com/hooks/contact-centre?key=hidden"
[destinations.lake]
kind = "datalake"
bucket = "history"
[destinations.governance]
kind = "governance"
url = "https://governance.example.com/genesys"
"""


@dataclass(frozen=True, kw_only=True)
class Look:
    name: str
    width: int
    height: int = 900
    scheme: str = "light"
    media: str = "screen"


LOOKS = (
    *(Look(name="desktop", width=1280), Look(name="desktop-dark", width=1280, scheme="dark")),
    *(Look(name="phone", width=390, height=844), Look(name="phone-dark", width=390, height=844, scheme="dark")),
    *(Look(name="tablet", width=820, height=1180), Look(name="tablet-dark", width=820, height=1180, scheme="dark")),
    *(Look(name="wide", width=1920, height=1080), Look(name="print", width=794, height=1123, media="print")),
)
#: What the README shows: the situation, the page and the look of each picture.
README = {
    "overview": ("trouble", "overview", Look(name="readme", width=1180, height=860)),
    "destination": ("trouble", "destination", Look(name="readme", width=1180, height=1010)),
    "event": ("trouble", "event", Look(name="readme", width=1180, height=820)),
    "dark": ("normal", "overview", Look(name="readme", width=1180, height=820, scheme="dark")),
    "phone": ("trouble", "overview", Look(name="readme", width=390, height=800)),
}
HERE = Path(__file__).parent / "screenshots"


def main(folder: Path, only: Mapping[str, list[str]]) -> None:
    """A picture of each page in each situation and look that `only` leaves over."""
    with chromium() as browser:
        for situation in _chosen(SITUATIONS, only["situation"]):
            with _bridge(situation) as (address, token, pages):
                for look in _chosen(LOOKS, only["look"]):
                    with _entered(browser, look, address, token) as context:
                        wanted = {name: path for name, path in pages.items() if name in (only["page"] or pages)}
                        _photograph(context, look, folder / situation.name, address, wanted)


def for_the_readme() -> None:
    """The small ones."""
    HERE.mkdir(exist_ok=True)
    situations = {one.name: one for one in SITUATIONS}
    with chromium() as browser:
        for title, (name, page, look) in README.items():
            with (
                _bridge(situations[name]) as (address, token, pages),
                _entered(browser, look, address, token) as context,
            ):
                opened = context.pages[0]
                opened.goto(address + pages[page])
                opened.screenshot(path=HERE / f"{title}.png")


@contextmanager
def _bridge(situation: Situation) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """A bridge of its own in that situation: its address, a token, its pages by name."""
    now = SystemClock().now()
    with tempfile.TemporaryDirectory() as folder:
        database_url = f"sqlite:///{folder}/bridge.db"
        database = open_database(database_url)
        migrate.upgrade(database)
        pages = {"login": "/console/login", **LIST_PAGES, **situation.fill(database, now)}
        Path(folder, "bridge.toml").write_text(CONFIGURATION, "utf-8")
        environment = {
            "BRIDGE_CONFIG": f"{folder}/bridge.toml",
            "DATABASE_URL": database_url,
            "BRIDGE_SECRET_KEY": SECRET_KEY,
            "SECRET": "a secret of a sender, long enough for that",
            "GENESYS_REGION": "mypurecloud.de",
            "GENESYS_CLIENT_ID": "an-organisation",
            "GENESYS_CLIENT_SECRET": "a secret of ours, long enough for that",
            "LOG_LEVEL": "CRITICAL",
        }
        app = create_app(load_settings(environment))
        desk = Desk(app, database, FakeClock(now))
        try:
            with served(desk) as address:
                yield address, desk.token(Role.ADMIN, person="Eva Example"), pages
        finally:
            app.extensions["bridge"].close()
            database.close()


@contextmanager
def _entered(browser: Browser, look: Look, address: str, token: str) -> Iterator[BrowserContext]:
    options: dict[str, Any] = {"viewport": {"width": look.width, "height": look.height}, "color_scheme": look.scheme}
    context = browser.new_context(**options, reduced_motion="reduce")
    page = context.new_page()
    page.on("pageerror", lambda error: print(f"{look.name}: {error}"))
    enter(page, address, token)
    page.emulate_media(media="print" if look.media == "print" else "screen")
    yield context
    context.close()


def _photograph(context: BrowserContext, look: Look, folder: Path, address: str, pages: Mapping[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    page = context.pages[0]
    for name, path in pages.items():
        answer = page.goto(address + path)
        assert answer is not None
        if answer.status >= 500:
            print(f"{folder.name} {name}: answered {answer.status}")
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > look.width:
            print(f"{folder.name} {name} {look.name}: {width} px wide")
        page.screenshot(path=folder / f"{name}--{look.name}.png", full_page=True)


def _chosen(all_of_them: Any, names: list[str]) -> list[Any]:
    return [one for one in all_of_them if one.name in (names or [one.name])]


if __name__ == "__main__":
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--out", type=Path, default=Path("screenshots"))
    asked.add_argument("--readme", action="store_true")
    for choice in ("situation", "look", "page"):
        asked.add_argument(f"--{choice}", action="append", default=[])
    given = asked.parse_args()
    if given.readme:
        for_the_readme()
    else:
        main(given.out, {name: getattr(given, name) for name in ("situation", "look", "page")})
