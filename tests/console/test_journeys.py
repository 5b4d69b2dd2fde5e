"""Journeys in a real browser: by mouse, by keyboard alone, while the page updates, from a mail, without the script."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import update

from bridge.admin.access import Role
from bridge.admin.cancelling import AT_ONCE
from bridge.admin.console.sessions import IDLE
from bridge.tables import DeliveryRow
from tests.admin.desk import Desk
from tests.console import scenes
from tests.console.browser import DESK, enter, let_in, served
from tests.console.visitors import sign_in
from tests.keeping.file_room import FileRoom
from tests.outbox.replays import many_pending, step
from tests.outbox.yard import FakeDestination, actions, delivery, dispatcher

# One browser and one database are enough to see what the script and the styles do.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def address(desk: Desk) -> Iterator[str]:
    with served(desk) as at:
        yield at


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that fails the test where the browser complains of a script or of the content policy."""
    context = browser.new_context(viewport=DESK)  # type: ignore[arg-type]
    context.set_default_timeout(5000)
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
    yield opened
    context.close()
    assert complaints == []


def test_from_the_alarm_to_the_replay_of_a_dead_delivery(desk: Desk, address: str, page: Page) -> None:
    dead = scenes.dead(scenes.normal(desk.database, desk.clock.now()))
    let_in(page, address, sign_in(desk, Role.OPERATOR))
    page.get_by_role("link", name="See why, replay for erp").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Deliveries")
    page.locator(f'a[href="/console/deliveries/{dead[0]}"]').click()
    expect(page.get_by_text("It was given up after 1 attempt")).to_be_visible()
    page.get_by_text("Replay it…").click()
    page.get_by_label("Why?").fill("mended")
    page.get_by_role("button", name="Replay this delivery").click()
    expect(page.get_by_role("status")).to_contain_text("This is the replay")
    assert delivery(desk.database, page.url.split("/")[-1].split("?")[0]).replay_of == dead[0]


def test_a_filter_is_set_in_the_form_and_kept_in_the_address(desk: Desk, address: str, page: Page) -> None:
    dead = scenes.dead(scenes.normal(desk.database, desk.clock.now()))
    let_in(page, address, sign_in(desk, Role.VIEWER))
    page.get_by_role("link", name="Deliveries", exact=True).click()
    page.get_by_text("Filter", exact=True).click()
    page.get_by_label("Destination").select_option("erp")
    page.get_by_role("button", name="Apply").click()
    page.get_by_role("navigation", name="State").get_by_role("link", name="Dead").click()
    assert "destination=erp" in page.url
    assert "state=dead" in page.url
    expect(page.locator("tbody tr")).to_have_count(len(dead))
    page.reload()
    expect(page.locator("tbody tr")).to_have_count(len(dead))
    page.get_by_role("link", name="Destination: erp").click()
    assert "destination" not in page.url


def test_several_are_ticked_counted_and_replayed(desk: Desk, address: str, page: Page) -> None:
    dead = scenes.dead(scenes.normal(desk.database, desk.clock.now()))
    let_in(page, address, sign_in(desk, Role.OPERATOR))
    page.goto(f"{address}/console/deliveries?state=dead&destination=erp")
    expect(page.get_by_role("button", name="Replay selected…")).to_be_disabled()
    page.get_by_label("Select every delivery on this page").check()
    expect(page.get_by_text(f"{len(dead)} selected")).to_be_visible()
    page.get_by_role("button", name="Replay selected…").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Replay {len(dead)} deliveries?")
    page.get_by_label("Why?").fill("mended")
    page.get_by_role("button", name=f"Replay {len(dead)} deliveries").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("on their way again")


