"""What an answer of the Genesys client means for a delivery: pure. It may not send, store or log.

What no later try can mend is left to the kind that asked: a command is refused, an export may wait for a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from bridge.genesys import AuthenticationFailed, Forbidden, GenesysError, RateLimited, Unavailable
from bridge.genesys.wire import Answer
from bridge.outbox.contract import Exchange, RetryLater, Waiting
from bridge.privacy.masking import Masking

#: Where the client holds a step back and does not say for how long.
HELD_BACK = timedelta(seconds=1)


def exchange_of(answer: Answer | None, masking: Masking) -> Exchange:
    """What an attempt shows of `answer`, masked."""
    if answer is None:
        return Exchange()
    excerpt = masking.excerpt(answer.excerpt.encode()) if answer.excerpt else None
    return Exchange(status=answer.status, answer_excerpt=excerpt)


def held_back(error: GenesysError, progress: Mapping[str, object]) -> Waiting | None:
    """For an error by which the client's own pace or breaker held the step back: nothing was sent, so no failed try."""
    if not error.deferred:
        return None
    return Waiting(progress=progress, wait=getattr(error, "retry_after", None) or HELD_BACK)


def tried_again(
    error: GenesysError, *, reason: str, exchange: Exchange, progress: Mapping[str, object] | None
) -> RetryLater | None:
    """For an error that a later try may mend: by itself, or (slowly) once a person has mended the credentials.

    `reason` is the error's own sentence, masked.
    """
    kind = type(error).__name__
    match error:
        case RateLimited(retry_after=after) | Unavailable(retry_after=after):
            return RetryLater(reason=reason, error_class=kind, exchange=exchange, retry_after=after, progress=progress)
        case AuthenticationFailed() | Forbidden():
            return RetryLater(reason=reason, error_class=kind, exchange=exchange, slow=True, progress=progress)
        case _:
            return None
