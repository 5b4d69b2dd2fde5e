from __future__ import annotations

import contextlib
import gzip
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

import pytest
import requests

from bridge.destinations.pool import IDLE_SECONDS, LIFETIME_SECONDS
from bridge.destinations.trouble import (
    AnswerTimedOut,
    BrokenAnswer,
    ConnectFailed,
    ConnectionLost,
    ConnectTimedOut,
    EgressRefused,
    NothingAnswered,
)
from bridge.destinations.wire import ANSWER_LIMIT
from tests.destinations.ways import SLACK, Way, prepared, silent
from tests.fakes import FakeClock
from tests.receivers import Answer, Received, Receiver, hang_up, reset

pytestmark = pytest.mark.filterwarnings("error::ResourceWarning")  # a socket that nobody closed

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def saying(*pieces: bytes) -> Callable[[socket.socket], None]:
    """Say these bytes, then close."""

    def say(connection: socket.socket) -> None:
        for piece in pieces:
            connection.sendall(piece)

    return say


def saying_and_resetting(piece: bytes) -> Callable[[socket.socket], None]:
    def say(connection: socket.socket) -> None:
        connection.sendall(piece)
        reset(connection)

    return say


def dripping(start: bytes, *, every: float = 0.02) -> Callable[[socket.socket], None]:
    """Say `start`, then a byte at a time until the other side hangs up."""

    def drip(connection: socket.socket) -> None:
        connection.sendall(start)
        connection.settimeout(every)
        while True:
            try:
                if not connection.recv(1):
                    return
            except TimeoutError:
                connection.sendall(b"x")

    return drip


@contextmanager
def listening() -> Iterator[tuple[socket.socket, str]]:
    """A port where connections are made, for a test to accept."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(5)
        yield listener, f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def nobody_accepting(address: str, port: int) -> Iterator[int]:
    """A port whose queue is full, so that the kernel drops every further attempt to connect."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((address, port), backlog=0))
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


def test_a_request_arrives_as_it_was_prepared_and_its_answer_comes_back(way: Way, receiver: Receiver) -> None:
    receiver.answers(Answer(201, {"X-A": "1", "Content-Type": "text/plain; charset=utf-8"}, "größer".encode()))
    response = way.post(receiver.url + "/a?b=c", b'{"a":1}', headers={"X-B": "2"})
    assert (response.status_code, response.headers["x-a"], response.text) == (201, "1", "größer")
    assert response.ok
    assert response.elapsed.total_seconds() < 5
    [request] = receiver.requests
    assert (request.method, request.path, request.json(), request.headers["X-B"]) == ("POST", "/a?b=c", {"a": 1}, "2")
    assert request.headers["Accept-Encoding"] == "identity"


def test_a_session_can_be_mounted_on_it(way: Way, receiver: Receiver) -> None:
    with requests.Session() as session:
        session.mount("http://", way.adapter)
        assert session.post(receiver.url, json={"a": 1}, timeout=5).status_code == 204
    assert receiver.requests[0].json() == {"a": 1}


@pytest.mark.parametrize("timeout", [None, (0, 0)])
def test_a_call_without_one_total_deadline_is_a_mistake(way: Way, timeout: tuple[float, float] | None) -> None:
    with pytest.raises(TypeError):
        way.adapter.send(prepared("http://127.0.0.1:1/"), timeout=timeout)


def test_head_and_body_leave_in_one_segment(way: Way) -> None:
    with listening() as (listener, url), ThreadPoolExecutor(1) as pool_of_one:
        waiting = pool_of_one.submit(way.post, url, b"x" * 4000)
        connection, _ = listener.accept()
        with connection:
            first = connection.recv(65536)
            connection.sendall(OK)
        assert first.endswith(b"\r\n\r\n" + b"x" * 4000)
        assert waiting.result().status_code == 200


# --- keeping connections alive -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        204,
        Answer(200, body=b"x" * 5000),
        Answer(500, body=b"no"),
        Answer(302, {"Location": "http://169.254.169.254/"}),
    ],
)
def test_a_connection_is_used_again_after_a_whole_answer(way: Way, receiver: Receiver, answer: int | Answer) -> None:
    receiver.answers(answer, answer, answer)
    for _ in range(3):
        way.post(receiver.url)
    assert receiver.connections == 1


