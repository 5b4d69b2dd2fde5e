"""Times, counts and states in words. It may not know where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import orjson
from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from bridge.clock import rfc3339

#: What templates may pipe a value through.
FILTERS = (
    *("moment", "isotime", "ago", "when", "duration", "age", "count", "cut", "pretty", "plural", "tone", "size"),
    *("words", "percent"),
)
#: More of a value is no longer read but downloaded.
LONGEST_JSON = 64 * 1024

#: The tone of a state: its colour. The word itself is always shown beside it.
_TONES = {
    **dict.fromkeys(("delivered", "succeeded", "recorded", "completed", "active", "in_force"), "good"),
    **dict.fromkeys(("dead", "failed", "rejected", "unreadable"), "bad"),
    **dict.fromkeys(("paused", "disabled", "retry_later", "awaiting_approval"), "warn"),
    **dict.fromkeys(("pending", "sending", "running", "accepted", "approved"), "busy"),
}
STATE_WORDS: Mapping[str, str] = {
    "retry_later": "failed, try again",
    "rejected": "refused for good",
    "awaiting_approval": "awaiting approval",
}


def moment(value: datetime | None) -> str:
    """A time to the second, in UTC, as every page says once."""
    if value is None:
        return "–"
    text = rfc3339(value)
    return Markup('<time datetime="{}">{}</time>').format(text, text[:19].replace("T", " "))


def isotime(value: datetime) -> str:
    """As a filter of time takes it."""
    return rfc3339(value.replace(microsecond=0))


@pass_context
def ago(context: Context, value: datetime | None) -> str:
    """How long before or after the page's own time."""
    now = context.get("now")
    if value is None or now is None:
        return "–"
    seconds = (now - value).total_seconds()
    words = "now" if abs(seconds) < 1 else f"{age(seconds)} ago" if seconds > 0 else f"in {age(-seconds)}"
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        rfc3339(value), rfc3339(value)[:19].replace("T", " "), words
    )


@pass_context
def when(context: Context, value: datetime | None) -> str:
    """`ago` and `moment` side by side, where there is room for both."""
    if value is None:
        return "–"
    return Markup('{} <span class="exact">{}</span>').format(ago(context, value), rfc3339(value)[:19].replace("T", " "))


def age(seconds: float) -> str:
    """A `duration` as people tell it: of more than a minute the seconds do not matter."""
    whole = round(seconds)
    return duration(whole if whole < 60 else whole // 60 * 60 if whole < 86400 else whole // 3600 * 3600)


def duration(value: float | timedelta | None) -> str:
    """Seconds in the two largest units that matter."""
    if value is None:
        return "–"
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if seconds < 1:
        return f"{round(seconds * 1000)} ms" if seconds else "0 s"
    if seconds < 10 and seconds % 1:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, length, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        if whole >= length:
            rest = whole % length // part
            return f"{whole // length} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{whole} s"


def count(value: float | None) -> str:
    """A number with thin spaces between its thousands."""
    return "–" if value is None else f"{value:,}".replace(",", "\u202f")


def plural(number: int, one: str, several: str | None = None) -> str:
    return f"{count(number)} {one if number == 1 else several or one + 's'}"


def cut(text: object, longest: int = 120) -> str:
    """The beginning of `text`, with how much was left out."""
    whole = str(text)
    left_out = len(whole) - longest
    return whole if left_out <= 0 else f"{whole[:longest]}… ({plural(left_out, 'character')} more)"


def pretty(value: object) -> str:
    """JSON to be read; what is text already stays so."""
    text = value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()
    return cut(text, LONGEST_JSON)


def percent(share: float | None) -> str:
    """A share of 1; what is not quite all is not told as all."""
    if share is None:
        return "–"
    return f"{min(share * 100, 99.9) if share < 1 else 100:.3g} %"


def size(number: int | None) -> str:
    """Bytes."""
    if number is None:
        return "–"
    return f"{count(number)} bytes" if number < 1024 else f"{number / 1024:.1f} KiB"


def tone(state: object) -> str:
    return _TONES.get(str(state), "calm")


def words(state: object) -> str:
    return STATE_WORDS.get(str(state), str(state).replace("_", " "))
