"""The errors of the Genesys client: one class per reaction. It may not know HTTP libraries.

    GenesysError                       reaction
    ├── AuthenticationFailed           mend the credentials
    ├── Forbidden                      grant the client what `missing` names
    ├── NotFound                       correct the id
    ├── VersionConflict                read again and decide: somebody else was faster; both versions are in it
    ├── Invalid                        correct the fields that `errors` names
    ├── RateLimited                    send it again after `retry_after`
    ├── Unavailable                    send it again later
    ├── OperationFailed                look: Genesys took it and it ended badly; `result` and `facts` tell how
    └── Unsupported                    use the `alternative`

No message holds a value that was sent, a secret or personal data; `answer.excerpt` may, and is not part of any message.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import ClassVar

from bridge.errors import BridgeError, FieldError
from bridge.genesys.steps import Fact, Measures, Progress
from bridge.genesys.wire import Answer


class GenesysError(BridgeError):
    """Anything that the client raises on purpose, except for a wrong configuration."""

    #: True where the same request may succeed later without anybody doing anything.
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, answer: Answer | None = None, code: str | None = None) -> None:
        super().__init__(message)
        #: What Genesys answered; None where nothing was answered, or nothing was sent.
        self.answer = answer
        #: Genesys's stable word for the cause, where it gave one.
        self.code = code
        #: True where our own pace or breaker held the step back: nothing was changed, no failed try.
        self.deferred = False
        #: What the next try of the step must know; None: what was stored before.
        self.progress: Progress | None = None
        self.measures = Measures()

    @property
    def status(self) -> int | None:
        return self.answer.status if self.answer else None

    @property
    def correlation_id(self) -> str | None:
        return self.answer.correlation_id if self.answer else None

    @property
    def context_id(self) -> str | None:
        return self.answer.context_id if self.answer else None


class AuthenticationFailed(GenesysError):
    """Genesys does not accept the client's credentials, or the token even after a renewal."""


class Forbidden(GenesysError):
    """The client may not do this. `missing` names the permissions or scopes, where Genesys says which."""

    def __init__(
        self,
        message: str,
        *,
        missing: Iterable[str] = (),
        answer: Answer | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message, answer=answer, code=code)
        self.missing = tuple(missing)


class NotFound(GenesysError):
    """Genesys does not know the thing, or not any more."""


class VersionConflict(GenesysError):
    """The thing has another version than the one that was stated."""

    def __init__(
        self,
        message: str,
        *,
        current_version: int | None = None,
        sent_version: int | None = None,
        fields: Iterable[str] = (),
        answer: Answer | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message, answer=answer, code=code)
        #: None where Genesys does not say.
        self.current_version = current_version
        self.sent_version = sent_version
        #: The fields that somebody else changed too, where that is what stands in the way.
        self.fields = tuple(fields)


class Invalid(GenesysError):
    """The command breaks rules: all of them are in `errors`. Found by us (`answer` is None) or by Genesys."""

    def __init__(self, errors: Iterable[FieldError], *, answer: Answer | None = None, code: str | None = None) -> None:
        self.errors = tuple(errors)
        said = "; ".join(f"{wrong.field or 'command'}: {wrong.message}" for wrong in self.errors)
        super().__init__(said, answer=answer, code=code)


class RateLimited(GenesysError):
    """Too many calls, said by Genesys or, with `deferred`, by our own pace before anything was sent."""

    retryable = True

    def __init__(
        self,
        message: str,
        *,
        retry_after: timedelta | None = None,
        deferred: bool = False,
        answer: Answer | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message, answer=answer, code=code)
        #: Between 0 and 1 h; None where Genesys does not say.
        self.retry_after = retry_after
        self.deferred = deferred


class Unavailable(GenesysError):
    """No usable answer: 408, 425, 5xx, a timeout, a lost connection, an answer outside the contract, an open breaker
    (`deferred`). Unless `sent` is False the request may have been carried out all the same."""

    retryable = True

    def __init__(
        self,
        message: str,
        *,
        retry_after: timedelta | None = None,
        sent: bool = True,
        deferred: bool = False,
        answer: Answer | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(message, answer=answer, code=code)
        self.retry_after = retry_after
        #: False where it is certain that nothing reached the other side.
        self.sent = sent and not deferred
        self.deferred = deferred


class OperationFailed(GenesysError):
    """Genesys accepted the operation, and it failed, was cancelled, or was not confirmed in time."""

    def __init__(
        self,
        message: str,
        *,
        result: Mapping[str, object],
        facts: Iterable[Fact] = (),
        answer: Answer | None = None,
    ) -> None:
        super().__init__(message, answer=answer)
        #: JSON values: what the asker is told.
        self.result = result
        self.facts = tuple(facts)


class Unsupported(GenesysError):
    """The API profile has no such operation."""

    def __init__(self, message: str, *, alternative: str) -> None:
        super().__init__(f"{message}; {alternative}")
        self.alternative = alternative
