from __future__ import annotations

from collections.abc import Callable
from time import thread_time

import requests
from requests import Response

from tests.destinations.ways import Way
from tests.receivers import Receiver


def cpu_seconds(send: Callable[[], Response], count: int = 200) -> float:
    """CPU time of this thread alone: the receiver's threads, and whoever shares the machine, do not count."""
    send()
    began = thread_time()
    for _ in range(count):
        assert send().status_code == 204
    return thread_time() - began


def test_a_request_costs_at_most_a_third_of_what_a_session_takes(way: Way, receiver: Receiver) -> None:
    body = b"x" * 1000
    headers = {"Content-Type": "application/json", "webhook-id": "w1", "Authorization": "Bearer s3cret"}
    with requests.Session() as session:
        theirs = cpu_seconds(lambda: session.post(receiver.url, data=body, headers=headers, timeout=5))
    ours = cpu_seconds(lambda: way.post(receiver.url, body, headers=headers))
    assert ours * 3 <= theirs, f"{theirs / ours:.1f} times"
