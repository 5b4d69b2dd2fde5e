"""Wrong tokens are slowed down by address."""

from __future__ import annotations

from bridge.admin.throttle import BURST, MAX_ADDRESSES, WrongTokens
from tests.fakes import FakeClock


def test_an_address_has_a_burst_then_one_try_at_a_time(clock: FakeClock) -> None:
    wrong = WrongTokens(clock)
    assert [wrong.count("192.0.2.1") for _ in range(int(BURST) + 1)] == [0] * int(BURST) + [8]
    assert wrong.count("192.0.2.2") == 0, "another address is not to blame"
    clock.advance(6)
    assert wrong.count("192.0.2.1") == 2
    clock.advance(2)
    assert wrong.count("192.0.2.1") == 0
    assert wrong.count("192.0.2.1") == 8


def test_however_many_addresses_try_the_memory_is_bounded(clock: FakeClock) -> None:
    wrong = WrongTokens(clock)
    for _ in range(int(BURST) + 1):
        wrong.count("192.0.2.1")
    for number in range(MAX_ADDRESSES):
        wrong.count(f"2001:db8::{number:x}")
    assert wrong.count("192.0.2.1") == 0, "the one that was quiet for longest is forgotten"
