"""HTTP/1.1 as bytes: a request out, an answer in. It may not open a connection or judge an answer.

Not `http.client`: that takes a head that breaks off for a whole one, knows of the interim answers only 100, reads up
to 6.5 MB of headers, says nothing of bytes that are left over, and takes five times as long to read an answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from requests import PreparedRequest
from requests.exceptions import InvalidHeader, InvalidSchema, InvalidURL

from bridge.destinations.trouble import BrokenAnswer, ConnectionLost, NothingAnswered

#: Of one answer no more than this is read, its head and framing included.
ANSWER_LIMIT = 64 * 1024
#: Asked for at once: an ordinary answer comes in one.
_PIECE = 16 * 1024
#: What the connection decides, whatever the request says.
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "expect"})
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.(\d) (\d{3})(?: ([^\r\n]*))?")
_FOLD = re.compile(rb"\r?\n[ \t]+")

#: Gives at most so many of the bytes that come next, b"" at the end of the connection.
Receive = Callable[[int], bytes]


@dataclass(frozen=True)
class Target:
    """Where a request goes. `authority` is the Host header, `path` the path with its query."""

    scheme: str
    host: str
    port: int
    authority: str
    path: str


@lru_cache(maxsize=256)
def target_of(url: str) -> Target:
    """`url` (http or https, already encoded) taken apart. Raises InvalidSchema or InvalidURL of requests."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidURL("the url has a host or a port that is none") from None
    if parts.scheme not in ("http", "https"):
        raise InvalidSchema("the url does not begin with https:// or http://")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not parts.hostname or not path.isascii() or not path.isprintable() or " " in path:
        raise InvalidURL("the url has no host, or characters that must be percent-encoded")
    return Target(
        scheme=parts.scheme,
        host=parts.hostname,
        port=port or (443 if parts.scheme == "https" else 80),
        authority=parts.netloc.rpartition("@")[2],
        path=path,
    )


def request_bytes(request: PreparedRequest, target: Target, *, uri: str, extra: str = "") -> bytes:
    """Head and body in one piece, so that they leave in one segment. `uri` is the request-target.

    Raises InvalidHeader where a header would break out of its line.
    """
    body = request.body or b""
    if isinstance(body, str):
        body = body.encode()
    if not isinstance(body, bytes):
        raise TypeError("the body must be bytes: a stream cannot be sent again")
    lines = [f"{request.method} {uri} HTTP/1.1", f"Host: {target.authority}"]
    for name, text in request.headers.items():
        if name.lower() not in _OURS:
            lines.append(f"{name}: {text if isinstance(text, str) else text.decode('latin-1')}")
    lines.append(f"Accept-Encoding: identity\r\nContent-Length: {len(body)}\r\n{extra}\r\n")
    head = "\r\n".join(lines)
    breaks = len(lines) + 2 + extra.count("\r\n")
    if head.count("\n") != breaks or head.count("\r") != breaks or "\0" in head:
        raise InvalidHeader("a header holds a line break or NUL")
    try:
        return head.encode("latin-1") + body
    except UnicodeEncodeError:
        raise InvalidHeader("a header holds characters outside Latin-1") from None


@dataclass(frozen=True)
class WireAnswer:
    status: int
    #: Names in lower case; repeated ones joined with ", ".
    headers: dict[str, str]
    #: As sent: never decompressed; cut where the answer was over ANSWER_LIMIT.
    body: bytes
    #: True where the connection may carry another request.
    reusable: bool


def read_answer(receive: Receive, method: str) -> WireAnswer:
    """The final answer to one request; interim ones (1xx) are skipped.

    Raises NothingAnswered, ConnectionLost (it broke off), BrokenAnswer, and whatever `receive` raises.
    """
    return _AnswerReader(receive).read(method)


class _LimitReached(Exception):
    """ANSWER_LIMIT bytes were read and there are more."""


