"""Whether this process tells of its work as traces. It may not make a span."""

from __future__ import annotations

from typing import Protocol

from flask import Flask

from bridge.errors import ConfigurationError
from bridge.settings.model import Settings


class Tracing(Protocol):
    """What `bridge.telemetry.traces.Traces` is to those who must not import it."""

    def follow(self, app: Flask) -> None: ...

    def close(self) -> None: ...


def open_traces(settings: Settings) -> Tracing | None:
    """The tracer that the environment asks for (`OTEL_*`), to be closed; None where it asks for none.

    Raises ConfigurationError where the packages are missing.
    """
    if not settings.traces:
        return None
    try:
        from bridge.telemetry.traces import Traces  # only now: the packages are an extra
    except ModuleNotFoundError as missing:
        problem = "OTEL_*: traces need more packages; install `genesys-bridge[otel]`, or unset the variables"
        raise ConfigurationError([problem]) from missing
    return Traces()
