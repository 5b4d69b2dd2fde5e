"""What is dear to count is counted rarely, and nobody waits for it twice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy.exc import OperationalError

from bridge.admin.search.remembered import KEPT_TIMES, STALE_SECONDS, Remembered
from tests.fakes import FakeClock


class Counting:
    """A look that takes as long as it is told to, and gives how many looks there were."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        self.clock, self.seconds = clock, seconds
        self.looks = 0
        self.before: Callable[[], None] = lambda: None

    def __call__(self) -> int:
        self.before()
        self.looks += 1
        self.clock.advance(self.seconds)
        return self.looks


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_what_costs_nothing_is_looked_at_every_time(clock: FakeClock) -> None:
    seen = Remembered(Counting(clock, 0), clock)
    assert [seen.get() for _ in range(3)] == [1, 2, 3]


def test_what_is_quick_is_kept_for_some_times_as_long_and_then_waited_for(clock: FakeClock) -> None:
    seen = Remembered(Counting(clock, 0.01), clock)
    assert [seen.get(), seen.get()] == [1, 1]
    clock.advance(0.01 * (KEPT_TIMES - 1))
    assert seen.get() == 2


def test_what_is_dear_is_looked_at_behind_the_back_of_whoever_asks(clock: FakeClock) -> None:
    look = Counting(clock, 1.0)
    seen = Remembered(look, clock)
    assert seen.get() == 1
    clock.advance(KEPT_TIMES)
    let_go = threading.Event()
    look.before = lambda: assert_set(let_go)
    assert [seen.get() for _ in range(3)] == [1, 1, 1], "the old ones, at once, and one look only"
    let_go.set()
    until(lambda: seen.get() == 2)
    assert look.looks == 2


def test_nobody_is_shown_what_is_stale(clock: FakeClock) -> None:
    seen = Remembered(Counting(clock, 1.0), clock)
    seen.get()
    clock.advance(STALE_SECONDS)
    assert seen.get() == 2


def test_many_who_ask_at_once_cost_one_look(clock: FakeClock) -> None:
    look = Counting(clock, 1.0)
    seen = Remembered(look, clock)
    threads = [threading.Thread(target=seen.get) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert look.looks == 1


def test_a_look_that_fails_is_told_to_whoever_waits_for_it_and_taken_again(clock: FakeClock) -> None:
    look = Counting(clock, 1.0)
    seen = Remembered(look, clock)
    look.before = away
    with pytest.raises(OperationalError):
        seen.get()
    look.before = lambda: None
    assert seen.get() == 1
    clock.advance(KEPT_TIMES)
    look.before = away
    assert seen.get() == 1, "behind the back it failed: the old ones stand"
    look.before = lambda: None
    until(lambda: seen.get() == 2)


def away() -> None:
    raise OperationalError("SELECT", {}, Exception("away"))


def assert_set(event: threading.Event) -> None:
    assert event.wait(5)
