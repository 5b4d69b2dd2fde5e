"""Few may wait for the end of a command at once, and none of them holds a connection."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest

from bridge.clock import new_id
from bridge.commands.waiting import MOST_WAITING, CommandWaits
from bridge.errors import NotFound
from tests.commands.office import opened, settings
from tests.fakes import FakeClock

UPDATE = {"conversation_id": "c-1", "attributes": {"tier": "gold"}}


def test_the_fifth_is_not_let_in_and_nobody_holds_a_connection(database_url: str) -> None:
    clock, going_on, inside = FakeClock(datetime.now(UTC)), threading.Event(), threading.Semaphore(0)

    def pause(seconds: float) -> None:
        inside.release()
        assert going_on.wait(10)
        clock.advance(seconds)

    with opened(settings(database_url, "http://127.0.0.1:9"), clock) as office:
        command, engine = office.ask("conversation.attributes.update", UPDATE), office.wiring.database.engine
        waits = CommandWaits(office.wiring.database, clock, pause=pause)
        with ThreadPoolExecutor(MOST_WAITING) as pool:
            waiting = [pool.submit(waits.end_of, command.id, seconds=1) for _ in range(MOST_WAITING)]
            for _ in waiting:
                assert inside.acquire(timeout=10)
            assert engine.pool.checkedout() == 0  # type: ignore[attr-defined]  # of the pools that databases have
            began = time.monotonic()
            assert waits.end_of(command.id, seconds=1) is None
            assert time.monotonic() - began < 1, "at once"
            going_on.set()
            assert [one.result() for one in waiting] == [None] * MOST_WAITING
        assert waits.end_of(command.id, seconds=0.01) is None
        assert inside.acquire(timeout=1), "a place that was left can be taken again"


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_command_that_is_not_there_leaves_its_place(database_url: str) -> None:
    clock = FakeClock(datetime.now(UTC))
    with opened(settings(database_url, "http://127.0.0.1:9"), clock) as office:
        waits = CommandWaits(office.wiring.database, clock, pause=clock.advance)
        for _ in range(MOST_WAITING + 1):
            with pytest.raises(NotFound):
                waits.end_of(new_id(), seconds=1)
        ended = office.ask("conversation.attributes.update", UPDATE)
        assert waits.end_of(ended.id, seconds=1) is None
