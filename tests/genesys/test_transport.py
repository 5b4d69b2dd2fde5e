"""One call, over real HTTP on loopback and over the fake."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator

import pytest
import requests
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import MaxRetryError, NewConnectionError

from bridge import __version__
from bridge.clock import SystemClock
from bridge.genesys import Command, GenesysClient
from bridge.genesys.errors import NotFound, Unavailable
from bridge.genesys.exchange import MOST_ANSWER_BYTES, Exchanger, pooled_adapter
from bridge.genesys.wire import Tally
from bridge.settings.model import GenesysSettings, Secret
from tests.fakes import FakeClock
from tests.genesys.fake_genesys import FakeGenesys, Says
from tests.receivers import Answer, Received, Receiver, Scripted, hang_up, reset

CONVERSATION = {"id": "c-1", "state": "connected", "version": 3, "attributes": {}}


def as_json(status: int, body: object, **headers: str) -> Answer:
    return Answer(status, {"Content-Type": "application/json", **headers}, json.dumps(body).encode())


def answering(request: Received) -> Scripted:
    """A Genesys with one conversation."""
    if request.path == "/oauth/token":
        return as_json(200, {"access_token": "t", "token_type": "bearer", "expires_in": 3600})
    if request.method == "GET":
        return as_json(200, CONVERSATION)
    return as_json(200, {"version": 4}, **{"ININ-Correlation-Id": "corr-9"})


@pytest.fixture
def server() -> Iterator[Receiver]:
    with Receiver(answering) as server:
        yield server


@pytest.fixture
def live(server: Receiver) -> GenesysClient:
    settings = GenesysSettings(
        api_url=server.url, login_url=server.url, client_id="bridge", client_secret=Secret("s3cr3t")
    )
    return GenesysClient(settings)


def command() -> Command:
    return Command(
        id="cmd-1",
        operation="conversation.attributes.update",
        body={"conversation_id": "c-1", "attributes": {"tier": "gold"}},
        issued_at=SystemClock().now(),
        correlation_id="corr-1",
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )


def test_a_call_says_who_asks_and_for_which_command(server: Receiver, live: GenesysClient) -> None:
    result = live.advance(command(), None, SystemClock().now())
    _, read, write = server.requests
    for request in (read, write):
        assert request.headers["Authorization"] == "Bearer t"
        assert request.headers["User-Agent"] == f"genesys-bridge/{__version__}"
        assert request.headers["X-Correlation-ID"] == "corr-1"
        assert request.headers["traceparent"] == command().traceparent
    assert write.headers["X-Genesys-Idempotency-Key"] == "cmd-1"
    assert read.headers["X-Genesys-Idempotency-Key"] is None
    assert write.headers["If-Match"] == '"3"'
    assert write.headers["Content-Type"] == "application/json"
    assert result.answer is not None
    assert result.answer.correlation_id == "corr-9"


def test_calls_share_a_kept_alive_connection(server: Receiver, live: GenesysClient) -> None:
    for _ in range(3):
        live.advance(command(), None, SystemClock().now())
    assert server.connections == 1


def test_no_redirect_is_followed(server: Receiver, live: GenesysClient) -> None:
    server.answers(answering(received("/oauth/token")), Answer(302, {"Location": f"{server.url}/elsewhere"}))
    with pytest.raises(Unavailable, match="redirects are not followed"):
        live.advance(command(), None, SystemClock().now())
    assert [request.path for request in server.requests] == ["/oauth/token", "/api/v2/conversations/c-1"]


def test_an_error_answer_keeps_the_platforms_ids(server: Receiver, live: GenesysClient) -> None:
    body = {"code": "not.found", "contextId": "ctx-7"}
    server.answers(answering(received("/oauth/token")), as_json(404, body, **{"ININ-Correlation-Id": "corr-7"}))
    with pytest.raises(NotFound) as missing:
        live.advance(command(), None, SystemClock().now())
    assert (missing.value.correlation_id, missing.value.context_id) == ("corr-7", "ctx-7")


@pytest.mark.parametrize("fault", [hang_up, reset])
def test_a_connection_lost_after_the_request_is_not_repeated_here(
    server: Receiver, live: GenesysClient, fault: Scripted
) -> None:
    server.answers(answering(received("/oauth/token")), as_json(200, CONVERSATION), fault)
    with pytest.raises(Unavailable) as lost:
        live.advance(command(), None, SystemClock().now())
    assert lost.value.sent
    assert [request.method for request in server.requests] == ["POST", "GET", "PATCH"]


def test_a_silent_server_costs_no_more_than_the_time_of_the_call(server: Receiver) -> None:
    server.answers(Answer(200, delay=0.3))
    exchanger = Exchanger(adapter=pooled_adapter(), clock=SystemClock())
    with pytest.raises(Unavailable, match="no answer within its time") as late:
        exchanger.exchange(requests.Request("GET", server.url), seconds=0.1, tally=Tally())
    assert late.value.sent


def test_an_answer_that_drips_is_cut_off_at_the_deadline(server: Receiver) -> None:
    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(100):
            try:
                connection.sendall(b"1\r\nx\r\n")
            except OSError:
                return
            if server_closed.wait(0.02):
                return

    server_closed = threading.Event()
    server.answers(drip)
    exchanger = Exchanger(adapter=pooled_adapter(), clock=SystemClock())
    with pytest.raises(Unavailable, match="no answer within its time"):
        exchanger.exchange(requests.Request("GET", server.url), seconds=0.15, tally=Tally())
    server_closed.set()


def test_an_answer_larger_than_any_of_the_contract_is_not_read_to_its_end(
    genesys: FakeGenesys, clock: FakeClock
) -> None:
    exchanger = Exchanger(adapter=genesys, clock=clock)
    request = requests.Request("GET", "http://api.test/large")
    genesys.on("GET", "/large", Says(200, b"x" * MOST_ANSWER_BYTES), Says(200, b"x" * (MOST_ANSWER_BYTES + 1)))
    exchanger.exchange(request, seconds=10, tally=Tally())
    with pytest.raises(Unavailable):
        exchanger.exchange(request, seconds=10, tally=Tally())


def test_a_server_that_is_not_there_is_tried_twice_and_nothing_was_sent(server: Receiver) -> None:
    server.stop()
    exchanger = Exchanger(adapter=pooled_adapter(), clock=SystemClock())
    tally = Tally()
    with pytest.raises(Unavailable) as down:
        exchanger.exchange(requests.Request("GET", server.url), seconds=1, tally=tally)
    assert not down.value.sent
    assert tally.retries == 1
    server.start()


def refused_connect() -> requests.ConnectionError:
    """As `requests` raises it."""
    pool = HTTPConnectionPool("api.test", 80)
    reason = NewConnectionError(pool._get_conn(), "Connection refused")  # type: ignore[arg-type]
    return requests.ConnectionError(MaxRetryError(pool, "/", reason))


def test_a_refused_connect_is_repeated_once_at_once(
    genesys: FakeGenesys, client: GenesysClient, clock: FakeClock
) -> None:
    genesys.on("GET", "/api/v2/conversations/c-1", refused_connect(), Says(200, CONVERSATION))
    genesys.on("PATCH", "/api/v2/conversations/c-1/attributes", Says(200, {"version": 4}))
    result = client.advance(command(), None, clock.now())
    assert result.measures.retries == 1


@pytest.mark.parametrize(
    ("trouble", "sent"),
    [
        (requests.ConnectTimeout(), False),
        (requests.exceptions.SSLError(), False),
        (requests.ReadTimeout(), True),
        (requests.exceptions.ChunkedEncodingError(), True),
        (requests.ConnectionError(), True),
        (refused_connect(), False),
    ],
)
def test_trouble_says_whether_the_request_may_have_arrived(
    genesys: FakeGenesys, client: GenesysClient, clock: FakeClock, trouble: Exception, sent: bool
) -> None:
    genesys.on("GET", "/api/v2/conversations/c-1", trouble)
    with pytest.raises(Unavailable) as down:
        client.advance(command(), None, clock.now())
    assert down.value.sent is sent
    assert "c-1" not in str(down.value)


def test_an_id_stays_inside_its_path_segment(genesys: FakeGenesys, client: GenesysClient, clock: FakeClock) -> None:
    odd = Command(
        id="cmd-1",
        operation="conversation.attributes.update",
        body={"conversation_id": "../oauth?x=1#y z%2F", "attributes": {"a": "b"}},
        issued_at=clock.now(),
    )
    with pytest.raises(NotFound):
        client.advance(odd, None, clock.now())
    sent = genesys.requests[-1].url
    assert sent == "http://api.test/api/v2/conversations/..%2Foauth%3Fx%3D1%23y%20z%252F"


def received(path: str) -> Received:
    return Received("POST", path, http.client.HTTPMessage(), b"", 1, 0.0)
