from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from requests.structures import CaseInsensitiveDict

from bridge.destinations import trouble
from bridge.destinations.answers import judge, judge_trouble, retry_after
from bridge.outbox.contract import Delivered, Exchange, Outcome, Rejected, RetryLater

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def judged(status: int, headers: dict[str, str] | None = None, **overrides: tuple[int, ...]) -> Outcome:
    return judge(Exchange(status=status), headers=CaseInsensitiveDict(headers or {}), now=NOW, **overrides)


@pytest.mark.parametrize("status", [200, 201, 202, 203, 204, 206, 226, 299])
def test_2xx_is_delivered(status: int) -> None:
    assert judged(status) == Delivered(exchange=Exchange(status=status))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 501, 502, 503, 504, 507, 599])
def test_what_passes_is_retried(status: int) -> None:
    outcome = judged(status)
    assert isinstance(outcome, RetryLater)
    assert (outcome.error_class, outcome.slow, outcome.retry_after) == ("status", False, None)
    assert outcome.reason.startswith(f"answered {status}")


@pytest.mark.parametrize("status", [401, 403, 404, 409, 423])
def test_what_a_person_has_to_mend_is_retried_more_slowly(status: int) -> None:
    outcome = judged(status)
    assert isinstance(outcome, RetryLater)
    assert outcome.slow


def test_gone_is_rejected_and_pauses_the_destination() -> None:
    assert judged(410) == Rejected(
        reason="answered 410 Gone", error_class="status", exchange=Exchange(status=410), pause=True
    )


@pytest.mark.parametrize("status", [400, 402, 405, 406, 411, 412, 413, 414, 415, 417, 422, 426, 428, 431, 451, 499])
def test_other_4xx_are_rejected_without_a_pause(status: int) -> None:
    outcome = judged(status)
    assert isinstance(outcome, Rejected)
    assert not outcome.pause


@pytest.mark.parametrize("status", [300, 301, 302, 303, 304, 307, 308])
def test_3xx_is_retried_and_says_that_redirects_are_not_followed(status: int) -> None:
    outcome = judged(status, {"Location": "http://169.254.169.254/"})
    assert isinstance(outcome, RetryLater)
    assert outcome.reason.endswith("redirects are not followed")
    assert "169.254" not in outcome.reason
    assert outcome.error_class == "redirect"


@pytest.mark.parametrize("status", [101, 600, 999])
def test_a_status_that_nobody_knows_is_retried(status: int) -> None:
    assert isinstance(judged(status), RetryLater)


def test_a_destination_may_know_better() -> None:
    assert isinstance(judged(400, retry_on=(400,)), RetryLater)
    assert isinstance(judged(503, reject_on=(503,)), Rejected)
    assert isinstance(judged(410, retry_on=(410,)), RetryLater)
    gone = judged(410, reject_on=(410,))
    assert isinstance(gone, Rejected)
    assert not gone.pause  # said so of this event, not of the destination
    assert isinstance(judged(409, retry_on=(409,), reject_on=(409,)), RetryLater)
    slow = judged(404, retry_on=(404,))
    assert isinstance(slow, RetryLater)
    assert slow.slow


@pytest.mark.parametrize("status", [301, 408, 425, 429, 500, 503, 401, 404])
def test_whoever_says_when_to_come_back_is_heard(status: int) -> None:
    for name in ("Retry-After", "retry-after"):
        outcome = judged(status, {name: "7"})
        assert isinstance(outcome, RetryLater)
        assert outcome.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("1", timedelta(seconds=1)),
        ("3600", HOUR),
        ("3601", HOUR),
        ("999999999", HOUR),
        ("Fri, 01 May 2026 12:00:30 GMT", timedelta(seconds=30)),
        ("Fri May  1 12:00:30 2026", timedelta(seconds=30)),
        ("Friday, 01-May-26 12:00:30 GMT", timedelta(seconds=30)),
        ("Fri, 01 May 2026 14:00:30 +0200", timedelta(seconds=30)),
        ("Sat, 02 May 2026 12:00:00 GMT", HOUR),
        ("Fri, 31 Dec 9999 23:59:59 GMT", HOUR),
    ],
)
def test_retry_after_is_seconds_or_a_date_and_an_hour_at_most(text: str, wait: timedelta) -> None:
    assert retry_after(text, NOW) == wait


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", "0", "-5", "+5", "1.5", "1e3", "soon", "5 s", "٧", "9" * 40, "0x10"),
        *("Fri, 01 May 2026 11:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 99 May 2026 12:00:00 GMT"),
        *("Fri, 01 May 99999 12:00:00 GMT", "Fri, 01 May 2026 12:00:30 +9999", "5, 7"),
    ],
)
def test_a_retry_after_that_makes_no_sense_says_nothing(text: str | None) -> None:
    assert retry_after(text, NOW) is None


@given(st.text(max_size=60) | st.datetimes(timezones=st.just(UTC)).map(format_datetime))
def test_no_retry_after_breaks_anything(text: str) -> None:
    wait = retry_after(text, NOW)
    assert wait is None or timedelta() < wait <= HOUR


TROUBLE = {
    trouble.EgressRefused: ("egress", True),
    trouble.NameNotFound: ("dns", False),
    trouble.ConnectFailed: ("connect", False),
    trouble.ConnectTimedOut: ("timeout", False),
    trouble.TlsFailed: ("tls", False),
    trouble.ProxyFailed: ("proxy", False),
    trouble.TokenUnavailable: ("oauth", False),
    trouble.TokenRefused: ("oauth", True),
    trouble.AnswerTimedOut: ("timeout", False),
    trouble.ConnectionLost: ("connection", False),
    trouble.NothingAnswered: ("connection", False),
    trouble.TlsLost: ("tls", False),
    trouble.BrokenAnswer: ("answer", False),
}


@pytest.mark.parametrize("kind", TROUBLE)
def test_no_answer_is_retried_under_a_stable_word(kind: type[trouble.Trouble]) -> None:
    word, slow = TROUBLE[kind]
    outcome = judge_trouble(kind("it happened"), Exchange())
    assert outcome == RetryLater(reason="it happened", error_class=word, slow=slow)


def test_every_kind_of_trouble_is_in_the_table_above() -> None:
    def below(kind: type[trouble.Trouble]) -> set[type[trouble.Trouble]]:
        return {kind}.union(*(below(each) for each in kind.__subclasses__()))

    assert set(TROUBLE) == below(trouble.Trouble) - {trouble.Trouble}
