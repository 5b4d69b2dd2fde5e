"""The error tree: one class per reaction. It may not know HTTP libraries, tables or Genesys.

    BridgeError
    ├── ConfigurationError        the start is refused; says key, rule and way out
    ├── LeaseLost                 a later claim owns the lane (or the chore); the result is history, not state
    └── Refusal                   answered to the caller as application/problem+json (RFC 9457)
        ├── Malformed             400  the bytes are not what they say they are
        ├── Unauthenticated       401  who is asking is not proven
        ├── Forbidden             403  who is asking may not
        ├── NotFound              404  no such thing
        ├── MethodNotAllowed      405
        ├── Conflict              409  the state of the thing does not allow it
        ├── Gone                  410  it was erased
        ├── TooLarge              413
        ├── UnsupportedMedia      415
        ├── Invalid               422  fields are wrong: `errors` names each of them
        ├── TooManyRequests       429  says when to come back
        └── TemporarilyUnavailable 503 says when to come back; nothing was acknowledged

No message ever holds a rejected value, a secret or personal data.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


class BridgeError(Exception):
    """Anything that the bridge raises on purpose."""


@dataclass(frozen=True, kw_only=True)
class FieldError:
    """One violated rule. `field` is a dotted path (`record.id`), `rule` a stable word (`required`),
    `message` a sentence that names the way out and never the rejected value."""

    field: str
    rule: str
    message: str


class ConfigurationError(BridgeError):
    """The configuration does not check. `problems` holds one sentence per key that is wrong."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


class LeaseLost(BridgeError):
    """A write found that its lane, or its chore, was claimed again since."""


class Refusal(BridgeError):
    """A request that is refused; the one error handler of the app turns it into a problem body."""

    status: ClassVar[int]
    title: ClassVar[str]

    def __init__(
        self,
        detail: str,
        *,
        errors: Iterable[FieldError] = (),
        retry_after: int | None = None,
        cause: str = "",
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = tuple(errors)
        #: A stable word for counters and the list of rejections (`signature-missing`); "" where nobody counts.
        self.cause = cause
        #: Seconds after which the same request may succeed; sent as `Retry-After`.
        self.retry_after = retry_after


class Malformed(Refusal):
    status, title = 400, "Bad Request"


class Unauthenticated(Refusal):
    status, title = 401, "Unauthorized"


class Forbidden(Refusal):
    status, title = 403, "Forbidden"


class NotFound(Refusal):
    status, title = 404, "Not Found"


class MethodNotAllowed(Refusal):
    status, title = 405, "Method Not Allowed"


class Conflict(Refusal):
    status, title = 409, "Conflict"


class Gone(Refusal):
    status, title = 410, "Gone"


class TooLarge(Refusal):
    status, title = 413, "Content Too Large"


class UnsupportedMedia(Refusal):
    status, title = 415, "Unsupported Media Type"


class Invalid(Refusal):
    status, title = 422, "Unprocessable Content"


class TooManyRequests(Refusal):
    status, title = 429, "Too Many Requests"


class TemporarilyUnavailable(Refusal):
    status, title = 503, "Service Unavailable"
