"""Secrets stand elsewhere, are never empty and never shown."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from bridge.errors import ConfigurationError
from bridge.settings.secret_file import put_in_front
from tests.settings.conftest import Load, Problems

SOURCE = '[sources.s]\nformat = "genesys"\nverify = {{ scheme = "bearer", secrets = ["{}"] }}\n'
KEY = "sources.s.verify.secrets.0"


def test_a_secret_comes_from_the_environment_or_a_file(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("from file\r\n", "utf-8")
    path.chmod(0o600)
    for reference, text in [("env:IT", "from env"), ("file:secret", "from file"), (f"file:{path}", "from file")]:
        settings = load(SOURCE.format(reference), IT="from env")
        assert [secret.reveal() for secret in settings.sources["s"].verify.secrets] == [text]
        assert settings.warnings == ()


@pytest.mark.parametrize(
    ("reference", "rule"),
    [
        ("env:MISSING", "MISSING, which is not set"),
        ("env:EMPTY", "EMPTY, which is empty"),
        ("env:", "must name one environment variable"),
        ("env:two words", "must name one environment variable"),
        ("file:missing", "not there"),
        ("file:empty", "empty file"),
        ("file:.", "cannot be read"),
        ("file:binary", "cannot be read"),
        ("file:nul\\u0000", "cannot be read"),
        ("hunter2", 'say "env:NAME" or "file:path"'),
        ("", "holds the secret itself"),
    ],
)
def test_a_secret_that_is_not_there_is_an_error_and_never_a_pass(
    problems: Problems, tmp_path: Path, reference: str, rule: str
) -> None:
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    (problem,) = problems(SOURCE.format(reference), EMPTY=" ")
    assert problem.startswith(f"{KEY}: ")
    assert rule in problem


def test_a_literal_is_accepted_only_when_told_to_and_never_where_it_is_empty(load: Load, problems: Problems) -> None:
    settings = load(SOURCE.format("hunter2"), allow_literals=True)
    assert settings.sources["s"].verify.secrets[0].reveal() == "hunter2"
    assert problems(SOURCE.format("  "), allow_literals=True)[0].startswith(f"{KEY}: is empty")


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_a_secret_file_that_others_may_read_is_warned_of(load: Load, tmp_path: Path, mode: int, warned: bool) -> None:
    path = tmp_path / "secret"
    path.write_text("s")
    path.chmod(mode)
    warnings = load(SOURCE.format("file:secret")).warnings
    assert bool(warnings) == warned
    assert not warned or "chmod 600" in warnings[0]


def test_no_secret_shows_in_the_settings_or_in_an_error(load: Load) -> None:
    toml = SOURCE.format("pl41n") + (
        '[destinations.d]\nkind = "erp"\nurl = "https://e.example"\nproxy = "env:PROXY"\n'
        'auth = { type = "bearer", token = "env:TOKEN" }\n'
    )
    environ = {
        "TOKEN": "t0p",
        "PROXY": "http://user:pr0xy@proxy.example",
        "DATABASE_URL": "postgresql://u:dbpw@h/d",
        "BRIDGE_SECRET_KEY": "k3y" * 11,
    }
    shown = repr(load(toml, allow_literals=True, **environ))
    value = "eulav"[::-1]  # tracebacks quote this file
    with pytest.raises(ConfigurationError) as refused:
        load(toml + f"[server]\nmax_body_bytes = '{value}'\n", **environ)
    shown += "".join(traceback.format_exception(refused.value))
    assert "max_body_bytes" in shown
    for secret in ("pl41n", "t0p", "pr0xy", "dbpw", "k3y" * 2):
        assert secret not in shown
    assert value not in str(refused.value)


def test_the_secret_key_is_read_from_beside_the_file_unless_the_environment_has_one(load: Load, tmp_path: Path) -> None:
    assert load().secret_key is None
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "bridge_secret_key").write_text("f" * 40 + "\n")
    (folder / "bridge_secret_key").chmod(0o600)
    (tmp_path / "other").write_text("o" * 40)
    for environ, text in [
        ({}, "f" * 40),
        ({"BRIDGE_SECRET_KEY": "e" * 40}, "e" * 40),
        ({"BRIDGE_SECRET_KEY": "file:other"}, "o" * 40),
    ]:
        key = load("", **environ).secret_key
        assert key is not None
        assert key.reveal() == text


def test_a_short_secret_key_is_warned_of(load: Load) -> None:
    (warning,) = load(BRIDGE_SECRET_KEY="short").warnings
    assert warning.startswith("BRIDGE_SECRET_KEY: is shorter than 32")


def test_a_client_secret_in_the_environment_may_name_a_file(load: Load, tmp_path: Path) -> None:
    (tmp_path / "client").write_text("from file")
    environ = {"GENESYS_CLIENT_ID": "id", "GENESYS_CLIENT_SECRET": "file:client", "GENESYS_REGION": "mypurecloud.ie"}
    secret = load("", **environ).genesys.client_secret
    assert secret is not None
    assert secret.reveal() == "from file"


@pytest.mark.parametrize("between", [" ", ",", "\n", " , "])
def test_the_secret_key_may_be_several_the_one_that_seals_first(load: Load, between: str) -> None:
    settings = load("", BRIDGE_SECRET_KEY=between.join(["n" * 40, "o" * 40, "n" * 40]))
    assert settings.secret_key is not None
    assert settings.secret_key.reveal() == "n" * 40
    assert [one.reveal() for one in settings.older_secret_keys] == ["o" * 40]
    assert settings.secret_key_file is None


def test_a_file_holds_a_secret_per_line(load: Load, tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("n" * 40 + "\n" + "o" * 40 + "\n")
    settings = load("", BRIDGE_SECRET_KEY="file:keys")
    assert len(settings.older_secret_keys) == 1
    assert settings.secret_key_file == tmp_path / "keys"


def test_a_phrase_is_one_secret(load: Load) -> None:
    settings = load("", BRIDGE_SECRET_KEY="correct horse, battery staple of my company")
    assert settings.secret_key is not None
    assert settings.secret_key.reveal() == "correct horse, battery staple of my company"
    assert settings.older_secret_keys == ()


def test_lines_that_are_too_short_to_be_secrets_are_refused(problems: Problems) -> None:
    (problem,) = problems("", BRIDGE_SECRET_KEY="n" * 40 + "\nhorse")
    assert problem.startswith("BRIDGE_SECRET_KEY: holds several secrets")
    assert "horse" not in problem


def test_a_new_secret_is_put_in_front_whole_and_for_its_owner_alone(tmp_path: Path) -> None:
    file, link = tmp_path / "key", tmp_path / "link"
    file.write_text("old\n")
    file.chmod(0o644)
    link.symlink_to(file)
    put_in_front(link, "new")
    assert file.read_text() == "new\nold\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert link.is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "link"]


def test_a_file_that_is_not_there_is_told_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="by hand"):
        put_in_front(tmp_path / "key", "new")
    assert list(tmp_path.iterdir()) == []
