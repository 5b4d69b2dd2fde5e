"""What words a configuration may use: kinds, formats, event types, regions. It may not import what they name.

A third party's kinds and formats are known by the names of their entry points alone.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import entry_points
from typing import Final

KINDS: Final = ("erp", "crm", "datalake", "governance", "genesys", "http")
FORMATS: Final = ("genesys", "eventbridge", "engage", "open-messaging", "data-action")

#: The public domains of Genesys Cloud (spec, part 4, "OAuth").
REGIONS: Final = (
    "mypurecloud.com", "mypurecloud.ie", "mypurecloud.de", "mypurecloud.jp", "mypurecloud.com.au",
    "usw2.pure.cloud", "cac1.pure.cloud", "euw2.pure.cloud", "euc2.pure.cloud", "apne2.pure.cloud",
    "apne3.pure.cloud", "apse1.pure.cloud", "aps1.pure.cloud", "sae1.pure.cloud", "mec1.pure.cloud",
    "mxc1.pure.cloud", "use2.us-gov-pure.cloud", "edee1.eusc-pure.cloud",
)  # fmt: skip

#: Which event types a kind has a request for; kinds that are not listed take any.
_EVENTS: Final = {
    "erp": re.compile(r"custom_object\.record\.(created|updated|deleted)"),
    "crm": re.compile(r"conversation\.attributes\.updated|interaction\.(updated|merged)"),
    "datalake": re.compile(r"(interaction|conversation|custom_object\.record)\..+"),
    "governance": re.compile(r"purge\.(completed|failed|cancelled)|audit\.sealed"),
    "genesys": re.compile(
        r"interaction\.(update|merge)|conversation\.attributes\.update|record\.update|interactions\.purge"
    ),
}
#: Words with dots between them (`genesys.<template>` may hold braces), the beginning of them with `.*`, or `*`.
EVENT_TYPE: Final = r"\*|([A-Za-z0-9_{}-]+\.)+([A-Za-z0-9_{}-]+|\*)"

_TIMEOUTS: Final = {"erp": 5.0}
#: Kinds that may speak to somebody whose address stands elsewhere.
_NEED_NO_URL: Final = frozenset({"genesys", "datalake"})


def has_request_for(kind: str, event_type: str) -> bool:
    """Whether destinations of `kind` have a request for this type; of a pattern the kind itself says it."""
    known = _EVENTS.get(kind)
    return known is None or event_type.endswith("*") or known.fullmatch(event_type) is not None


def default_timeout(kind: str | None) -> float:
    """Seconds that one try of a destination of `kind` may take where nothing is configured."""
    return _TIMEOUTS.get(kind or "", 10.0)


def default_stale(kind: str) -> str:
    """What a destination of `kind` does with a version older than one it has, where nothing is configured."""
    return "skip" if kind == "erp" else "send"


def needs_url(kind: str) -> bool:
    """Whether a destination of `kind` must say where it is; a third party's kind decides for itself."""
    return kind in KINDS and kind not in _NEED_NO_URL


@cache
def plugin_kinds() -> tuple[str, ...]:
    """Names of the kinds that installed packages add (entry points `bridge.destinations`)."""
    return tuple(sorted(entry_points(group="bridge.destinations").names))


@cache
def plugin_formats() -> tuple[str, ...]:
    """Names of the formats that installed packages add (entry points `bridge.formats`)."""
    return tuple(sorted(entry_points(group="bridge.formats").names))
