"""The console below `/console`: pages for people who look rather than read. It may not hold a use case of its own.

Every page asks and orders through the operations of the API, so that both do, refuse and note the same.
"""

from __future__ import annotations

from flask import Flask

from bridge.admin.console import (
    audit,
    cancelling,
    commands,
    deliveries,
    destinations,
    erasures,
    events,
    find,
    holds,
    lanes,
    overview,
    purges,
    refusals,
    rejections,
    replays,
    sign_in,
)
from bridge.admin.console.door import blueprint

#: Importing a module hangs its pages onto the blueprint.
PAGES = (
    *(overview, events, deliveries, cancelling, destinations, lanes, replays),
    *(commands, purges, holds, erasures, audit, rejections, find, sign_in, refusals),
)


def make_console(app: Flask) -> None:
    """Install the console into `app`, which has the API's rooms already (`api.make_api`)."""
    app.register_blueprint(blueprint)
