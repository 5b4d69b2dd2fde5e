"""What ties a request to the rest of its journey. What a sender says is only taken where it is harmless."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bridge.clock import new_id

_CORRELATION_ID = re.compile(r"[A-Za-z0-9._:/=+-]{1,128}")
#: Source: https://www.w3.org/TR/trace-context/#traceparent-header
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def traceparent(environ: Mapping[str, Any]) -> str | None:
    """The W3C trace context of the request, where it is well formed."""
    given = environ.get("HTTP_TRACEPARENT")
    return given if given and _TRACEPARENT.fullmatch(given) else None


def correlation_id(environ: Mapping[str, Any]) -> str:
    """The sender's id of this exchange, else its trace id, else a fresh one; at most 128 safe characters."""
    for header in ("HTTP_X_CORRELATION_ID", "HTTP_ININ_CORRELATION_ID"):
        given = environ.get(header)
        if given and _CORRELATION_ID.fullmatch(given):
            return str(given)
    trace = traceparent(environ)
    return trace[3:35] if trace is not None else new_id()