def test_a_connection_is_used_again_after_a_chunked_answer(way: Way) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    with listening() as (listener, url), ThreadPoolExecutor(1) as pool_of_one:
        bodies = pool_of_one.submit(lambda: [way.post(url).content for _ in range(3)])
        connection, _ = listener.accept()
        with connection:
            for _ in range(3):
                connection.recv(65536)
                connection.sendall(chunked)
            assert bodies.result() == [b"ok"] * 3


def test_as_many_connections_are_kept_as_are_in_flight_and_no_more(receiver: Receiver) -> None:
    way = Way(limit=3)
    together = threading.Barrier(5)

    def answer(request: Received) -> int:
        together.wait(5)
        return 204

    receiver.answer = answer
    with ThreadPoolExecutor(5) as threads:
        for _ in range(2):
            list(threads.map(lambda _: way.post(receiver.url), range(5)))
    assert receiver.connections == 5 + 2  # three were kept for the second round
    way.close()
    receiver.wait_until_idle()


def test_a_connection_that_waited_too_long_is_replaced(receiver: Receiver) -> None:
    clock = FakeClock()
    way = Way(clock=clock)
    for wait, connections in ((IDLE_SECONDS - 1, 1), (IDLE_SECONDS - 1, 1), (IDLE_SECONDS, 1), (0, 2)):
        way.post(receiver.url)
        assert receiver.connections == connections
        clock.advance(wait)
    way.close()
    receiver.wait_until_idle()


