"""Carries out one step of a command and counts it. It may not wait, repeat a step, or know where progress is stored."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

from bridge.clock import Clock, rfc3339
from bridge.genesys.enrichment import Crm
from bridge.genesys.errors import GenesysError, Invalid
from bridge.genesys.operations import operation_named
from bridge.genesys.pace import Pace
from bridge.genesys.profiles import traits_of
from bridge.genesys.profiles.contract import Profile
from bridge.genesys.rules import Check, Rules
from bridge.genesys.steps import Command, Done, Measures, Progress, StepResult, restored
from bridge.genesys.transport import Transport, headers_of
from bridge.genesys.wire import Answer, Call, Tally
from bridge.genesys.work import Work

#: The key of what is counted, beside what the operation stores.
_COUNTED = "counted"


@dataclass(frozen=True, kw_only=True)
class _Counted:
    """Stored with every progress."""

    #: When the first step that was stored began.
    started_at: str
    retries: int = 0
    conflicts: int = 0


class StepRunner:
    """Thread-safe."""

    def __init__(
        self, *, transport: Transport, pace: Pace, profile: Profile, rules: Rules, crm: Crm | None, clock: Clock
    ) -> None:
        self._transport = transport
        self._pace = pace
        self._profile = profile
        self._rules = rules
        self._crm = crm
        self._clock = clock

    def advance(self, command: Command, progress: Progress | None, now: datetime) -> StepResult:
        """The next step of `command`; see `GenesysClient.advance`."""
        traits = traits_of(self._profile, command.operation)
        counted, own = _taken_apart(progress, now)
        tally = Tally(retries=counted.retries, conflicts=counted.conflicts)
        work = Work(
            command=command,
            progress=own,
            check=Check(rules=self._rules, now=now, command_id=command.id),
            profile=self._profile,
            crm=self._crm,
            send=self.sender(command, tally),
            tally=tally,
        )
        begun = self._clock.monotonic()
        try:
            result = operation_named(command.operation).advance(work)
        except GenesysError as error:
            error.measures = self._measures(work, counted, begun, error)
            if error.progress is not None:
                error.progress = _put_together(error.progress, counted, tally)
            raise
        measures = self._measures(work, counted, begun)
        if isinstance(result, Done):
            told = {**result.result, "locking": traits.locking}
            return replace(result, result=told, measures=measures, answer=tally.answer)
        stored = _put_together(result.progress, counted, tally)
        return replace(result, progress=stored, measures=measures, answer=tally.answer)

    def _measures(self, work: Work, counted: _Counted, begun: float, error: GenesysError | None = None) -> Measures:
        """The steps before by the caller's clock, this one by ours: the two need not agree."""
        before = work.now - datetime.fromisoformat(counted.started_at)
        lasted = before + timedelta(seconds=self._clock.monotonic() - begun)
        return Measures(
            latency_ms=max(0, round(lasted / timedelta(milliseconds=1))),
            retries=work.tally.retries,
            conflicts=work.tally.conflicts,
            violations=len(error.errors) if isinstance(error, Invalid) else 0,
        )

    def sender(self, command: Command, tally: Tally) -> Callable[[Call], Answer]:
        """Sends calls for `command`: the first one asks the pace, the others follow it."""
        tally.operation = command.operation
        asking = threading.Lock()
        admitted = False

        def send(call: Call) -> Answer:
            nonlocal admitted
            with asking:
                if not admitted:
                    self._pace.admit()
                    admitted = True
            return self._transport.send(call, headers_of(command, call), tally)

        return send


def _taken_apart(progress: Progress | None, now: datetime) -> tuple[_Counted, Progress | None]:
    """What is counted so far, and what the operation stored; None in its first step."""
    stored = dict(progress or {})
    counted = stored.pop(_COUNTED, None)
    fresh = _Counted(started_at=rfc3339(now))
    return restored(_Counted, counted) if isinstance(counted, Mapping) else fresh, stored or None


def _put_together(progress: Progress, counted: _Counted, tally: Tally) -> Progress:
    counts = replace(counted, retries=tally.retries, conflicts=tally.conflicts)
    return {**progress, _COUNTED: asdict(counts)}
