"""The environment variables that configure the bridge. It may not read os.environ: it is handed a mapping."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from marshmallow import EXCLUDE, ValidationError

from bridge.settings.fields import Choice, Text, Value, Whole
from bridge.settings.section import Problem, Section

#: These win over the keys of [genesys].
GENESYS_KEYS: Final = {
    "GENESYS_API": "api",
    "GENESYS_REGION": "region",
    "GENESYS_API_URL": "api_url",
    "GENESYS_LOGIN_URL": "login_url",
    "GENESYS_CLIENT_ID": "client_id",
    "GENESYS_CLIENT_SECRET": "client_secret",
}
#: Any of these asks for traces; what else they and their like say is read by the SDK itself.
#: Source: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
_TRACES: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER")
_TRACES_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
_SECRETS: Final = frozenset({"GENESYS_CLIENT_SECRET", "BRIDGE_SECRET_KEY"})
_SWITCH: Final = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


class DatabaseUrl(Value[str]):
    """The address of a SQLite file or of a PostgreSQL database."""

    def read(self, value: object) -> str:
        text = value if isinstance(value, str) else ""
        if re.match(r"postgres(ql)?(\+\w+)?://.", text):
            return text
        if not re.match(r"sqlite(\+\w+)?://", text):
            raise ValidationError("must begin with sqlite:///, postgres:// or postgresql://")
        path = re.match(r"sqlite(?:\+\w+)?:///([^?]+)", text)
        if path is None or path[1] == ":memory:":
            raise ValidationError(
                "must name a file that all processes share: three slashes and a path, sqlite:///bridge.db"
            )
        return text


class FolderPath(Value[Path]):
    """A folder, which need not be there yet."""

    def read(self, value: object) -> Path:
        path = Path(str(value))
        if path.exists() and not path.is_dir():
            raise ValidationError("must name a folder; what it names is a file")
        return path


class Switch(Value[bool]):
    """On or off, as environments say it."""

    def read(self, value: object) -> bool:
        switched = _SWITCH.get(str(value).lower())
        if switched is None:
            raise ValidationError("must be 1 or 0")
        return switched


class AnyText(Value[bool]):
    """True, whatever it says."""

    def read(self, value: object) -> bool:
        return True


class LogLevel(Choice):
    """A level of the standard library's logging, in any case."""

    def __init__(self, **options: Any) -> None:
        super().__init__(("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), **options)

    def read(self, value: object) -> str:
        return super().read(str(value).upper())


class EnvironmentSection(Section):
    """The variables that are no secret; loads to keyword arguments of `Settings`."""

    builds: ClassVar[Any] = dict

    class Meta:
        unknown = EXCLUDE

    database_url = DatabaseUrl(data_key="DATABASE_URL")
    host = Text(data_key="HOST", matching=r"\S+", rule="must be a host name or an IP address")
    port = Whole(0, 65_535, from_text=True, data_key="PORT")
    web_concurrency = Whole(1, 1000, from_text=True, data_key="WEB_CONCURRENCY")
    web_threads = Whole(1, 1000, from_text=True, data_key="WEB_THREADS")
    worker_concurrency = Whole(1, 1000, from_text=True, data_key="WORKER_CONCURRENCY")
    log_level = LogLevel(data_key="LOG_LEVEL")
    log_format = Choice(("json", "text"), data_key="LOG_FORMAT")
    no_color = AnyText(data_key="NO_COLOR")
    allow_unsafe_database = Switch(data_key="BRIDGE_ALLOW_UNSAFE_DATABASE")
    metrics_folder = FolderPath(data_key="PROMETHEUS_MULTIPROC_DIR")

    def rules(self, given: Mapping[str, Any], valid: Mapping[str, Any]) -> Iterator[Problem]:
        on_sqlite = "DATABASE_URL" not in given or str(valid.get("database_url")).startswith("sqlite")
        if on_sqlite and valid.get("web_concurrency", 1) > 1:
            yield (
                ("WEB_CONCURRENCY",),
                "must be 1 on SQLite, which takes one receiving process; raise WEB_THREADS, or use PostgreSQL",
            )
        if traces_wanted(given):
            if given.get("OTEL_TRACES_EXPORTER", "otlp") != "otlp":
                yield ("OTEL_TRACES_EXPORTER",), "must be otlp or none"
            for name in _TRACES_PROTOCOLS:
                if given.get(name, "http/protobuf") != "http/protobuf":
                    yield (name,), "must be http/protobuf"


#: Built once: a new schema per call is many times slower.
ENVIRONMENT: Final = EnvironmentSection()


def given_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` without variables that are empty, which count as not set; an empty secret stays, to be refused."""
    return {name: text for name, text in environ.items() if text.strip() or name in _SECRETS}


def traces_wanted(environ: Mapping[str, Any]) -> bool:
    """True where the environment asks for OpenTelemetry traces and does not forbid them."""
    forbidden = _SWITCH.get(str(environ.get("OTEL_SDK_DISABLED", "")).lower(), False)
    return (
        not forbidden and environ.get("OTEL_TRACES_EXPORTER") != "none" and any(environ.get(name) for name in _TRACES)
    )


def genesys_overrides(environ: Mapping[str, str]) -> dict[str, str]:
    """What the environment says for keys of [genesys], with the secret as a reference to where it is."""
    overrides = {key: environ[name] for name, key in GENESYS_KEYS.items() if name in environ}
    if "client_secret" in overrides and not overrides["client_secret"].startswith("file:"):
        overrides["client_secret"] = "env:GENESYS_CLIENT_SECRET"  # noqa: S105 (where it is, not what)
    return overrides
