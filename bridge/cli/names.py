"""Names that complete from the configuration, without opening the database. It may not refuse one: the search does."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

from bridge.errors import ConfigurationError
from bridge.settings import Settings, read_settings


class Name(click.ParamType[str]):
    """Text; the shell offers what `known` gives of the settings, and nothing where these cannot be read."""

    name = "text"

    def __init__(self, known: Callable[[Settings], Iterable[str]]) -> None:
        self._known = known

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            known = self._known(read_settings())
        except ConfigurationError:
            return []
        return [CompletionItem(one) for one in known if one.startswith(incomplete)]


def _event_types(settings: Settings) -> Iterable[str]:
    from bridge import events

    own = {value for name, value in vars(events).items() if name.isupper() and isinstance(value, str)}
    listed = {one for each in settings.destinations.values() for one in each.events or () if "*" not in one}
    return sorted(own | listed)


DESTINATION = Name(lambda settings: settings.destinations)
SOURCE = Name(lambda settings: settings.sources)
EVENT_TYPE = Name(_event_types)
