"""The one masking function, for logs, API, console, audit and excerpts. It may not be asked to unmask.

What is personal or secret is told by the names of fields (`privacy.fields`) and by the looks of text (`privacy.text`).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final

import orjson

from bridge.privacy.fields import Kind, PersonalFields
from bridge.privacy.text import MASKED, mask_text, mask_value

#: Deeper trees than the receiver accepts (spec, part 2) are cut off, so that nothing can exhaust the stack.
_DEEPEST: Final = 64
#: Names and paths are looked at up to here: longer ones are nobody's field and would cost time and memory.
_LONGEST_NAME: Final = 128
_LONGEST_PATH: Final = 1024
#: Numbers below this are too short for a phone number with its country.
_LEAST_PHONE: Final = 10**8

#: A field with its value in text that is not JSON, or is cut off: JSON, XML and forms.
_PAIR: Final = re.compile(
    r'"(?P<json>[^"\\\r\n]{1,128}+)"\s{0,8}:\s{0,8}(?P<json_value>"(?:[^"\\]|\\.)*+"?|-?\d[\w.+-]*+)'
    r"|<(?:[\w.-]{1,64}+:)?(?P<xml>[\w.-]{1,128}+)(?:\s[^<>]{0,512}+)?>(?P<xml_value>[^<]++)"
    r"|(?:^|[?&])(?P<form>[\w.-]{1,128}+)=(?P<form_value>[^&\s\"'<>]++)",
    re.DOTALL,
)
_SPACES: Final = re.compile(r"[\t\n\v\f\r\x85\u2028\u2029]")
#: Control characters, and those that turn the direction of writing around.
_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Masking:
    """Masks by the configured `personal` field paths besides the built-in ones; `key` keys the equality hashes."""

    def __init__(self, personal: Sequence[str], key: bytes) -> None:
        self._fields = PersonalFields(personal)
        self._key = key
        self._kind = lru_cache(maxsize=4096)(self._fields.kind)
        self._name = lru_cache(maxsize=4096)(mask_text)

    def tree(self, value: object, *, prefix: str = "") -> object:
        """A copy of the JSON `value` with personal data and secrets masked; `prefix` is the path that it stands at.

        Never raises on a JSON value; what is no JSON value is masked as the text that it prints as.
        """
        kind, path = self._below("", prefix, None) if prefix else (None, "")
        return self._masked(value, path, kind, 0)

    def text(self, text: str) -> str:
        """`text` with phone numbers, e-mail addresses, secrets and the values of personal fields masked."""
        return mask_text(_PAIR.sub(self._masked_pair, text))

    def excerpt(self, body: bytes, limit: int = 4096) -> str:
        """The beginning of `body`, masked: at most `limit` bytes of UTF-8, without control characters."""
        try:
            tree = orjson.loads(body)
        except orjson.JSONDecodeError:
            text = self.text(_without_controls(body.decode("utf-8", "replace")))
        else:
            text = _without_controls(orjson.dumps(self.tree(tree)).decode())
        return text.encode()[:limit].decode("utf-8", "ignore")

    def equality(self, value: str) -> str:
        """A keyed hash, 16 hex digits: tells whether two masked values are the same, and nothing else."""
        return hmac.digest(self._key, value.encode("utf-8", "surrogatepass"), "sha256")[:8].hex()

    def _masked(self, value: object, path: str, kind: Kind | None, depth: int) -> object:
        """`value`, found at `path` in a field or below a field of `kind`."""
        match value:
            case None:
                return None
            case str():
                return self.text(value) if kind is None else _whole(value, kind)
            case bool() | int() | float():
                return value if kind is None else _whole_number(value, kind)
            case Mapping() | list() | tuple() if depth >= _DEEPEST:
                return MASKED
            case Mapping():
                return dict(self._masked_field(str(name), item, path, kind, depth) for name, item in value.items())
            case list() | tuple():
                return [self._masked(item, path, kind, depth + 1) for item in value]
            case _:
                return self._masked(str(value), path, kind, depth)

    def _masked_field(self, name: str, value: object, path: str, above: Kind | None, depth: int) -> tuple[str, object]:
        kind, below = self._below(path, name, above)
        shown = self._name(name) if len(name) <= _LONGEST_NAME else mask_text(name)
        return shown, self._masked(value, below, kind, depth + 1)

    def _below(self, path: str, name: str, above: Kind | None) -> tuple[Kind | None, str]:
        """How the field `name` at `path` is masked, and its own path; a name with dots in it is a path of its own."""
        kind = above
        for segment in name[:_LONGEST_NAME].split("."):
            path = f"{path}.{segment}"[-_LONGEST_PATH:] if path else segment
            if kind is not Kind.SECRET:
                kind = self._kind(path) or kind
        return kind, path

    def _masked_pair(self, found: re.Match[str]) -> str:
        form = found.lastgroup or ""
        name, value = found[form.removesuffix("_value")], found[form]
        kind = self._fields.kind_of_name(name)
        if kind is None:
            return found[0]
        before = found[0][: len(found[0]) - len(value)]
        if form == "json_value":
            return f'{before}"{_whole(value.strip(chr(34)), kind)}"'
        return before + _whole(value, kind)


def _whole(text: str, kind: Kind) -> str:
    """`text` as the value of a field of `kind`."""
    return mask_value(text) if kind is Kind.PERSONAL or not text else MASKED


def _whole_number(number: bool | int | float, kind: Kind) -> str:
    """`number` as the value of a field of `kind`: of a phone number what helps, of others (an age, a yes) nothing."""
    could_be_a_phone = isinstance(number, int) and number >= _LEAST_PHONE
    return _whole(str(number), kind) if could_be_a_phone else MASKED


def _without_controls(text: str) -> str:
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", _SPACES.sub(" ", text))