def test_a_replay_is_ordered_watched_paused_resumed_and_done(desk: Desk, address: str, page: Page) -> None:
    dead = len(scenes.dead(scenes.normal(desk.database, desk.clock.now())))
    page.clock.install()
    enter(page, address, desk.token(Role.OPERATOR))
    _order_replay(page, address, "dead", dead)
    progress = page.get_by_role("progressbar", name="Ended deliveries")
    _work(desk, page)
    expect(progress).to_have_js_property("value", 1)
    _steer(page, "Pause")
    expect(page.locator("#live-progress")).to_contain_text("paused")
    _work(desk, page)
    _work(desk, page)
    expect(progress).to_have_js_property("value", 1)
    _steer(page, "Resume")
    for _ in range(dead + 1):
        _work(desk, page, seconds=60)  # something else waits in some of the lanes
    expect(page.locator("#live-progress")).to_contain_text("completed")
    expect(progress).to_have_js_property("value", dead)
    expect(page.get_by_text("Pause it…")).to_have_count(0)


def test_a_replay_is_cancelled_and_says_what_it_had_sent(desk: Desk, address: str, page: Page) -> None:
    dead = len(scenes.dead(scenes.normal(desk.database, desk.clock.now())))
    page.clock.install()
    enter(page, address, desk.token(Role.OPERATOR))
    _order_replay(page, address, "dead", dead)
    _work(desk, page)
    _steer(page, "Cancel")
    expect(page.get_by_role("status")).to_contain_text("It is cancelled")
    expect(page.get_by_text("1 delivery had been sent before")).to_be_visible()
    page.get_by_role("link", name="Replays").first.click()
    expect(page.locator("tbody tr").first).to_contain_text("cancelled")


def test_a_backlog_is_cancelled_step_by_step_without_another_click(desk: Desk, address: str, page: Page) -> None:
    many = 4 * AT_ONCE + 10
    many_pending(desk.database, desk.clock.now(), many)
    desk.clock.advance(1)
    enter(page, address, desk.token(Role.OPERATOR))
    page.goto(f"{address}/console/deliveries?state=pending")
    page.get_by_role("link", name="Cancel all that match…").click()
    page.get_by_label("Why?").fill("the ERP was replaced")
    page.get_by_role("button", name=f"Cancel 2\u202f{many - 2000:03} deliveries").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"2\u202f{many - 2000:03} deliveries are cancelled")
    expect(page.get_by_role("status")).to_contain_text("They will not be sent.")


def test_everything_can_be_reached_by_keyboard_alone(desk: Desk, address: str, page: Page) -> None:
    dead = scenes.dead(scenes.normal(desk.database, desk.clock.now()))[0]
    page.goto(f"{address}/console/login?next=/console/deliveries/{dead}")
    page.keyboard.type(desk.token(Role.OPERATOR))  # the field has the focus
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Sign out").wait_for()
    page.keyboard.press("Tab")
    assert _focused(page) == "Skip to the content"
    page.keyboard.press("Enter")
    _tab_to(page, "Replay it…")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.type("mended")
    _tab_to(page, "Replay this delivery")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("This is the replay")


def test_a_hold_is_placed_and_released_by_keyboard_each_in_two_steps(desk: Desk, address: str, page: Page) -> None:
    enter(page, address, desk.token(Role.ADMIN))
    page.goto(f"{address}/console/holds")
    expect(page.get_by_text("Nothing is held.")).to_be_visible()
    _tab_to(page, "Place a hold…")
    page.keyboard.press("Enter")
    page.get_by_label("Customer’s id").focus()
    page.keyboard.type("C-4711")
    page.get_by_label("Why?").focus()
    page.keyboard.type("case 7")
    _tab_to(page, "Look at what follows")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Place this hold?")
    assert Axe().run(page).response["violations"] == []
    _tab_to(page, "Place this hold")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("The hold is in force")
    assert "C-4711" not in page.content()
    _tab_to(page, "Release it…")
    page.keyboard.press("Enter")
    page.get_by_label("Why?").fill("the case is closed")
    page.get_by_role("button", name="Release this hold").click()
    expect(page.get_by_role("status")).to_contain_text("It is released")
    assert actions(desk.database)[-2:] == ["hold.placed", "hold.released"]


