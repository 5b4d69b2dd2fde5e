"""The raw body of a request, whole or not at all. It may not decode it.

Flask and Werkzeug cut an over-long chunked body and accept one that is shorter than it says; lengths are checked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gunicorn.http.errors import ParseException

from bridge.errors import Malformed, TooLarge

_PIECE = 64 * 1024
_MAX_LENGTH_DIGITS = 19


class RequestBody:
    """Reads `wsgi.input` once, counting."""

    def __init__(self, environ: Mapping[str, Any], *, limit: int) -> None:
        self._environ = environ
        self._limit = limit
        #: Bytes read so far, also where reading failed.
        self.size = 0

    def read(self) -> bytes:
        """The whole body.

        Raises TooLarge over the limit, by its declaration or while it streams in; Malformed where the declaration is
        garbled or the body ends before it should.
        """
        chunked = bool(self._environ.get("HTTP_TRANSFER_ENCODING"))
        declared = self._declared_length()
        if declared is not None:
            if chunked:
                raise _bad("length-garbled", "says its length twice, by Content-Length and Transfer-Encoding")
            return self._read_exactly(declared)
        return self._read_stream() if chunked else b""

    def _declared_length(self) -> int | None:
        text: str = self._environ.get("CONTENT_LENGTH") or ""
        if not text:
            return None
        if not (text.isascii() and text.isdigit()):
            raise _bad("length-garbled", "declares a Content-Length that is not a number")
        if len(text) > _MAX_LENGTH_DIGITS or int(text) > self._limit:
            raise self._too_large()
        return int(text)

    def _read_exactly(self, length: int) -> bytes:
        body = self._read_up_to(length)
        if len(body) < length:
            raise _bad("body-cut", "is shorter than its Content-Length")
        return body

    def _read_stream(self) -> bytes:
        if not self._environ.get("wsgi.input_terminated"):
            raise _bad("length-missing", "has no Content-Length, and this server cannot tell where it ends")
        body = self._read_up_to(self._limit + 1)
        if len(body) > self._limit:
            raise self._too_large()
        return body

    def _read_up_to(self, most: int) -> bytes:
        stream = self._environ["wsgi.input"]
        pieces = []
        try:
            while self.size < most and (piece := stream.read(min(_PIECE, most - self.size))):
                pieces.append(piece)
                self.size += len(piece)
        except (OSError, ParseException):  # the connection broke; gunicorn found a broken chunk
            raise _bad("body-cut", "breaks off or is wrongly chunked") from None
        return b"".join(pieces)

    def _too_large(self) -> TooLarge:
        return TooLarge(f"The body is larger than {self._limit} bytes.", cause="too-large")


def _bad(cause: str, what: str) -> Malformed:
    return Malformed(f"The body {what}.", cause=cause)
