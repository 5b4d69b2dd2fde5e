"""Fixtures of this room: a receiver, the way to it, and an authority of our own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.destinations.certificates import Authority, make_authority
from tests.destinations.ways import OPENED, Way
from tests.receivers import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as receiver:
        yield receiver


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """Close every way and destination that a test has opened."""
    yield
    while OPENED:
        OPENED.pop().close()


@pytest.fixture
def way() -> Way:
    """An adapter that may go to loopback."""
    return Way()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority"))