def test_a_connection_that_lives_too_long_is_replaced_so_that_a_move_is_found(receiver: Receiver) -> None:
    clock = FakeClock()
    way = Way(clock=clock)
    for _ in range(int(LIFETIME_SECONDS // 30)):
        way.post(receiver.url)
        clock.advance(30)
    assert receiver.connections == 1
    way.post(receiver.url)
    assert receiver.connections == 2
    way.close()


def test_a_connection_that_the_peer_closed_meanwhile_is_noticed_before_anything_is_sent(
    way: Way, receiver: Receiver
) -> None:
    way.post(receiver.url)
    receiver.drop_connections()
    receiver.wait_until_idle()
    assert way.post(receiver.url).status_code == 204
    assert len(receiver.requests) == 2


@pytest.mark.parametrize("closing", [hang_up, reset])
def test_a_kept_connection_that_closes_as_the_request_leaves_is_replaced_once(
    way: Way, receiver: Receiver, closing: Callable[[socket.socket], None]
) -> None:
    receiver.answers(204, closing, 204)
    way.post(receiver.url)
    assert way.post(receiver.url, headers={"webhook-id": "w1"}).status_code == 204
    # The receiver saw it twice, under one webhook-id, so that it can discard the repeat.
    assert [request.headers["webhook-id"] for request in receiver.requests[1:]] == ["w1", "w1"]


@pytest.mark.parametrize("closing", [hang_up, reset])
def test_a_fresh_connection_that_closes_without_an_answer_is_not_tried_again(
    way: Way, receiver: Receiver, closing: Callable[[socket.socket], None]
) -> None:
    receiver.answers(closing)
    with pytest.raises(NothingAnswered):
        way.post(receiver.url)
    assert len(receiver.requests) == 1


def test_the_replacement_is_not_replaced_again(way: Way, receiver: Receiver) -> None:
    receiver.answers(204, hang_up, hang_up, 204)
    way.post(receiver.url)
    with pytest.raises(NothingAnswered):
        way.post(receiver.url)
    assert len(receiver.requests) == 3


def test_an_answer_that_broke_off_on_a_kept_connection_is_not_asked_for_again(way: Way, receiver: Receiver) -> None:
    receiver.answers(204, saying(b"HTTP/1.1 200 OK\r\nContent-"))
    way.post(receiver.url)
    with pytest.raises(ConnectionLost):
        way.post(receiver.url)
    assert len(receiver.requests) == 2


def test_an_answer_that_comes_late_is_never_taken_for_the_next_ones(way: Way) -> None:
    with listening() as (listener, url), ThreadPoolExecutor(1) as pool_of_one:
        posted = pool_of_one.submit(way.post, url)
        first, _ = listener.accept()
        with first:
            first.recv(65536)
            first.sendall(OK)
            assert posted.result().status_code == 200
            first.sendall(b"HTTP/1.1 408 Idle too long\r\nContent-Length: 0\r\n\r\n")
            posted = pool_of_one.submit(way.post, url)
            second, _ = listener.accept()
            with second:
                second.recv(65536)
                second.sendall(OK)
                assert posted.result().status_code == 200


def test_an_unasked_answer_is_never_taken_for_the_next_ones(way: Way) -> None:
    with listening() as (listener, url), ThreadPoolExecutor(1) as pool_of_one:
        statuses = pool_of_one.submit(lambda: [way.post(url).status_code for _ in range(2)])
        first, _ = listener.accept()
        with first:
            first.recv(65536)
            first.sendall(b"HTTP/1.1 204 X\r\n\r\nHTTP/1.1 500 Late\r\nContent-Length: 0\r\n\r\n")
            second, _ = listener.accept()
            with second:
                second.recv(65536)
                second.sendall(OK)
        assert statuses.result() == [204, 200]


# --- what receivers do to us ---------------------------------------------------------------------------------------


def test_a_receiver_that_is_not_there_is_said_so_at_once(way: Way, receiver: Receiver) -> None:
    receiver.stop()
    with pytest.raises(ConnectFailed, match=r"^no connection to 127\.0\.0\.1: connection refused$") as failed:
        way.post(receiver.url)
    assert isinstance(failed.value, requests.ConnectionError)


def test_a_receiver_that_does_not_take_the_connection_costs_the_deadline_and_no_more(way: Way) -> None:
    with nobody_accepting("127.0.0.1", 0) as port, pytest.raises(ConnectTimedOut) as timed_out:
        way.post(f"http://127.0.0.1:{port}/", timeout=0.3)
    assert str(timed_out.value) == "no connection to 127.0.0.1 within 0.3 s"
    assert 0.28 <= way.seconds < 0.3 + SLACK


def test_an_address_that_hangs_leaves_time_for_the_next(receiver: Receiver) -> None:
    way = Way(resolver=lambda host, port: ["127.0.0.2", "127.0.0.1"])
    with nobody_accepting("127.0.0.2", receiver.port):
        assert way.post(f"http://erp.example.com:{receiver.port}/", timeout=0.6).status_code == 204
    assert 0.28 <= way.seconds < 0.3 + SLACK


@pytest.mark.parametrize(
    "misbehaviour",
    [
        silent,
        dripping(b""),
        dripping(b"HTTP/1.1 200 OK\r\nX-A: "),
        dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\n\r\n"),
        dripping(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n"),
        dripping(b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["silent", "status", "headers", "body", "endless body", "chunk", "interim"],
)
def test_however_slowly_a_receiver_answers_the_deadline_is_kept(
    way: Way, receiver: Receiver, misbehaviour: Callable[[socket.socket], None]
) -> None:
    receiver.answers(misbehaviour)
    with pytest.raises(AnswerTimedOut, match=r"^no whole answer within 0\.25 s$"):
        way.post(receiver.url, timeout=0.25)
    assert 0.24 <= way.seconds < 0.25 + SLACK
    receiver.wait_until_idle()


def test_a_receiver_that_stops_reading_costs_the_deadline_and_no_more(way: Way) -> None:
    with listening() as (_, url), pytest.raises(AnswerTimedOut):
        way.post(url, b"x" * 20_000_000, timeout=0.3)
    assert 0.29 <= way.seconds < 0.3 + SLACK


def test_a_receiver_that_reads_a_little_at_a_time_costs_the_deadline_and_no_more(way: Way) -> None:
    def sip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(5)
            while connection.recv(400_000):
                Event().wait(0.03)  # the pace of this receiver

    with listening() as (listener, url), ThreadPoolExecutor(1) as pool_of_one:
        pool_of_one.submit(sip, listener)
        with pytest.raises(AnswerTimedOut):
            way.post(url, b"x" * 20_000_000, timeout=0.3)
        assert 0.29 <= way.seconds < 0.3 + SLACK
        way.close()


@pytest.mark.parametrize(
    "misbehaviour",
    [
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
        saying(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhal"),
        saying(b"HTTP/1.1 200 OK\r\nContent-Type: te"),
        saying_and_resetting(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"),
        saying_and_resetting(b"HTTP/1.1 200 OK\r\n\r\nhalf"),
    ],
    ids=["length", "chunk", "head", "reset", "reset without length"],
)
def test_a_part_of_an_answer_is_no_answer(
    way: Way, receiver: Receiver, misbehaviour: Callable[[socket.socket], None]
) -> None:
    receiver.answers(misbehaviour)
    with pytest.raises(ConnectionLost, match="in the middle of the answer"):
        way.post(receiver.url)


def test_what_is_not_http_is_said_so(way: Way, receiver: Receiver) -> None:
    receiver.answers(saying(b"220 mail.example.com ESMTP\r\n\r\n"))
    with pytest.raises(BrokenAnswer, match=r"not HTTP/1\.1"):
        way.post(receiver.url)


@pytest.mark.parametrize("reads_on", [True, False])
def test_a_refusal_before_the_whole_body_was_read_is_heard(way: Way, reads_on: bool) -> None:
    def refuse(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            connection.shutdown(socket.SHUT_WR)
            while reads_on and connection.recv(1 << 20):
                pass

    with listening() as (listener, url), ThreadPoolExecutor(1) as pool_of_one:
        pool_of_one.submit(refuse, listener)
        assert way.post(url, b"x" * 5_000_000).status_code == 413


def test_a_compressed_bomb_stays_compressed(way: Way, receiver: Receiver) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert len(bomb) < ANSWER_LIMIT - 200
    receiver.answers(Answer(200, {"Content-Encoding": "gzip", "Content-Type": "application/json"}, bomb))
    assert way.post(receiver.url).content == bomb


def test_of_an_endless_answer_64_kib_are_read(way: Way, receiver: Receiver) -> None:
    def pour(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 100_000)

    receiver.answers(pour)
    response = way.post(receiver.url)
    assert response.status_code == 200
    assert len(response.content) < ANSWER_LIMIT
    receiver.wait_until_idle()


def test_a_redirect_is_an_answer_and_never_followed(way: Way, receiver: Receiver) -> None:
    with Receiver() as elsewhere:
        receiver.answers(Answer(307, {"Location": elsewhere.url}), Answer(301, {"Location": "http://169.254.169.254/"}))
        assert [way.post(receiver.url).status_code for _ in range(2)] == [307, 301]
        assert not elsewhere.requests


def test_no_connection_is_left_open_by_whatever_went_wrong(way: Way, receiver: Receiver) -> None:
    receiver.answers(
        hang_up, reset, silent, saying(b"junk\r\n\r\n"), saying(b"HTTP/1.1 2"), Answer(200, body=b"x" * 70_000)
    )
    for _ in range(6):
        with contextlib.suppress(requests.RequestException):
            way.post(receiver.url, timeout=0.1)
    receiver.wait_until_idle()


def test_whatever_comes_back_after_the_end_is_closed(receiver: Receiver) -> None:
    way = Way()
    receiver.answers(Answer(200, delay=0.1))
    with ThreadPoolExecutor(1) as pool_of_one:
        waiting = pool_of_one.submit(way.post, receiver.url)
        receiver.wait_for(1)
        way.close()
        assert waiting.result().status_code == 200
    receiver.wait_until_idle()


# --- where it may go -----------------------------------------------------------------------------------------------


def test_it_connects_to_the_address_that_was_checked_and_asks_no_second_time(receiver: Receiver) -> None:
    answers = [["127.0.0.1"], ["169.254.169.254"]]
    way = Way(resolver=lambda host, port: answers.pop(0))
    assert way.post(f"http://rebinding.example.com:{receiver.port}/").status_code == 204
    assert receiver.requests[0].headers["Host"] == f"rebinding.example.com:{receiver.port}"
    receiver.drop_connections()
    receiver.wait_until_idle()
    with pytest.raises(EgressRefused):  # the next connection is checked anew
        way.post(f"http://rebinding.example.com:{receiver.port}/")
    assert len(receiver.requests) == 1


def test_loopback_is_refused_before_a_byte_leaves(receiver: Receiver) -> None:
    way = Way(allow_local=False)
    for host in ("127.0.0.1", "127.1", "0x7f000001", "localhost", "[::ffff:127.0.0.1]"):
        with pytest.raises(EgressRefused):
            way.post(f"http://{host}:{receiver.port}/")
    assert receiver.connections == 0


def test_proxies_of_the_environment_are_not_used(way: Way, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert way.post(receiver.url).status_code == 204