def test_a_person_is_erased_in_two_steps_and_the_report_says_who_has_got_what(
    desk: Desk, address: str, page: Page
) -> None:
    room = FileRoom(desk.database, desk.clock)
    room.record(payload={"customer": {"id": "C-4711"}})
    room.deliver_due()
    enter(page, address, desk.token(Role.ADMIN))
    page.get_by_role("link", name="Erase", exact=True).click()
    page.get_by_label("Customer’s id").fill("C-4711")
    page.get_by_label("Why?").fill("she asked us to")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Erase 1 event?")
    expect(page.get_by_role("row", name="crm 1")).to_be_visible()
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("button", name="Erase it for good").click()  # the browser asks for the tick
    assert room.audited("erasure.") == []
    page.get_by_label("I have read what would go.").check()
    page.get_by_role("button", name="Erase it for good").click()
    expect(page.get_by_role("status")).to_contain_text("The content of 1 event of 1 subject is gone for good.")
    expect(page.get_by_text("We cannot recall it")).to_be_visible()
    assert [one.action for one in room.audited("erasure.")] == ["erasure.begun", "erasure.completed"]


def test_a_page_follows_what_happens_without_being_touched(desk: Desk, address: str, page: Page) -> None:
    page.clock.install()
    let_in(page, address, sign_in(desk, Role.VIEWER))
    expect(page.get_by_text("1 thing needs you")).to_be_visible()  # a source that was never heard
    scenes.trouble(desk.database, desk.clock.now())
    page.clock.run_for(12_000)
    expect(page.get_by_text("its breaker is open")).to_be_visible()
    page.get_by_role("button", name="Pause updates").click()
    expect(page.get_by_role("button", name="Go on updating")).to_be_visible()


def test_what_a_person_has_set_stays_while_the_page_updates(desk: Desk, address: str, page: Page) -> None:
    dead = scenes.dead(scenes.normal(desk.database, desk.clock.now()))[0]
    page.clock.install()
    let_in(page, address, sign_in(desk, Role.OPERATOR))
    page.goto(f"{address}/console/deliveries/{dead}")
    page.get_by_text("Request and answer").first.click()
    page.get_by_text("Replay it…").click()
    page.get_by_label("Why?").fill("half a reas")
    with desk.database.write() as session:
        session.execute(update(DeliveryRow).where(DeliveryRow.id == dead).values(attempts=7))
    page.clock.run_for(6_000)
    expect(page.get_by_text("It was given up after 7 attempts")).to_be_visible()
    expect(page.get_by_text("<h1>Service Unavailable</h1>").first).to_be_visible()
    expect(page.get_by_label("Why?")).to_be_focused()
    expect(page.get_by_label("Why?")).to_have_value("half a reas")


def test_ticks_stay_with_their_rows_while_others_come_and_go(desk: Desk, address: str, page: Page) -> None:
    made = scenes.normal(desk.database, desk.clock.now())
    dead = scenes.dead(made)
    page.clock.install()
    let_in(page, address, sign_in(desk, Role.OPERATOR))
    page.goto(f"{address}/console/deliveries?destination=erp")
    page.locator(f'input[value="{dead[1]}"]').check()
    scenes.running_merge(desk.database, desk.clock.now(), destination="erp")
    with desk.database.write() as session:
        session.execute(update(DeliveryRow).where(DeliveryRow.id == dead[0]).values(destination="crm"))
    page.clock.run_for(16_000)
    expect(page.get_by_role("link", name="merge:0f3a")).to_be_visible()
    expect(page.locator(f'input[value="{dead[0]}"]')).to_have_count(0)
    expect(page.locator(f'input[value="{dead[1]}"]')).to_be_checked()
    expect(page.get_by_text("1 selected")).to_be_visible()
    expect(page.get_by_label("Select every delivery on this page")).to_be_visible()


