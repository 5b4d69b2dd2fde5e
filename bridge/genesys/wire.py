"""What goes to Genesys and what comes back, as values. It may not send anything or judge an answer."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

#: How much of an answer is kept on an error or an attempt.
EXCERPT_CHARACTERS = 4096

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request as a profile describes it, without who asks and with which token."""

    method: str
    #: Path under the API's URL, every id in it percent-encoded.
    path: str
    #: The path with placeholders: names the endpoint to the pace, never a subject.
    endpoint: str
    query: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    #: JSON; None: no body.
    body: Mapping[str, object] | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    #: Seconds for the whole answer.
    timeout: float = 10.0

    @property
    def writes(self) -> bool:
        return self.method != "GET"


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer, read whole. Its repr shows no content: that may be personal."""

    status: int
    #: Names in lower case.
    headers: Mapping[str, str] = field(repr=False)
    #: What the body says as JSON; None where it is empty or not JSON.
    body: object = field(repr=False)
    #: The beginning of the body as text, *not masked*: mask it before it is stored or shown.
    excerpt: str = field(repr=False)
    #: Genesys's names for the request: `ININ-Correlation-Id` and the body's `contextId`.
    correlation_id: str | None = None
    context_id: str | None = None

    @property
    def fields(self) -> Mapping[str, object]:
        """The body where it is a JSON object, else nothing."""
        return self.body if isinstance(self.body, dict) else {}


class Tally:
    """What one step counts while it runs; several threads may count at once."""

    def __init__(self, *, retries: int = 0, conflicts: int = 0, operation: str = "") -> None:
        self._lock = threading.Lock()
        #: What the requests are made for, as observers are told; never a subject.
        self.operation = operation
        #: Calls repeated within a try (a renewed token, a refused connection).
        self.retries = retries
        #: Version conflicts met, over all steps of the command.
        self.conflicts = conflicts
        #: The newest answer of Genesys in this step.
        self.answer: Answer | None = None

    def repeated(self) -> None:
        with self._lock:
            self.retries += 1

    def conflicted(self) -> None:
        with self._lock:
            self.conflicts += 1
