"""Which keys two settings differ in. It may not tell a value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Final

from bridge.settings.model import Settings

#: Fields of Settings that do not have the name of their key.
_NAMES: Final = {"personal": "privacy.personal", "secret_key": "BRIDGE_SECRET_KEY"}
#: Say where settings come from or how they read, not what they are.
_LEFT_OUT: Final = ("config_path", "warnings", "metrics_folder")


def changed_keys(old: Settings, new: Settings) -> list[str]:
    """The keys that differ, sorted: `destinations.erp.timeout`; of a part that came or went its own name only."""
    return sorted(
        key
        for field in fields(Settings)
        if field.name not in _LEFT_OUT
        for key in _changed(_NAMES.get(field.name, field.name), getattr(old, field.name), getattr(new, field.name))
    )


def _changed(key: str, old: object, new: object) -> Iterator[str]:
    if old == new:
        return
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for name in old.keys() | new.keys():
            if name in old and name in new:
                yield from _changed(f"{key}.{name}", old[name], new[name])
            else:
                yield f"{key}.{name}"
    elif is_dataclass(old) and is_dataclass(new) and type(old) is type(new):
        for field in fields(old):
            yield from _changed(f"{key}.{field.name}", getattr(old, field.name), getattr(new, field.name))
    else:
        yield key
