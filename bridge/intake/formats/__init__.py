"""The wire formats of sources, one module each; importing this package registers those that ship with the bridge."""

from __future__ import annotations

from bridge.intake.formats import (  # noqa: F401 (each registers itself)
    data_action,
    engage,
    eventbridge,
    genesys,
    open_messaging,
)
from bridge.intake.formats.registry import Discerning, Format, find_format, format_names, register

__all__ = ["Discerning", "Format", "find_format", "format_names", "register"]