class _AnswerReader:
    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._budget = ANSWER_LIMIT
        self._buffer = bytearray()
        self._body = bytearray()

    def read(self, method: str) -> WireAnswer:
        try:
            minor, status, headers = self._head()
            while 100 <= status < 200 and status != 101:  # RFC 9110, section 15.2
                minor, status, headers = self._head()
        except _LimitReached:
            raise BrokenAnswer("the answer's headers are over 64 KiB") from None
        try:
            framed = self._read_body(method, status, headers)
        except _LimitReached:
            framed = False
        closing = "close" in headers.get("connection", "").lower() or minor == 0 or status == 101
        return WireAnswer(status, headers, bytes(self._body), framed and not closing and not self._buffer)

    def _head(self) -> tuple[int, int, dict[str, str]]:
        searched = 0
        while (end := _HEAD_END.search(self._buffer, max(0, searched - 3))) is None:
            searched = len(self._buffer)
            self._more()
        head = bytes(self._buffer[: end.start()])
        del self._buffer[: end.end()]
        lines = _FOLD.sub(b" ", head).split(b"\n")
        start = _STATUS_LINE.fullmatch(lines[0].rstrip(b"\r"))
        if start is None:
            raise BrokenAnswer("the answer is not HTTP/1.1")
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, colon, text = line.decode("latin-1").partition(":")
            if not colon:
                raise BrokenAnswer("the answer has a header line without a colon")
            name, text = name.strip().lower(), text.strip()
            headers[name] = f"{headers[name]}, {text}" if name in headers else text
        return int(start[1]), int(start[2]), headers

    def _read_body(self, method: str, status: int, headers: dict[str, str]) -> bool:
        """Read the body (RFC 9112, section 6.3); True where its end was told by its framing."""
        if method == "HEAD" or status in (101, 204, 304) or (method == "CONNECT" and 200 <= status < 300):
            return True
        coding = headers.get("transfer-encoding")
        length = headers.get("content-length")
        if coding is not None and coding.lower().rpartition(",")[2].strip() == "chunked":
            self._read_chunks()
            return length is None  # both: somebody on the way may see other borders than we do
        if coding is None and length is not None:
            self._read_exactly(_length(length))
            return True
        try:
            while self._receive_some():
                pass
        finally:
            self._take(len(self._buffer))
        return False

    def _read_chunks(self) -> None:
        while size := self._chunk_size():
            self._read_exactly(size)
            if self._line():
                raise BrokenAnswer("the answer has a chunk that is longer than it says")
        while self._line():
            pass  # trailers

    def _chunk_size(self) -> int:
        digits = self._line().partition(b";")[0].strip()
        if re.fullmatch(rb"[0-9a-fA-F]{1,16}", digits) is None:
            raise BrokenAnswer("the answer has a chunk without a size")
        return int(digits, 16)

    def _line(self) -> bytes:
        while (end := self._buffer.find(b"\n")) < 0:
            self._more()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        return line.rstrip(b"\r")

    def _read_exactly(self, size: int) -> None:
        try:
            while len(self._buffer) < size:
                self._more()
        finally:
            self._take(size)

    def _take(self, size: int) -> None:
        """Move up to `size` bytes from the buffer to the body."""
        self._body += self._buffer[:size]
        del self._buffer[:size]

    def _more(self) -> None:
        if not self._receive_some():
            if self._budget == ANSWER_LIMIT:
                raise NothingAnswered("the connection was closed without an answer")
            raise ConnectionLost("the connection was closed in the middle of the answer")

    def _receive_some(self) -> bool:
        """Add what comes next to the buffer; False at the end. Raises _LimitReached."""
        if self._budget <= 0:
            raise _LimitReached
        received = self._receive(min(self._budget, _PIECE))
        self._budget -= len(received)
        self._buffer += received
        return bool(received)


def _length(text: str) -> int:
    lengths = {part.strip() for part in text.split(",")}
    if len(lengths) != 1 or re.fullmatch(r"[0-9]{1,18}", length := lengths.pop()) is None:
        raise BrokenAnswer("the answer's Content-Length is not a number")
    return int(length)
