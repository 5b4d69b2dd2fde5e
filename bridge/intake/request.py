"""One request as intake reads it off WSGI. It may not judge its content: only method, media type and framing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bridge.errors import MethodNotAllowed, UnsupportedMedia
from bridge.intake.body import RequestBody

_PLAIN_JSON = frozenset({"application/json", "application/json; charset=utf-8", "application/json;charset=utf-8"})
#: `application/json` and what is JSON by its suffix (RFC 6839), in no other encoding than UTF-8.
_JSON = re.compile(
    r"application/(?:[a-z0-9!#$&^_.+-]+\+)?json"
    r"[ \t]*(?:;(?:[ \t]*charset=(?:utf-8|\"utf-8\")[ \t]*|(?![ \t]*charset)[^;]*))*",
    re.IGNORECASE,
)


class Request:
    """A view of a WSGI environment; its `get_all` is what verification reads headers by."""

    def __init__(self, environ: Mapping[str, Any], *, max_body_bytes: int) -> None:
        self.environ = environ
        self.body = RequestBody(environ, limit=max_body_bytes)
        #: The raw body once its sender is verified; only such a body may be kept.
        self.verified_body: bytes | None = None

    def get_all(self, name: str) -> Sequence[str]:
        """The field `name`: WSGI servers join repeated fields with a comma, so there is one value or none."""
        value: str | None = self.environ.get("HTTP_" + name.upper().replace("-", "_"))
        return () if value is None else (value,)

    def check_method(self) -> None:
        """Raise MethodNotAllowed unless this is a POST."""
        if self.environ["REQUEST_METHOD"] != "POST":
            raise MethodNotAllowed("Send webhooks by POST.", cause="method")

    def check_media(self) -> None:
        """Raise UnsupportedMedia unless the body is declared to be JSON as it stands."""
        media_type: str = self.environ.get("CONTENT_TYPE") or ""
        if media_type not in _PLAIN_JSON and not _JSON.fullmatch(media_type.strip()):
            raise UnsupportedMedia("Send Content-Type: application/json, in UTF-8.", cause="content-type")
        if self.environ.get("HTTP_CONTENT_ENCODING"):
            raise UnsupportedMedia("Send the body without a Content-Encoding.", cause="content-encoding")
