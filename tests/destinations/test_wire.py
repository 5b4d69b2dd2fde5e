from __future__ import annotations

import contextlib
import http.client
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.exceptions import InvalidHeader, InvalidSchema, InvalidURL

from bridge.destinations.trouble import BrokenAnswer, ConnectionLost, NothingAnswered
from bridge.destinations.wire import ANSWER_LIMIT, WireAnswer, read_answer, request_bytes, target_of
from tests.destinations.ways import prepared


def read(raw: bytes, *, method: str = "POST", piece: int = 1 << 20) -> WireAnswer:
    """What is read of a connection that says `raw`, `piece` bytes at a time, and closes."""
    stream = io.BytesIO(raw)
    return read_answer(lambda limit: stream.read(min(limit, piece)), method)


@pytest.mark.parametrize("piece", [1, 2, 3, 7, 1 << 20])
def test_an_answer_is_the_same_however_it_is_cut(piece: int) -> None:
    plain = read(b"HTTP/1.1 200 OK\r\nX-A: 1\r\nContent-Length: 5\r\nx-a:  2 \r\n\r\nhello", piece=piece)
    assert plain == WireAnswer(200, {"x-a": "1, 2", "content-length": "5"}, b"hello", True)
    chunked = read(
        b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n"
        b"A\r\n, 6789abcd\r\n0\r\nT: 1\r\n\r\n",
        piece=piece,
    )
    assert (chunked.status, chunked.body, chunked.reusable) == (503, b"hello, 6789abcd", True)


@pytest.mark.parametrize("piece", [1, 1 << 20])
def test_interim_answers_are_skipped(piece: int) -> None:
    answer = read(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
        b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
        piece=piece,
    )
    assert (answer.status, answer.headers, answer.reusable) == (201, {"content-length": "0"}, True)


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nConnection: Keep-Alive, Close\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokand more",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 2\nConnection: close\n\nok",
        b"HTTP/1.1 200\r\nTransfer-Encoding: gzip\r\n\r\nok",
    ],
)
def test_a_connection_whose_state_is_not_sure_is_not_used_again(raw: bytes) -> None:
    answer = read(raw)
    assert (answer.status, answer.body, answer.reusable) == (200, b"ok", False)


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_ends_with_its_head(status: int) -> None:
    assert read(f"HTTP/1.1 {status} X\r\nContent-Length: 9\r\n\r\n".encode()).reusable
    assert read(b"HTTP/1.1 200 X\r\nContent-Length: 9\r\n\r\n", method="HEAD").reusable


def test_a_switch_to_another_protocol_ends_the_connection() -> None:
    assert read(b"HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\n\r\n") == WireAnswer(101, {"upgrade": "h2c"}, b"", False)


def test_a_folded_header_is_one_header() -> None:
    assert read(b"HTTP/1.1 204 X\r\nA: b\r\n  c\r\n\td\r\nE: f\r\n\r\n").headers == {"a": "b c d", "e": "f"}


@pytest.mark.parametrize(
    "raw",
    [
        b"H",
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
def test_an_answer_that_breaks_off_is_none(raw: bytes) -> None:
    with pytest.raises(ConnectionLost, match="in the middle") as lost:
        read(raw)
    assert not isinstance(lost.value, NothingAnswered)


def test_no_byte_at_all_is_told_apart() -> None:
    with pytest.raises(NothingAnswered):
        read(b"")


@pytest.mark.parametrize(
    "raw",
    [
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 20x OK\r\n\r\n",
        b"HTTP/1.1 \xb2\xb0\xb0 OK\r\n\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2_0\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 20_000 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nA: " + b"b" * ANSWER_LIMIT,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 5_000,
    ],
)
def test_what_is_no_answer_is_called_broken(raw: bytes) -> None:
    with pytest.raises(BrokenAnswer):
        read(raw)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
    ],
)
def test_of_an_endless_answer_64_kib_are_read_and_its_status_counts(head: bytes) -> None:
    taken = 0

    def endless(limit: int) -> bytes:
        nonlocal taken
        piece = head if not taken else b"x" * limit
        taken += len(piece)
        return piece

    answer = read_answer(endless, "POST")
    assert (answer.status, answer.reusable, taken) == (200, False, ANSWER_LIMIT)
    assert answer.body == b"x" * (ANSWER_LIMIT - len(head))


