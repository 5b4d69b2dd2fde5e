"""A console served over real HTTP, and a real Chromium in front of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

from playwright.sync_api import Browser, Page, sync_playwright
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.admin.desk import Desk
from tests.console.visitors import Visitor

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 900}
#: In a container there is no sandbox to be had; the pages are our own.
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@contextmanager
def served(desk: Desk) -> Iterator[str]:
    """The address of the bridge."""
    server = make_server("127.0.0.1", 0, desk.app, threaded=True, request_handler=_Quiet)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's; playwright brings none along."""
    path = shutil.which("chromium")
    assert path is not None, "chromium is missing: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def enter(page: Page, address: str, token: str) -> None:
    """Sign in with `token`, by hand."""
    page.goto(f"{address}/console/login")
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()


def let_in(page: Page, address: str, visitor: Visitor) -> None:
    """Give the browser the session of `visitor`, and open the first page."""
    cookie = visitor.client.get_cookie("bridge-console")
    assert cookie is not None
    page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": address, "sameSite": "Strict"}])
    page.goto(f"{address}/console/")
