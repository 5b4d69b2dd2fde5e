"""The kinds of values that a configuration holds, as strict marshmallow fields. They may not echo a value."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from decimal import Decimal
from difflib import get_close_matches
from ipaddress import ip_network
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from marshmallow import ValidationError, fields

from bridge.settings.model import Network, Secret
from bridge.settings.references import current_reading

T = TypeVar("T")

_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*([smhd])", re.ASCII)
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST_SECONDS = 100 * 365 * 86_400
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def nearest(word: str, known: Collection[str]) -> str | None:
    """The one of `known` that `word` was probably meant to be, or None."""
    found = get_close_matches(word.lower(), sorted(known), n=1)
    return found[0] if found else None


class Value(fields.Field[T]):
    """A value of the file; subclasses check it in `read`."""

    default_error_messages = {"required": "is missing; set it"}  # noqa: RUF012 (marshmallow types it)

    def read(self, value: object) -> T:
        """`value` as the settings hold it. Raises ValidationError with a sentence that follows the key."""
        raise NotImplementedError

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_: Any) -> T:
        return self.read(value)


class Text(Value[str]):
    """Text, not empty; where `matching` is given it must match in whole, and `rule` says how."""

    def __init__(self, *, matching: str = r"(?s).+", rule: str = "must be text, not empty", **options: Any) -> None:
        super().__init__(**options)
        self._matching = re.compile(matching)
        self._rule = rule

    def read(self, value: object) -> str:
        if not isinstance(value, str) or not self._matching.fullmatch(value):
            raise ValidationError(self._rule)
        return value


class Choice(Value[str]):
    """One of several words. `plugins` gives more of them, and is asked only where a word is none of `words`."""

    def __init__(
        self, words: Collection[str], *, plugins: Callable[[], Collection[str]] = tuple, **options: Any
    ) -> None:
        super().__init__(**options)
        self._words = words
        self._plugins = plugins

    def read(self, value: object) -> str:
        if isinstance(value, str) and value in self._words:
            return value
        known = [*self._words, *self._plugins()]
        if isinstance(value, str) and value in known:
            return value
        guess = nearest(value, known) if isinstance(value, str) else None
        meant = f"; did you mean {guess}?" if guess else ""
        raise ValidationError(f"must be one of {', '.join(known)}{meant}")


class Flag(Value[bool]):
    """true or false."""

    def read(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("must be true or false, without quotes")
        return value


class Whole(Value[int]):
    """A whole number within bounds; with `from_text` also as text, as the environment has it."""

    def __init__(self, least: int, most: int | None = None, *, from_text: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._least, self._most = least, most
        self._from_text = from_text

    def read(self, value: object) -> int:
        if self._from_text and isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not self._within(value):
            bounds = f"of {self._least} or more" if self._most is None else f"from {self._least} to {self._most}"
            raise ValidationError(f"must be a whole number {bounds}")
        return value

    def _within(self, value: int) -> bool:
        return self._least <= value and (self._most is None or value <= self._most)


class Exact(Value[Decimal]):
    """A finite number, kept exactly as it is written."""

    def read(self, value: object) -> Decimal:
        number = _number(value)
        if number is None:
            raise ValidationError("must be a number")
        return number


class Rate(Value[float]):
    """So many per second, more than 0."""

    def read(self, value: object) -> float:
        number = _number(value)
        if number is None or not 0 < number <= 1_000_000:
            raise ValidationError("must be a number per second, more than 0")
        return float(number)


class Seconds(Value[float]):
    """A duration as seconds: a number, or text like "10m"."""

    def __init__(self, *, zero: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._zero = zero

    def read(self, value: object) -> float:
        seconds = _seconds(value)
        if seconds is None or seconds > _LONGEST_SECONDS or seconds < 0 or (seconds == 0 and not self._zero):
            least = "0 or more" if self._zero else "more than 0"
            raise ValidationError(f'must be a number of seconds or text like "10m" (s, m, h, d), {least}')
        return float(seconds)


class Duration(Value[timedelta]):
    """A duration as a timedelta, written like `Seconds`."""

    def __init__(self, *, zero: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self._seconds = Seconds(zero=zero)

    def read(self, value: object) -> timedelta:
        return timedelta(seconds=self._seconds.read(value))


class Address(Value[Network]):
    """An IP address or a network in CIDR form."""

    def read(self, value: object) -> Network:
        try:
            return ip_network(value if isinstance(value, str) else "")
        except ValueError as invalid:
            raise ValidationError(
                'must be an IP address or a network like "10.0.0.0/8", without bits set beyond the mask'
            ) from invalid


class FilePath(Value[Path]):
    """A file that is there; relative to the configuration's folder."""

    def read(self, value: object) -> Path:
        if not isinstance(value, str) or not value or "\0" in value:
            raise ValidationError("must be the path of a file")
        path = current_reading().folder / value
        if not path.is_file():
            raise ValidationError("names a file that is not there; relative paths start at the configuration's folder")
        return path


class Url(Value[str]):
    """An http(s) address without a user or password in it."""

    def read(self, value: object) -> str:
        if not isinstance(value, str) or not is_http_url(value):
            raise ValidationError("must be an http:// or https:// address with a host, and no fragment")
        if "@" in urlsplit(value).netloc:
            raise ValidationError("holds a user or password; take them out and use the section's own keys for them")
        return value


class SecretText(Value[Secret]):
    """A secret by reference. `check` says what is wrong with its text, or None."""

    def __init__(self, *, check: Callable[[str], str | None] = lambda text: None, **options: Any) -> None:
        super().__init__(**options)
        self._check = check

    def read(self, value: object) -> Secret:
        text = current_reading().secret(value)
        wrong = self._check(text)
        if wrong:
            raise ValidationError(wrong)
        return Secret(text)


class Several(Value[tuple[T, ...]]):
    """A list of values of one kind, as a tuple; `least` is how many there must be."""

    def __init__(self, inner: Value[T], *, least: int = 0, **options: Any) -> None:
        super().__init__(**options)
        self._inner = inner
        self._least = least

    def read(self, value: object) -> tuple[T, ...]:
        if not isinstance(value, list):
            raise ValidationError("must be a list: [ … ]")
        if len(value) < self._least:
            raise ValidationError(f"must name at least {self._least}")
        good: list[T] = []
        wrong: dict[str | int, Any] = {}
        for position, item in enumerate(value):
            try:
                good.append(self._inner.read(item))
            except ValidationError as invalid:
                wrong[position] = invalid.messages
        if wrong:
            raise ValidationError(wrong)
        return tuple(good)


def is_http_url(text: str) -> bool:
    """True where `text` is an absolute http(s) address that can be connected to."""
    try:
        parts = urlsplit(text)
        port_is_sane = parts.port is None or parts.port > 0
    except ValueError:
        return False
    clean = text.isprintable() and " " not in text and "#" not in text
    return clean and port_is_sane and parts.scheme in ("http", "https") and bool(parts.hostname)


def without_control_characters(text: str) -> str | None:
    """What is wrong with a secret that travels in a header, or None."""
    return "must not hold control characters such as a line end" if _CONTROL.search(text) else None


def _number(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    number = Decimal(value)
    return number if number.is_finite() else None


def _seconds(value: object) -> Decimal | None:
    if not isinstance(value, str):
        return _number(value)
    match = _DURATION.fullmatch(value)
    return Decimal(match[1]) * _UNIT_SECONDS[match[2]] if match else None
