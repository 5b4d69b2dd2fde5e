"""Options that several commands share, and the kinds of values they take. It may not know what is asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import click

from bridge.admin.search.pages import DEFAULT_LIMIT, MAX_LIMIT, PageRequest, read_cursor
from bridge.clock import SystemClock
from bridge.settings import Settings

F = TypeVar("F", bound=Callable[..., Any])

_DURATION = re.compile(r"(\d{1,6})([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Moment(click.ParamType[datetime]):
    """A time: how long ago (`30m`, `24h`, `7d`) or RFC 3339 (`2026-05-01T12:00:00Z`); without a zone it is UTC.

    With `ahead`, a duration is how long from now.
    """

    name = "time"

    def __init__(self, *, ahead: bool = False) -> None:
        self._direction = 1 if ahead else -1

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        if isinstance(value, datetime):
            return value
        duration = _DURATION.fullmatch(value)
        try:
            if duration is not None:
                away = timedelta(**{_UNITS[duration[2]]: int(duration[1])})
                return SystemClock().now() + self._direction * away
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail('must be a duration ("30m", "24h", "7d") or a time ("2026-05-01T12:00:00Z")', param, ctx)


def json_option(command: F) -> F:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")(command)


def reason_option(command: F) -> F:
    """`--reason`, which the audit keeps."""
    return click.option("--reason", required=True, metavar="TEXT", help="Why, in a sentence: the audit keeps it.")(
        command
    )


def span_options(command: F) -> F:
    """`--since` and `--until`."""
    until = click.option("--until", type=Moment(), help="Before this time.")
    since = click.option("--since", type=Moment(), help="Not before: how long ago (24h), or a time (RFC 3339).")
    return since(until(command))


def page_options(command: F) -> F:
    """`--limit` and `--cursor`."""
    cursor = click.option("--cursor", metavar="WORD", help="Where the page begins, as the page before said.")
    limit = click.option("--limit", type=click.IntRange(1, MAX_LIMIT), default=DEFAULT_LIMIT, show_default=True)
    return limit(cursor(command))


def follow_option(command: F) -> F:
    """`--follow`."""
    return click.option(
        "--follow", "follows", is_flag=True, help="Go on: print what is new as it comes, a line each, until Ctrl-C."
    )(command)


def refuse_page_of_stream(follows: bool, cursor: str | None, until: datetime | None) -> None:
    """Raise UsageError where somebody wants to follow what has an end."""
    if follows and (cursor or until):
        raise click.UsageError("--follow goes on; leave out --cursor and --until.")


def address_options(command: F) -> F:
    """`--host` and `--port`, for `with_address`."""
    port = click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on, instead of PORT.")
    host = click.option("--host", help="Address to listen on, instead of HOST.")
    return host(port(command))


def with_address(settings: Settings, host: str | None, port: int | None) -> Settings:
    """`settings` with the address that the options give, if any."""
    return replace(settings, host=host or settings.host, port=port or settings.port)


def page_request(listed: str, limit: int, cursor: str | None) -> PageRequest:
    """The page of the list `listed` that the options ask for. Raises Invalid where the cursor is not one of it."""
    return PageRequest(limit=limit, before_id=read_cursor(listed, cursor) if cursor else None)
