"""One table of the file: fields, the rules between them, and what is built of it. It may not know a key."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from marshmallow import RAISE, Schema, ValidationError, fields, post_load, validates_schema

from bridge.settings.fields import Value, nearest

#: Where something is wrong, from this section on, and a sentence that follows the key.
Problem = tuple[tuple[str | int, ...], str]
_UNKNOWN = "unknown"
_NOT_A_TABLE = "must be a table"


class Section(Schema):
    """A table of the file. All its problems are reported at once, those of single keys and those between keys."""

    #: Made of the values that were given; what was not given has its default there.
    builds: ClassVar[Callable[..., object]] = dict
    error_messages = {"type": _NOT_A_TABLE, "unknown": _UNKNOWN}  # noqa: RUF012 (marshmallow types it)

    class Meta:
        unknown = RAISE

    def rules(self, given: Mapping[str, Any], valid: Mapping[str, Any]) -> Iterator[Problem]:
        """What is wrong between keys. `given` is the table as it stands, `valid` what of it checks by itself."""
        return iter(())

    def handle_error(self, error: ValidationError, data: Any, **_: Any) -> None:
        """Name the nearest known key for each unknown one."""
        if isinstance(error.messages, dict):
            known = [field.data_key or name for name, field in self.load_fields.items()]
            for key, message in error.messages.items():
                if message == [_UNKNOWN]:
                    error.messages[key] = [_unknown_key(str(key), known)]

    @validates_schema(pass_original=True, skip_on_field_errors=False)
    def _check_rules(self, valid: Mapping[str, Any], given: object, **_: Any) -> None:
        if not isinstance(given, Mapping):
            return
        wrong: dict[str | int, Any] = {}
        for path, sentence in self.rules(given, valid):
            node = wrong
            for step in path[:-1]:
                node = node.setdefault(step, {})
            node.setdefault(path[-1], []).append(sentence)
        if wrong:
            raise ValidationError(wrong)

    @post_load
    def _build(self, valid: dict[str, Any], **_: Any) -> object:
        return type(self).builds(**valid)


def settled(given: Mapping[str, Any], valid: Mapping[str, Any], key: str, default: Any) -> Any:
    """The value of `key`: as checked, `default` where it is not given, None where it is wrong already."""
    return valid.get(key, None if key in given else default)


def nested(section: type[Section], **options: Any) -> fields.Nested:
    """A table inside a table."""
    return fields.Nested(section, error_messages={"required": "is missing; set it"}, **options)


def nested_list(section: type[Section], **options: Any) -> fields.List[Any]:
    """A list of tables: `[[…]]`."""
    return fields.List(nested(section), error_messages={"invalid": "must be a list of tables: [[ … ]]"}, **options)


class Named(Value[Mapping[str, Any]]):
    """Tables by name, `[sources.NAME]`: each is built with its name, in the order of the file."""

    def __init__(
        self,
        section: type[Section],
        builds: Callable[[str, Mapping[str, Any]], object],
        *,
        names: str,
        rule: str,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._section = section()
        self._builds = builds
        self._names = re.compile(names)
        self._rule = rule

    def read(self, value: object) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise ValidationError("must be a table of tables, each with its name")
        good: dict[str, object] = {}
        wrong: dict[str | int, Any] = {}
        for name, table in value.items():
            problems: dict[str, Any] = {} if self._names.fullmatch(name) else {"_schema": [self._rule]}
            try:
                good[name] = self._builds(name, self._section.load(table))
            except ValidationError as invalid:
                problems = {**invalid.messages_dict, **problems}
            if problems:
                wrong[name] = problems
        if wrong:
            raise ValidationError(wrong)
        return MappingProxyType(good)


def sentences(messages: Any, path: Sequence[str] = ()) -> Iterator[tuple[str, str]]:
    """marshmallow's nested messages as (full key, sentence)."""
    if isinstance(messages, Mapping):
        for key, inner in messages.items():
            yield from sentences(inner, path if key == "_schema" else (*path, _shown(str(key))))
        return
    for message in messages:
        yield ".".join(path), str(message)


def _unknown_key(key: str, known: Sequence[str]) -> str:
    guess = nearest(key, known)
    return f"is not known; did you mean {guess}?" if guess else f"is not known; known here: {', '.join(sorted(known))}"


def _shown(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else repr(key)
