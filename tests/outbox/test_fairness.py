"""One slow, dead or flooded destination costs the others nothing."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bridge.database import Database
from bridge.outbox.contract import ClaimedDelivery, Delivered, DeliveryPolicy, Outcome, RetryLater
from bridge.outbox.dispatcher import Dispatcher
from tests.fakes import FakeClock
from tests.outbox.yard import FakeDestination, dispatcher, owe


class Counted:
    """Answers at once, and tells when enough has arrived."""

    def __init__(self, enough: int) -> None:
        self._left = threading.Semaphore(0)
        self._enough = enough

    def __call__(self, _: ClaimedDelivery) -> Outcome:
        self._left.release()
        return Delivered()

    def wait(self) -> None:
        for _ in range(self._enough):
            assert self._left.acquire(timeout=15), "the others had to wait"


@contextmanager
def running(worker: Dispatcher) -> Iterator[None]:
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join(timeout=15)


def test_a_destination_that_hangs_holds_back_nobody_else(database: Database, clock: FakeClock) -> None:
    go, arrived = threading.Event(), Counted(60)

    def hang(_: ClaimedDelivery) -> Outcome:
        go.wait(timeout=20)
        return Delivered()

    for number in range(60):
        owe(database, clock.now(), subject=f"conversation:{number}", destinations=("slow", "fast"))
    slow, fast = FakeDestination(name="slow", answer=hang), FakeDestination(name="fast", answer=arrived)
    with running(dispatcher(database, clock, slow, fast)):
        arrived.wait()
        assert len(slow.sent) <= 4, "the slow one has its own threads and no more"
        go.set()


def test_a_dead_destination_of_ten_holds_back_nobody_else(database: Database, clock: FakeClock) -> None:
    names = [f"d{number}" for number in range(10)]
    for number in range(10):
        owe(database, clock.now(), subject=f"conversation:{number}", destinations=names)
    down = FakeDestination(
        name="d0", answer=lambda _: RetryLater(reason="refused", error_class="connect"), policy=DeliveryPolicy()
    )
    arrived = {name: Counted(10) for name in names[1:]}
    others = [FakeDestination(name=name, answer=arrived[name]) for name in names[1:]]
    with running(dispatcher(database, clock, down, *others)):
        for one in arrived.values():
            one.wait()


def test_a_flood_to_one_destination_does_not_delay_another(database: Database, clock: FakeClock) -> None:
    for number in range(300):
        owe(database, clock.now(), subject=f"conversation:{number}", destinations=("flooded",))
    owe(database, clock.now(), subject="conversation:one", destinations=("quiet",))
    order: list[str] = []
    lock = threading.Lock()

    def noted(one: ClaimedDelivery) -> Outcome:
        with lock:
            order.append(one.destination)
        return Delivered()

    flooded = FakeDestination(name="flooded", answer=noted)
    quiet = FakeDestination(name="quiet", answer=noted)
    dispatcher(database, clock, flooded, quiet).deliver_due()
    assert order.index("quiet") < 20, "it goes out with the first claims, not behind the flood"
