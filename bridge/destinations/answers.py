"""What an answer, or none, means for a delivery: pure. It may not send, store or log.

The table is spec 5's "What an answer means", from top to bottom as `judge` reads it.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus

from bridge.destinations.trouble import Trouble
from bridge.outbox.contract import Delivered, Exchange, Outcome, Rejected, RetryLater

RETRY_AFTER_CAP = timedelta(hours=1)
_AGAIN = frozenset({408, 425, 429})
#: Somebody is mending a credential, a route or a lock.
_MENDING = frozenset({401, 403, 404, 409, 423})


def judge(
    exchange: Exchange,
    *,
    headers: Mapping[str, str],
    now: datetime,
    retry_on: Collection[int] = (),
    reject_on: Collection[int] = (),
) -> Outcome:
    """The outcome of a try that was answered with `exchange.status`.

    `headers` ignores the case of names. `retry_on` and `reject_on`, statuses of the destination's configuration, go
    before the table; a status in both is retried, so that nothing is given up by mistake.
    """
    status = exchange.status or 0
    reason = f"answered {named(status)}"
    again = RetryLater(
        reason=reason,
        error_class="status",
        exchange=exchange,
        retry_after=retry_after(headers.get("Retry-After"), now),
        slow=status in _MENDING,
    )
    if status in retry_on:
        return again
    if status in reject_on:
        return Rejected(reason=reason, error_class="status", exchange=exchange)
    if 200 <= status < 300:
        return Delivered(exchange=exchange)
    if 300 <= status < 400:
        return RetryLater(
            reason=f"{reason}: redirects are not followed",
            error_class="redirect",
            exchange=exchange,
            retry_after=again.retry_after,
        )
    if 400 <= status < 500 and status not in _AGAIN | _MENDING:
        return Rejected(reason=reason, error_class="status", exchange=exchange, pause=status == 410)
    return again


def judge_trouble(trouble: Trouble, exchange: Exchange) -> RetryLater:
    """The outcome of a try that got no whole answer."""
    return RetryLater(reason=str(trouble), error_class=trouble.word, exchange=exchange, slow=trouble.needs_a_person)


def retry_after(text: str | None, now: datetime) -> timedelta | None:
    """How long a Retry-After header asks to wait, at most an hour; None where it says nothing sane.

    Source: https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3 (ASCII digits, or an HTTP date).
    """
    if text is None:
        return None
    if re.fullmatch(r"[0-9]{1,9}", text):
        wait = timedelta(seconds=int(text))
    else:
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        wait = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now
    return min(wait, RETRY_AFTER_CAP) if wait > timedelta() else None


def named(status: int) -> str:
    """`503 Service Unavailable`: the phrase is the standard's, never what the receiver wrote."""
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
