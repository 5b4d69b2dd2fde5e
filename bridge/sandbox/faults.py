"""Faults on demand: which requests they hit, and how often still. It may not carry them out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from threading import Lock

from bridge.sandbox.ids import Ids
from bridge.sandbox.reading import Fields
from bridge.sandbox.refusals import not_found
from bridge.sandbox.work import Fate

MOST_SECONDS = 120
_METHODS = ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")


class FaultKind(StrEnum):
    """What a fault does to a request that it hits."""

    STATUS = "status"  #: answers at once, with `status`, `headers`, `body`
    LATENCY = "latency"  #: waits `seconds` first, then goes on; adds to another fault
    DROP = "drop"  #: hangs up before anything is done
    DROP_AFTER_APPLY = "drop_after_apply"  #: does it, and hangs up in place of the answer
    REVOKE_TOKEN = "revoke_token"  # noqa: S105 (a kind, not a token); ends the token that the request came with
    DUPLICATE_WEBHOOK = "duplicate_webhook"  #: a change by this request is announced twice
    OUTCOME = "outcome"  #: a merge or purge, submitted or polled, takes the end `outcome`


OUTCOMES = ("failed", "cancelled", "conflict")


@dataclass(kw_only=True)
class Fault:
    id: str
    kind: FaultKind
    #: A glob over the path; `*` also matches slashes.
    path: str
    #: None: every method.
    method: str | None
    #: Hits that are left; None: until it is taken away.
    left: int | None
    hits: int = 0
    seconds: float = 0.0
    status: int = 500
    headers: dict[str, str] = field(default_factory=dict)
    #: A string is sent as it is, anything else as JSON; None: the platform's error body.
    body: object = None
    outcome: str = "failed"
    reason: str = "asked for in the sandbox"

    @property
    def fate(self) -> Fate:
        return Fate(outcome=self.outcome, reason=self.reason)

    def matches(self, method: str, path: str) -> bool:
        return self.method in (None, method) and fnmatchcase(path, self.path)

    def as_json(self) -> dict[str, object]:
        shown: dict[str, object] = {
            "id": self.id,
            "kind": self.kind.value,
            "path": self.path,
            "method": self.method,
            "left": self.left,
            "hits": self.hits,
        }
        match self.kind:
            case FaultKind.LATENCY:
                shown["seconds"] = self.seconds
            case FaultKind.STATUS:
                shown |= {"status": self.status, "headers": self.headers, "body": self.body}
            case FaultKind.OUTCOME:
                shown |= {"outcome": self.outcome, "reason": self.reason}
        return shown


class Faults:
    """The faults in the order in which they were asked for."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._lock = Lock()
        self._faults: list[Fault] = []

    def add(self, body: Mapping[str, object]) -> dict[str, object]:
        """The fault as it stands now. Raises `Refused` (400) naming every violation."""
        fault = _read(body, self._ids.new("fault"))
        with self._lock:
            self._faults.append(fault)
            return fault.as_json()

    def claim(self, method: str, path: str) -> list[Fault]:
        """What hits this request: every latency, and the first fault of another kind. Each counts one hit."""
        hit: list[Fault] = []
        with self._lock:
            for fault in list(self._faults):
                if fault.kind is FaultKind.DUPLICATE_WEBHOOK or not fault.matches(method, path):
                    continue
                if fault.kind is FaultKind.LATENCY or all(one.kind is FaultKind.LATENCY for one in hit):
                    self._use(fault)
                    hit.append(fault)
        return hit

    def claim_duplicate(self, method: str, path: str) -> bool:
        """Whether the webhook of a change that this request made goes out twice; counts one hit."""
        with self._lock:
            for fault in self._faults:
                if fault.kind is FaultKind.DUPLICATE_WEBHOOK and fault.matches(method, path):
                    self._use(fault)
                    return True
        return False

    def remove(self, fault_id: str) -> None:
        """Raises `Refused` (404)."""
        with self._lock:
            kept = [fault for fault in self._faults if fault.id != fault_id]
            if len(kept) == len(self._faults):
                raise not_found("fault", fault_id)
            self._faults = kept

    def clear(self) -> None:
        with self._lock:
            self._faults.clear()

    def as_state(self) -> list[dict[str, object]]:
        with self._lock:
            return [fault.as_json() for fault in self._faults]

    def _use(self, fault: Fault) -> None:
        fault.hits += 1
        if fault.left is not None:
            fault.left -= 1
            if fault.left == 0:
                self._faults.remove(fault)


def _read(body: Mapping[str, object], fault_id: str) -> Fault:
    fields = Fields(body)
    fields.only(("path", "method", "kind", "status", "headers", "body", "seconds", "times", "outcome", "reason"))
    kind = fields.text("kind", among=[kind.value for kind in FaultKind])
    headers = fields.mapping("headers", required=False)
    if not all(_is_header(name, value) for name, value in headers.items()):
        fields.refuse("headers", "invalid", "names and values are strings of printable ASCII")
    fault = Fault(
        id=fault_id,
        kind=FaultKind(kind or FaultKind.STATUS),
        path=fields.text("path", most=1000),
        method=fields.text("method", among=_METHODS) if fields.has("method") else None,
        # `"times": null` says: until it is taken away; left out, it says once.
        left=None if "times" in body and body["times"] is None else fields.integer("times", least=1, default=1),
        seconds=fields.number("seconds", least=0, most=MOST_SECONDS, default=0),
        status=fields.integer("status", least=200, most=599, default=500),
        headers={name: str(value) for name, value in headers.items()},
        body=body.get("body"),
    )
    if fields.has("outcome"):
        fault.outcome = fields.text("outcome", among=OUTCOMES)
    if fields.has("reason"):
        fault.reason = fields.text("reason")
    fields.check()
    return fault


def _is_header(name: str, value: object) -> bool:
    return isinstance(value, str) and bool(name) and all(" " <= sign <= "~" for sign in name + value)
