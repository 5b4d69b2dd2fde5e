"""Where errors become one clear line and an exit code. It may not swallow one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

import click

from bridge.errors import BridgeError, ConfigurationError, Refusal

REFUSED = 1


@contextmanager
def one_line_for_each_error(*, debug: bool) -> Iterator[None]:
    """End the program with exit code 1 and a line that names the way out, instead of a stack trace."""
    if not debug:
        sys.excepthook = _say_unexpected
    try:
        yield
    except BridgeError as refused:
        if debug:
            raise
        for line in lines_of(refused):
            click.echo(f"bridge: {line}", err=True)
        raise SystemExit(REFUSED) from refused


def lines_of(refused: BridgeError) -> list[str]:
    """What to tell a person about `refused`, a sentence each."""
    match refused:
        case ConfigurationError(problems=problems):
            return problems
        case Refusal(errors=errors) if errors:
            return [f"{refused.detail.removesuffix('.')}:", *(f"  {error.field}: {error.message}" for error in errors)]
    return [str(refused)]


def _say_unexpected(kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
    click.echo(f"bridge: unexpected {kind.__name__}; `bridge --debug …` shows where it came from", err=True)
