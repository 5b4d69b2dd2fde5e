from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from bridge.destinations.tls import tls_for
from bridge.destinations.trouble import ConnectTimedOut, NothingAnswered, TlsFailed, TlsLost
from tests.destinations.certificates import Authority
from tests.destinations.ways import SLACK, Way
from tests.receivers import Answer, Received, Receiver, hang_up

pytestmark = pytest.mark.filterwarnings("error::ResourceWarning")  # a socket that nobody closed


@contextmanager
def receiver_called(name: str, authority: Authority, **options: object) -> Iterator[Receiver]:
    with Receiver(tls=authority.server(name, **options)) as receiver:  # type: ignore[arg-type]
        yield receiver


def to(receiver: Receiver, host: str = "erp.example.com") -> str:
    return f"https://{host}:{receiver.port}/"


def way_to_loopback(authority: Authority | None, **options: Path) -> Way:
    bundle = authority.bundle if authority else None
    return Way(resolver=lambda host, port: ["127.0.0.1"], ca_bundle=bundle, **options)  # type: ignore[arg-type]


def test_the_certificate_is_checked_against_the_name_while_the_connection_goes_to_the_address(
    authority: Authority,
) -> None:
    names: list[str | None] = []
    context = authority.server("erp.example.com")
    context.sni_callback = lambda connection, name, settings: names.append(name)
    with Receiver(tls=context) as receiver:
        way = way_to_loopback(authority)
        receiver.answers(Answer(200, body=b"x" * 60_000), 204)
        assert len(way.post(to(receiver), b"y" * 500_000).content) == 60_000
        assert way.post(to(receiver, "erp.example.com")).status_code == 204
        assert (receiver.connections, names) == (1, ["erp.example.com"])
        assert len(receiver.requests[0].body) == 500_000
        way.close()
        receiver.wait_until_idle()


def test_a_dot_at_the_end_of_the_name_does_not_change_the_certificate_that_is_asked_for(authority: Authority) -> None:
    with receiver_called("erp.example.com", authority) as receiver:
        assert way_to_loopback(authority).post(to(receiver, "erp.example.com.")).status_code == 204


def test_an_address_can_be_certified_too(authority: Authority) -> None:
    with receiver_called("127.0.0.1", authority) as receiver:
        assert way_to_loopback(authority).post(to(receiver, "127.0.0.1")).status_code == 204


@pytest.mark.parametrize(
    ("name", "days", "trusted", "reason"),
    [
        ("crm.example.com", 1, True, "Hostname mismatch"),
        ("erp.example.com", -1, True, "certificate has expired"),
        ("erp.example.com", 1, False, "unable to get local issuer certificate"),
    ],
)
def test_a_wrong_certificate_is_refused_before_anything_is_sent(
    authority: Authority, name: str, days: int, trusted: bool, reason: str
) -> None:
    with receiver_called(name, authority, days=days) as receiver:
        way = way_to_loopback(authority if trusted else None)
        with pytest.raises(TlsFailed, match=reason) as failed:
            way.post(to(receiver))
        assert isinstance(failed.value, requests.exceptions.SSLError)
        receiver.wait_until_idle()
        assert not receiver.requests


def test_a_call_cannot_switch_the_check_off(authority: Authority) -> None:
    with receiver_called("crm.example.com", authority) as receiver, requests.Session() as session:
        session.mount("https://", way_to_loopback(authority).adapter)
        with pytest.raises(TlsFailed):
            session.post(to(receiver), timeout=5, verify=False)


def test_a_receiver_that_speaks_no_tls_is_said_so(authority: Authority) -> None:
    def answer_plainly(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as pool_of_one:
        pool_of_one.submit(answer_plainly, listener)
        with pytest.raises(TlsFailed, match=r"^no TLS with erp\.example\.com: wrong version number$"):
            way_to_loopback(authority).post(f"https://erp.example.com:{listener.getsockname()[1]}/")


def test_a_handshake_that_never_comes_costs_the_deadline_and_no_more(authority: Authority) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        way = way_to_loopback(authority)
        with pytest.raises(ConnectTimedOut, match=r"no TLS connection to erp\.example\.com within 0\.3 s"):
            way.post(f"https://erp.example.com:{listener.getsockname()[1]}/", timeout=0.3)
    assert 0.29 <= way.seconds < 0.3 + SLACK


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_an_old_protocol_is_refused(authority: Authority) -> None:
    context = authority.server("erp.example.com")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with Receiver(tls=context) as receiver, pytest.raises(TlsFailed):
        way_to_loopback(authority).post(to(receiver))


def test_a_kept_tls_connection_that_closes_as_the_request_leaves_is_replaced(authority: Authority) -> None:
    with receiver_called("erp.example.com", authority) as receiver:
        way = way_to_loopback(authority)
        receiver.answers(204, hang_up, 204)
        assert [way.post(to(receiver)).status_code for _ in range(2)] == [204, 204]
        receiver.answers(hang_up, hang_up)
        with pytest.raises(NothingAnswered):
            way.post(to(receiver))


def test_we_show_our_certificate_where_we_have_one(authority: Authority, tmp_path: Path) -> None:
    with receiver_called("erp.example.com", authority, asks_for_certificate=True) as receiver:
        way = way_to_loopback(authority, client_cert=authority.certify("bridge"))
        assert way.post(to(receiver)).status_code == 204
        with pytest.raises((TlsLost, TlsFailed, NothingAnswered)):
            way_to_loopback(authority).post(to(receiver))
        assert len(receiver.requests) == 1


@pytest.mark.parametrize("key", ["ca_bundle", "client_cert"])
@pytest.mark.parametrize("content", [None, b"", b"not PEM"])
def test_a_file_that_is_none_is_named_before_the_first_request(tmp_path: Path, key: str, content: bytes | None) -> None:
    file = tmp_path / "file.pem"
    if content is not None:
        file.write_bytes(content)
    files: dict[str, Path | None] = {"ca_bundle": None, "client_cert": None, key: file}
    with pytest.raises(ValueError, match=r"file\.pem must be a readable PEM file"):
        tls_for(**files)


def test_the_public_authorities_are_read_once_and_checked_strictly() -> None:
    context = tls_for(None, None)()
    assert context is tls_for(None, None)()
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2
    assert context.get_ca_certs()


def test_the_receiver_sees_one_request_per_answer(authority: Authority) -> None:
    with receiver_called("erp.example.com", authority) as receiver:
        seen: list[Received] = []
        receiver.answer = lambda request: seen.append(request) or 204  # type: ignore[func-returns-value]
        way = way_to_loopback(authority)
        for number in range(20):
            way.post(to(receiver), str(number).encode())
        assert [request.body for request in seen] == [str(number).encode() for number in range(20)]
        assert receiver.connections == 1