def _chunked(pieces: list[bytes]) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces if piece) + b"0\r\n\r\n"


@st.composite
def _answers(draw: st.DrawFn) -> bytes:
    token = st.text("abcdefXYZ-", min_size=1, max_size=8)
    text = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
    lines = [f"X-{name}: {value}".encode() for name, value in draw(st.lists(st.tuples(token, text), max_size=5))]
    body = draw(st.binary(max_size=300))
    framing = draw(st.sampled_from(["length", "chunked", "close"]))
    if framing == "length":
        lines.append(b"Content-Length: %d" % len(body))
    if framing == "chunked":
        lines.append(b"Transfer-Encoding: chunked")
        cut = draw(st.integers(0, len(body)))
        body = _chunked([body[:cut], body[cut:]])
    status = draw(st.sampled_from([200, 201, 301, 404, 429, 500, 599]))
    return b"\r\n".join([b"HTTP/1.1 %d Phrase" % status, *lines, b"", b""]) + body


class _Raw:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, mode: str) -> io.BytesIO:
        return io.BytesIO(self._raw)


@given(_answers(), st.integers(1, 400))
def test_the_standard_library_reads_the_same(raw: bytes, piece: int) -> None:
    theirs = http.client.HTTPResponse(_Raw(raw), method="POST")  # type: ignore[arg-type]
    theirs.begin()
    ours = read(raw, piece=piece)
    assert (ours.status, ours.body) == (theirs.status, theirs.read())
    assert ours.headers == {name.lower(): ", ".join(theirs.headers.get_all(name, [])) for name in theirs.headers}


@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_make_it_fail_in_another_way(raw: bytes, begins_well: bool) -> None:
    with contextlib.suppress(BrokenAnswer, ConnectionLost):
        read((b"HTTP/1.1 200 OK\r\n" if begins_well else b"") + raw)


def sent(headers: dict[str, str], url: str = "https://erp.example.com/a") -> bytes:
    request = prepared(url, b"{}", headers)
    target = target_of(url)
    return request_bytes(request, target, uri=target.path)


def test_a_request_is_one_piece_with_what_the_connection_decides() -> None:
    request = prepared(
        "https://erp.example.com:8443/a?b=c",
        b"body",
        {"X-A": "1", "Accept-Encoding": "gzip", "Connection": "close", "Content-Length": "99", "Host": "evil"},
    )
    target = target_of(request.url or "")
    assert request_bytes(request, target, uri=target.path) == (
        b"POST /a?b=c HTTP/1.1\r\nHost: erp.example.com:8443\r\nX-A: 1\r\n"
        b"Accept-Encoding: identity\r\nContent-Length: 4\r\n\r\nbody"
    )


@pytest.mark.parametrize("text", ["a\r\nX-Evil: 1", "a\nb", "a\rb", "a\0b", "ключ"])
def test_a_header_cannot_break_out_of_its_line(text: str) -> None:
    with pytest.raises(InvalidHeader) as refused:
        sent({"X-A": text})
    assert text not in str(refused.value)


def test_a_stream_is_no_body() -> None:
    request = prepared("https://erp.example.com/")
    request.body = io.BytesIO(b"x")  # type: ignore[assignment]
    with pytest.raises(TypeError):
        request_bytes(request, target_of("https://erp.example.com/"), uri="/")


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("ftp://erp.example.com/", InvalidSchema),
        ("file:///etc/passwd", InvalidSchema),
        ("https://", InvalidURL),
        ("https://erp.example.com:port/", InvalidURL),
        ("https://[::1/", InvalidURL),
        ("https://erp.example.com/a b", InvalidURL),
        ("https://erp.example.com/ä", InvalidURL),
    ],
)
def test_a_url_that_cannot_be_sent_to_is_refused(url: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        target_of(url)


def test_a_url_is_taken_apart() -> None:
    target = target_of("https://user:secret@[2001:db8::1]:444?x=1")
    assert (target.host, target.port, target.authority, target.path) == (
        "2001:db8::1",
        444,
        "[2001:db8::1]:444",
        "/?x=1",
    )
    assert target_of("http://erp.example.com").port == 80
    assert target_of("https://erp.example.com").port == 443
