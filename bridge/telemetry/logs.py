"""Structured logs: JSON lines for machines, readable ones on a terminal, masked before they are written.

It may not decide what is logged, only how.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import orjson
import structlog

from bridge.privacy.masking import Masking
from bridge.settings.model import Settings


def configure_logs(settings: Settings, masking: Masking, *, stream: TextIO = sys.stderr) -> None:
    """Send structlog's and the standard library's lines to `stream`, level and format as the settings say."""
    level = logging.getLevelNamesMapping().get(settings.log_level.upper(), logging.INFO)
    readable = settings.log_format == "text" or (settings.log_format is None and stream.isatty())
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _masked_by(masking),
    ]
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty() and not settings.no_color)
        if readable
        else structlog.processors.JSONRenderer(serializer=_as_json_text)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)


def _masked_by(masking: Masking) -> structlog.types.Processor:
    def mask(_logger: object, _method: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for key, value in line.items():
            if key in ("_record", "_from_structlog", "level", "timestamp"):
                continue
            line[key] = masking.tree(value, prefix=key)
        return line

    return mask


def _as_json_text(line: object, **_: object) -> str:
    return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