def test_a_session_that_ends_on_a_page_leads_to_the_sign_in_and_back(desk: Desk, address: str, page: Page) -> None:
    page.clock.install()
    token = desk.token(Role.VIEWER)
    enter(page, address, token)
    page.goto(f"{address}/console/deliveries?state=dead")
    desk.clock.advance(IDLE.total_seconds())
    page.clock.run_for(16_000)
    page.get_by_role("alert").get_by_role("link", name="Sign in to go on here").click()
    expect(page.get_by_text("Your session has ended.")).to_be_visible()
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/console/deliveries?state=dead")


def test_a_link_in_a_mail_leads_there_without_signing_in_again(desk: Desk, address: str, page: Page) -> None:
    let_in(page, address, sign_in(desk, Role.VIEWER))
    elsewhere = address.replace("127.0.0.1", "localhost")  # another site, as browsers see it
    page.route(f"{elsewhere}/mail", lambda route: route.fulfill(body=_MAIL % address, content_type="text/html"))
    page.goto(f"{elsewhere}/mail")
    page.get_by_role("link", name="what happened").click()
    page.wait_for_url("**/console/deliveries?state=dead")
    expect(page.get_by_role("heading", level=1)).to_have_text("Deliveries")


def test_an_id_in_hand_is_found_from_any_page(desk: Desk, address: str, page: Page) -> None:
    dead = scenes.dead(scenes.normal(desk.database, desk.clock.now()))[0]
    let_in(page, address, sign_in(desk, Role.VIEWER))
    page.keyboard.press("/")
    page.keyboard.type(dead)
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/console/deliveries/{dead}")
    page.get_by_label("Find an id or a subject").press("/")
    expect(page.get_by_label("Find an id or a subject")).to_have_value("/")


def test_everything_works_without_the_script(desk: Desk, address: str, browser: Browser) -> None:
    dead = scenes.dead(scenes.normal(desk.database, desk.clock.now()))
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    let_in(page, address, sign_in(desk, Role.OPERATOR))
    page.goto(f"{address}/console/deliveries?state=dead&destination=erp")
    page.locator(f'input[value="{dead[0]}"]').check()
    page.get_by_role("button", name="Replay selected…").click()
    page.get_by_label("Why?").fill("mended")
    page.get_by_role("button", name="Replay 1 delivery").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("on their way again")
    context.close()


def _order_replay(page: Page, address: str, state: str, matched: int) -> None:
    """One delivery a second, by the form."""
    page.goto(f"{address}/console/replays/new")
    page.get_by_label("Destination", exact=True).select_option("erp")
    page.get_by_label("Newest delivery is").select_option(state)
    page.get_by_label("every event").check()
    page.get_by_role("button", name="Count").click()
    page.get_by_label("Why?").fill("mended")
    page.get_by_label("At most so many per second").fill("1")
    page.get_by_role("button", name=f"Send {matched} deliveries again").click()
    expect(page.get_by_text(f"0 of {matched} deliveries ended")).to_be_visible()


def _work(desk: Desk, page: Page, *, seconds: float = 1) -> None:
    """A worker's next step, and the page's next look."""
    desk.clock.advance(seconds)
    step(desk.database, desk.clock.now())
    dispatcher(desk.database, desk.clock, FakeDestination()).deliver_due()
    page.clock.run_for(2_500)


def _steer(page: Page, way: str) -> None:
    page.get_by_text(f"{way} it…").click()
    page.locator("details[open]").get_by_label("Why?").fill("to see")
    page.get_by_role("button", name=f"{way} the replay").click()
    page.get_by_role("status").wait_for()


def _focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.textContent.trim()"))


def _tab_to(page: Page, text: str) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        if _focused(page) == text:
            return
    raise AssertionError(f"{text} is not reached by the Tab key")


_MAIL = '<a href="%s/console/deliveries?state=dead">what happened</a>'
