"""Carries a command out to its end in one call: steps, waits, tries. It may not know what the steps do.

An outbox does the same without holding a thread; this is for people and scripts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from bridge.genesys.errors import GenesysError, RateLimited, Unavailable
from bridge.genesys.steps import Done, Progress, StepResult

FIRST_WAIT = 1.0
LONGEST_WAIT = 60.0

T = TypeVar("T")


class Patience:
    """`sleep` takes seconds; both are handed in so that a test need not wait or guess."""

    def __init__(self, *, sleep: Callable[[float], None], random: Random) -> None:
        self._sleep = sleep
        self._random = random

    def results(self, step: Callable[[Progress | None], StepResult], *, tries: int) -> Iterator[StepResult]:
        """What each step gives, Done at the end; each is tried `tries` times, and the next waits until it is due.

        Raises what the last try of a step raised.
        """
        progress: Progress | None = None
        repeats = 0

        def one_step() -> StepResult:
            nonlocal progress, repeats
            try:
                return step(progress)
            except GenesysError as error:
                progress = error.progress if error.progress is not None else progress
                repeats += not error.deferred
                raise

        while True:
            result = self.tried(one_step, tries=tries)
            measures = replace(result.measures, retries=result.measures.retries + repeats)
            yield replace(result, measures=measures)
            if isinstance(result, Done):
                return
            progress = result.progress
            self._sleep(result.delay.total_seconds())

    def tried(self, action: Callable[[], T], *, tries: int) -> T:
        """What `action` gives, tried `tries` times where another try may help; waiting for our own pace is no try."""
        retrying = Retrying(
            sleep=self._sleep,
            stop=stop_after_attempt(tries),
            wait=self._wait,
            retry=retry_if_exception(_is_worth_waiting_for),
            reraise=True,
        )
        result: T = retrying(self._paced, action)
        return result

    def _paced(self, action: Callable[[], T]) -> T:
        while True:
            try:
                return action()
            except RateLimited as limited:
                if not limited.deferred:
                    raise
                self._sleep((limited.retry_after or timedelta(seconds=FIRST_WAIT)).total_seconds())

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        stated = _stated_wait(error)
        if stated is not None:
            return stated.total_seconds()
        longest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (state.attempt_number - 1))
        return longest * self._random.uniform(0.5, 1.0)


def _is_worth_waiting_for(error: BaseException) -> bool:
    """An open breaker, or a wait that nobody would sit through, is told at once."""
    if not isinstance(error, GenesysError) or not error.retryable or error.deferred:
        return False
    stated = _stated_wait(error)
    return stated is None or stated <= timedelta(seconds=LONGEST_WAIT)


def _stated_wait(error: BaseException | None) -> timedelta | None:
    return error.retry_after if isinstance(error, RateLimited | Unavailable) else None
