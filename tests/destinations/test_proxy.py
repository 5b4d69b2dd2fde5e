from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable

import pytest

from bridge.destinations.connections import proxy_of
from bridge.destinations.trouble import ConnectFailed, EgressRefused, ProxyFailed, TlsFailed
from tests.destinations.certificates import Authority
from tests.destinations.ways import Way
from tests.receivers import Answer, Receiver

pytestmark = pytest.mark.filterwarnings("error::ResourceWarning")  # a socket that nobody closed


def tunnelling_to(port: int) -> Callable[[socket.socket], None]:
    """What a proxy does after CONNECT: says yes, then passes on what both sides say."""

    def tunnel(client: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as target:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pump, args=(target, client), daemon=True)
            back.start()
            _pump(client, target)
            back.join(5)

    return tunnel


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def through(proxy: Receiver, authority: Authority | None = None, *, user: str = "") -> Way:
    def unknown(host: str, port: int) -> list[str]:
        raise AssertionError(f"{host} is the proxy's to resolve")

    return Way(
        resolver=unknown,
        allow_local=False,
        proxy=f"http://{user}127.0.0.1:{proxy.port}",
        ca_bundle=authority.bundle if authority else None,
    )


def test_a_plain_request_goes_to_the_proxy_with_its_whole_url(receiver: Receiver) -> None:
    way = through(receiver, user="bridge:p%40ss@")
    assert [way.post("http://erp.example.com:8080/a?b=c").status_code for _ in range(2)] == [204, 204]
    request = receiver.requests[0]
    assert (request.path, request.headers["Host"]) == ("http://erp.example.com:8080/a?b=c", "erp.example.com:8080")
    assert request.headers["Proxy-Authorization"] == "Basic YnJpZGdlOnBAc3M="
    assert receiver.connections == 1


def test_tls_goes_through_a_tunnel_and_is_checked_against_the_targets_name(authority: Authority) -> None:
    with Receiver(tls=authority.server("erp.example.com")) as erp, Receiver() as proxy:
        way = through(proxy, authority, user="bridge:secret@")
        proxy.answers(tunnelling_to(erp.port), tunnelling_to(erp.port))
        assert [way.post("https://erp.example.com/a").status_code for _ in range(2)] == [204, 204]
        [connect] = proxy.requests
        assert (connect.method, connect.path) == ("CONNECT", "erp.example.com:443")
        assert connect.headers["Proxy-Authorization"].startswith("Basic ")
        assert erp.requests[0].path == "/a"
        assert "Proxy-Authorization" not in erp.requests[0].headers
        with pytest.raises(TlsFailed, match="Hostname mismatch"):
            way.post("https://crm.example.com/")
        way.close()


@pytest.mark.parametrize("answer", [407, Answer(502, body=b"no route"), lambda connection: None])
def test_a_proxy_that_refuses_is_named(receiver: Receiver, answer: int | Answer) -> None:
    receiver.answers(answer)
    with pytest.raises(ProxyFailed, match=r"the proxy 127\.0\.0\.1"):
        through(receiver).post("https://erp.example.com/")
    receiver.wait_until_idle()


def test_a_proxy_that_is_not_there_is_said_so(receiver: Receiver) -> None:
    receiver.stop()
    with pytest.raises(ConnectFailed):
        through(receiver).post("http://erp.example.com/")


@pytest.mark.parametrize("host", ["127.0.0.1", "0x7f.1", "169.254.169.254", "10.0.0.1", "[::1]", "localhost"])
def test_a_proxy_is_no_way_around_the_guard(receiver: Receiver, host: str) -> None:
    with pytest.raises(EgressRefused):
        through(receiver).post(f"http://{host}/")
    assert not receiver.requests


def test_a_proxy_at_a_metadata_address_is_refused() -> None:
    way = Way(proxy="http://169.254.169.254:80")
    with pytest.raises(EgressRefused):
        way.post("http://erp.example.com/")


def test_a_proxy_does_not_show_its_password() -> None:
    assert "secret" not in repr(proxy_of("http://bridge:secret@proxy.example.com:3128"))
    assert "secret" not in str(vars(Way(proxy="http://bridge:secret@proxy.example.com:3128").adapter))


@pytest.mark.parametrize(
    "url",
    [
        "https://proxy.example.com",
        "socks5://proxy.example.com",
        "proxy.example.com:3128",
        "",
        "http://me:s3cret",
        "http://[x",
    ],
)
def test_only_http_proxies_are_known(url: str) -> None:
    with pytest.raises(ValueError, match="http://host:port") as refused:
        proxy_of(url)
    assert "s3cret" not in str(refused.value)
