"""What the settings are where little or nothing is said."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bridge.errors import ConfigurationError
from bridge.settings import Settings, load_settings, read_settings
from tests.settings.conftest import Load, Problems


def test_without_a_file_everything_has_its_default_and_a_warning_says_so(tmp_path: Path) -> None:
    settings = load_settings({}, working_dir=tmp_path)
    assert settings == Settings(config_path=tmp_path / "bridge.toml", warnings=settings.warnings)
    assert "bridge init" in settings.warnings[0]


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="BRIDGE_CONFIG: names a file that is not there"):
        load_settings({"BRIDGE_CONFIG": "other.toml"}, working_dir=tmp_path)


def test_a_named_file_is_read_and_its_own_folder_is_where_paths_start(tmp_path: Path) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    (folder / "ca.pem").write_text("ca")
    (folder / "token").write_text("t0ken\n")
    (folder / "b.toml").write_text(
        '[destinations.erp]\nkind = "erp"\nurl = "https://erp.example.com"\nca_bundle = "ca.pem"\n'
        'auth = { type = "bearer", token = "file:token" }\n'
    )
    settings = load_settings({"BRIDGE_CONFIG": "etc/b.toml"}, working_dir=tmp_path)
    erp = settings.destinations["erp"]
    assert settings.config_path == folder / "b.toml"
    assert erp.ca_bundle == folder / "ca.pem"
    assert erp.auth.token is not None
    assert erp.auth.token.reveal() == "t0ken"


def test_the_process_environment_is_read_by_read_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORT", "8123")
    monkeypatch.delenv("BRIDGE_CONFIG", raising=False)
    assert read_settings().port == 8123


def test_timeout_and_stale_default_by_kind(load: Load) -> None:
    destinations = load(
        '[destinations.erp]\nkind = "erp"\nurl = "https://e.example"\n'
        '[destinations.crm]\nkind = "crm"\nurl = "https://c.example"\n'
        '[destinations.lake]\nkind = "datalake"\nbucket = "b"\n'
        '[destinations.own]\nkind = "erp"\nurl = "https://e.example"\ntimeout = 7\nstale = "send"\n'
    ).destinations
    assert [(d.timeout, d.stale) for d in destinations.values()] == [
        (5, "skip"),
        (10, "send"),
        (10, "send"),
        (7, "send"),
    ]


def test_keys_that_are_not_given_in_a_table_keep_their_defaults(load: Load) -> None:
    settings = load(
        '[destinations.erp]\nkind = "erp"\nurl = "https://e.example"\nretry = { base = 2 }\n'
        "[genesys.merge]\nweights = { voice = 20, fax = 2 }\n"
    )
    assert settings.destinations["erp"].retry.cap == 3600
    assert settings.genesys.merge.weights == {"voice": 20, "chat": 7, "email": 5, "sms": 3, "fax": 2}


def test_purge_rules_that_are_given_replace_the_default_ones(load: Load) -> None:
    assert len(load().genesys.purge.rules) == 2
    rules = load('[[genesys.purge.rules]]\nclassification = "pii"\nmin_retention_days = 30\n').genesys.purge.rules
    assert [(rule.classification, rule.min_retention_days) for rule in rules] == [("pii", 30)]


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("90", 90), ("0.5", 0.5), ('"90s"', 90), ('"1.5m"', 90), ('"2h"', 7200), ('"1d"', 86400), ('"10 m"', 600)],
)
def test_durations_are_seconds_or_text_with_a_unit(load: Load, written: str, seconds: float) -> None:
    settings = load(f"[server]\ndedupe_window = {written}\n[health]\nstall_seconds = {written}\n")
    assert settings.server.dedupe_window == timedelta(seconds=seconds)
    assert settings.health.stall_seconds == seconds


@pytest.mark.parametrize(
    "written", ['"10"', '"10 weeks"', '"-1s"', "-1", "nan", "inf", "true", '"1e400d"', '"9999999999d"']
)
def test_anything_else_is_no_duration(problems: Problems, written: str) -> None:
    (problem,) = problems(f"[health]\nstall_seconds = {written}\n")
    assert problem.startswith("health.stall_seconds: must be a number of seconds")


def test_fractions_are_kept_exactly(load: Load) -> None:
    rule = load("[schemas.Item.fields]\nprice = { type = 'decimal', max = 0.1 }\n").schemas["Item"].fields["price"]
    assert rule.max == Decimal("0.1")


def test_every_variable_of_the_environment_counts(load: Load) -> None:
    settings = load(
        DATABASE_URL="postgres://u:p@db/bridge",
        HOST="::1",
        PORT="0",
        WEB_CONCURRENCY="2",
        WEB_THREADS="3",
        WORKER_CONCURRENCY="4",
        LOG_LEVEL="debug",
        LOG_FORMAT="text",
        BRIDGE_ALLOW_UNSAFE_DATABASE="1",
        BRIDGE_SECRET_KEY="k" * 32,
    )
    assert settings.database_url == "postgres://u:p@db/bridge"
    assert (settings.host, settings.port) == ("::1", 0)
    assert (settings.web_concurrency, settings.web_threads, settings.worker_concurrency) == (2, 3, 4)
    assert (settings.log_level, settings.log_format) == ("DEBUG", "text")
    assert settings.allow_unsafe_database
    assert settings.secret_key is not None
    assert settings.secret_key.reveal() == "k" * 32
    assert settings.warnings == ()


def test_a_variable_that_is_empty_counts_as_not_set(load: Load) -> None:
    settings = load(PORT="", LOG_FORMAT=" ", DATABASE_URL="", GENESYS_REGION="")
    assert (settings.port, settings.log_format, settings.genesys.region) == (8000, None, None)
    assert settings.database_url == "sqlite:///bridge.db"


def test_the_environment_wins_over_the_file_for_genesys(load: Load) -> None:
    toml = '[genesys]\nregion = "mypurecloud.de"\nclient_id = "file"\nclient_secret = "env:NOT_SET"\nmax_writes = 2\n'
    genesys = load(
        toml,
        GENESYS_API="platform",
        GENESYS_REGION="mypurecloud.com",
        GENESYS_API_URL="https://api.example",
        GENESYS_LOGIN_URL="https://login.example",
        GENESYS_CLIENT_ID="environment",
        GENESYS_CLIENT_SECRET="s3cret",
    ).genesys
    assert (genesys.api, genesys.region, genesys.client_id) == ("platform", "mypurecloud.com", "environment")
    assert (genesys.api_url, genesys.login_url) == ("https://api.example", "https://login.example")
    assert genesys.client_secret is not None
    assert genesys.client_secret.reveal() == "s3cret"
    assert genesys.max_writes == 2


def test_what_the_environment_got_wrong_is_named_as_the_environment_has_it(problems: Problems) -> None:
    (problem,) = problems("", GENESYS_REGION="mypurecloud.con")
    assert problem.startswith("GENESYS_REGION: must be one of mypurecloud.com")
    assert problem.endswith("did you mean mypurecloud.com?")


@pytest.mark.parametrize(
    ("variable", "text", "rule"),
    [
        ("PORT", "http", "whole number from 0 to 65535"),
        ("PORT", "65536", "whole number from 0 to 65535"),
        ("WEB_THREADS", "0", "whole number"),
        ("WEB_CONCURRENCY", "2", "must be 1 on SQLite"),
        ("LOG_LEVEL", "loud", "must be one of DEBUG"),
        ("LOG_FORMAT", "xml", "must be one of json, text"),
        ("BRIDGE_ALLOW_UNSAFE_DATABASE", "perhaps", "must be 1 or 0"),
        ("DATABASE_URL", "mysql://db/x", "must begin with sqlite:///"),
        ("DATABASE_URL", "sqlite://bridge.db", "must name a file"),
        ("DATABASE_URL", "sqlite:///:memory:", "must name a file"),
        ("BRIDGE_SECRET_KEY", "", "is empty"),
        ("GENESYS_CLIENT_SECRET", "", "is empty"),
    ],
)
def test_a_wrong_variable_is_named_with_its_rule(problems: Problems, variable: str, text: str, rule: str) -> None:
    (problem,) = [line for line in problems("", **{variable: text}) if line.startswith(f"{variable}: ")]
    assert rule in problem
    assert not text or text not in problem.replace("sqlite:///bridge.db", "").replace("65535", "") or text in "02"


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "bridge"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_traces_are_told_where_the_standard_variables_ask_for_them(
    load: Load, environ: dict[str, str], wanted: bool
) -> None:
    assert load(**environ).traces is wanted


def test_an_exporter_that_is_not_there_is_refused(problems: Problems) -> None:
    assert problems(OTEL_TRACES_EXPORTER="zipkin") == ["OTEL_TRACES_EXPORTER: must be otlp or none"]
    assert problems(OTEL_TRACES_EXPORTER="otlp", OTEL_EXPORTER_OTLP_PROTOCOL="grpc") == [
        "OTEL_EXPORTER_OTLP_PROTOCOL: must be http/protobuf"
    ]
