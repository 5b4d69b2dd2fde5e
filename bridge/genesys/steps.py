"""What an operation is asked, and what a step of it gives. It may not know how a step is carried out or stored.

A command is carried out in steps so that an outbox can store what each gave: `Wait` says what the next step must know
(`progress`, JSON values only) and when it is due, `Done` ends the command, an exception (`errors`) says why a step
failed. A step that failed may be run again with the same progress; what that means for a change that Genesys may
already have carried out is said in the module of the operation.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from bridge.genesys.wire import Answer

Progress = Mapping[str, object]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Command:
    """One change to make in Genesys; everything in it is the same for every step and every try."""

    #: Sent as idempotency key and as request id of the records that it changes.
    id: str
    #: A key of `operations.OPERATIONS`.
    operation: str
    #: What is asked, as the operation's `read_command` tells it; JSON values only.
    body: Mapping[str, object] = field(repr=False)
    #: When it was asked, aware.
    issued_at: datetime
    correlation_id: str | None = None
    #: W3C trace context that Genesys is told.
    traceparent: str | None = None


@dataclass(frozen=True, kw_only=True)
class Fact:
    """Something that the command established: what an event is made of."""

    type: str
    #: None: the command's own subject.
    subject: str | None
    payload: Mapping[str, object] = field(repr=False)
    version: str | None = None
    #: Aware.
    occurred_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Measures:
    """What is counted of a command, over all of its steps so far."""

    #: From the begin of the first step that was stored to now; without one, of this step.
    latency_ms: int = 0
    #: Calls repeated within a try, and tries of the blocking calls. Tries of an outbox are counted there.
    retries: int = 0
    conflicts: int = 0
    violations: int = 0


@dataclass(frozen=True, kw_only=True)
class Done:
    """The command is carried out."""

    #: JSON values: what the asker is told.
    result: Mapping[str, object] = field(repr=False)
    facts: tuple[Fact, ...] = ()
    measures: Measures = Measures()
    #: The last answer that the step got.
    answer: Answer | None = None


@dataclass(frozen=True, kw_only=True)
class Wait:
    """The step is done and the next is due after `delay`."""

    progress: Progress = field(repr=False)
    delay: timedelta
    measures: Measures = Measures()
    answer: Answer | None = None


StepResult = Done | Wait


def restored(kind: Callable[..., T], progress: Progress) -> T:
    """`progress` as the dataclass `kind` that an earlier step stored with `dataclasses.asdict`.

    Keys that `kind` does not know are left out and missing ones take their defaults, so that steps stored by another
    version of this program go on.
    """
    known = inspect.signature(kind).parameters
    return kind(**{name: value for name, value in progress.items() if name in known})
