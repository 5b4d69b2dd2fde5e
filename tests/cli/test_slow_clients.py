"""gunicorn with our worker class, and clients that take their time on raw sockets."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bridge.web.slow_clients import DeadlineWorker
from tests.cli import hasty
from tests.processes import BridgeFolder

THREADS = 2
#: How much later than promised something may be on a busy machine; gunicorn's own waits are 2 s and longer.
SLACK = 1.5


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BridgeFolder]:
    path = tmp_path_factory.mktemp("hasty")
    with BridgeFolder(path, {"WEB_THREADS": str(THREADS), "HOME": str(path)}) as folder:
        folder.start_python("-m", "gunicorn", "-c", "python:tests.cli.hasty", "tests.cli.hasty:app")
        folder.wait_ready()
        yield folder


def test_the_shipped_deadline_is_ten_seconds() -> None:
    assert DeadlineWorker.read_seconds == 10


def test_a_request_in_time_is_answered_and_its_connection_kept(server: BridgeFolder) -> None:
    with connected(server) as client:
        for _ in range(2):
            client.sendall(b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\nX-Word: yes\r\n\r\nhello")
            assert read_answer(client) == (200, b"yes hello")


def test_the_deadline_begins_anew_with_each_request_on_a_connection(server: BridgeFolder) -> None:
    with connected(server) as client:
        for _ in range(3):
            client.sendall(b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\n\r\nhel")
            time.sleep(hasty.READ_SECONDS * 0.5)
            client.sendall(b"lo")
            assert read_answer(client) == (200, b"none hello")


def test_a_dripping_header_is_cut_at_the_deadline(server: BridgeFolder) -> None:
    with connected(server) as client:
        client.sendall(b"POST / HTTP/1.1\r\n")
        assert_cut_at_deadline(client, b"X")


def test_a_dripping_body_is_cut_at_the_deadline(server: BridgeFolder) -> None:
    with connected(server) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 100000\r\n\r\n")
        assert_cut_at_deadline(client, b"x")


def test_a_dripping_chunked_body_is_cut_at_the_deadline(server: BridgeFolder) -> None:
    with connected(server) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert_cut_at_deadline(client, b"1\r\nx\r\n")


def test_a_body_that_never_pauses_for_long_is_cut_all_the_same(server: BridgeFolder) -> None:
    with connected(server) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 1000000\r\n\r\n")
        assert_cut_at_deadline(client, b"x", pause=0.0005)


def test_drips_hold_no_thread_beyond_the_deadline(server: BridgeFolder) -> None:
    with contextlib.ExitStack() as stack:
        drips = [stack.enter_context(connected(server)) for _ in range(THREADS)]
        for drip in drips:
            drip.sendall(b"POST / HTTP/1.1\r\n")
        pool = stack.enter_context(ThreadPoolExecutor(THREADS))
        cut = [pool.submit(assert_cut_at_deadline, drip, b"X") for drip in drips]
        began = time.monotonic()
        assert ask(server) == (200, b"none hello")
        assert time.monotonic() - began < hasty.READ_SECONDS + SLACK
        for one in cut:
            one.result()


def test_connections_that_send_nothing_hold_no_thread(server: BridgeFolder) -> None:
    with contextlib.ExitStack() as stack:
        for _ in range(THREADS * 4):
            stack.enter_context(connected(server))
        began = time.monotonic()
        assert ask(server) == (200, b"none hello")
        assert time.monotonic() - began < SLACK


@pytest.mark.parametrize("before", [0, 1], ids=["alone", "pipelined"])
def test_an_answer_that_nobody_reads_is_given_up(server: BridgeFolder, before: int) -> None:
    small = b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\n\r\nhello"
    large = small.replace(b"Host: b", b"Host: b\r\nX-Times: 5000000")
    with contextlib.ExitStack() as stack:
        for _ in range(THREADS):
            client = stack.enter_context(connected(server))
            client.sendall(small * before + large)
            for _ in range(before):
                read_answer(client)
            assert client.recv(1), "the large answer is on its way"
        began = time.monotonic()
        assert ask(server) == (200, b"none hello")
        assert time.monotonic() - began < hasty.WRITE_SECONDS + SLACK


def test_a_connection_that_sends_nothing_is_closed(server: BridgeFolder) -> None:
    with connected(server) as client:
        assert client.recv(1) == b""


def test_a_client_that_does_not_close_keeps_nobody_from_being_accepted(server: BridgeFolder) -> None:
    with connected(server) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: b\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello")
        assert read_answer(client) == (200, b"none hello")
        began = time.monotonic()
        assert ask(server) == (200, b"none hello")
        assert time.monotonic() - began < SLACK


def test_a_header_name_with_an_underscore_does_not_stand_in_for_the_real_one(server: BridgeFolder) -> None:
    with connected(server) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\nX_Word: forged\r\n\r\nhello")
        assert read_answer(client) == (200, b"none hello")


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"NOT HTTP\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: b\r\nX: a\x00b\r\n\r\n", 400),
        (b"GET /" + b"a" * 5000 + b" HTTP/1.1\r\nHost: b\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: b\r\n" + b"X: y\r\n" * 101 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: b\r\nX: " + b"y" * 9000 + b"\r\n\r\n", 431),
        (b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ],
)
def test_what_is_not_http_gets_a_problem_that_repeats_nothing(
    server: BridgeFolder, request_bytes: bytes, status: int
) -> None:
    with connected(server) as client:
        client.sendall(request_bytes)
        answer = b"".join(iter(lambda: client.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert b"application/problem+json" in answer
    assert b"NOT HTTP" not in answer
    assert b"gunicorn" not in answer.lower()


def test_the_answer_does_not_name_the_server_software(server: BridgeFolder) -> None:
    with connected(server) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n")
        head = b"".join(iter(lambda: client.recv(4096), b""))
    assert b"Server: bridge\r\n" in head
    assert b"gunicorn" not in head.lower()


def test_no_control_socket_is_opened(server: BridgeFolder) -> None:
    assert ask(server)[0] == 200
    assert not list(server.path.rglob("*.ctl")), "gunicorn puts it into XDG_RUNTIME_DIR or HOME/.gunicorn by default"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc to see when the signal has been handed on")
def test_whoever_waits_to_be_accepted_when_it_stops_is_served(tmp_path: Path) -> None:
    with BridgeFolder(tmp_path) as folder, contextlib.ExitStack() as stack:
        server = folder.start_python("-m", "gunicorn", "-c", "python:tests.cli.hasty", "tests.cli.hasty:app")
        folder.wait_ready()
        worker = server.tree()[-1]
        os.kill(worker, signal.SIGSTOP)
        clients = [stack.enter_context(connected(folder)) for _ in range(5)]
        for client in clients:
            client.sendall(b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\n\r\nhello")
        server.signal(signal.SIGTERM)
        server.wait_until(lambda: has_pending_signal(worker), "told its child to stop")
        os.kill(worker, signal.SIGCONT)
        assert [read_answer(client) for client in clients] == [(200, b"none hello")] * 5
        assert server.wait() == 0


def has_pending_signal(pid: int) -> bool:
    """Whether a signal waits for a process that is stopped."""
    status = Path(f"/proc/{pid}/status").read_text()
    (mask,) = (line.split()[1] for line in status.splitlines() if line.startswith("ShdPnd:"))
    return int(mask, 16) != 0


@contextlib.contextmanager
def connected(server: BridgeFolder) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield client


def ask(server: BridgeFolder) -> tuple[int, bytes]:
    with connected(server) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: b\r\nContent-Length: 5\r\n\r\nhello")
        return read_answer(client)


def read_answer(client: socket.socket) -> tuple[int, bytes]:
    """Status and body of one answer that has a Content-Length."""
    received = b""
    while b"\r\n\r\n" not in received:
        more = client.recv(4096)
        assert more, f"the connection was closed after {received!r}"
        received += more
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < length:
        body += client.recv(4096)
    return int(head.split()[1]), body


def assert_cut_at_deadline(client: socket.socket, drop: bytes, *, pause: float = 0.02) -> None:
    """Send `drop` again and again: the server closes at its deadline, neither before nor long after."""
    began = time.monotonic()
    client.settimeout(pause)
    while time.monotonic() - began < hasty.READ_SECONDS + SLACK:
        try:
            client.sendall(drop)
            if client.recv(4096) == b"":
                break
        except TimeoutError:
            continue
        except OSError:
            break
    else:
        pytest.fail("the server still listens long after its deadline")
    assert time.monotonic() - began > hasty.READ_SECONDS - 0.1
