"""What holds for every command there is, and for each that comes: help, usage, refusals, JSON, completion, narrow
terminals."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from bridge.cli import main
from tests.cli.conftest import Commands
from tests.processes import BridgeFolder

#: What is asked for by no option of its own, so that the command gets as far as reading the settings.
MORE = {
    "events reparse": ["x"],
    "deliveries cancel": ["--destination", "erp", "--dry-run"],
    "replay": ["--dry-run"],
    "backfill": ["--dry-run"],
    "erase": ["--subject", "conversation:x", "--dry-run"],
}
#: Need no configuration, and why.
NEED_NONE = {
    "init": "writes one",
    "demo": "has one of its own",
    "sandbox": "stands apart",
    "completion": "is asked for before there is one",
}
#: Look at what they are handed before they look at the configuration.
READ_FIRST = {"purge plan", "purge validate"}
PRINT_NO_THINGS = {
    "up": "runs on",
    "web": "runs on",
    "worker": "runs on",
    "sandbox": "runs on",
    "events send": "prints the bridge's answer, which is JSON",
    "audit export": "writes lines of JSON to a file",
    "completion": "prints a script",
}


def leaves(command: click.Command, *path: str) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield " ".join(path), command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield from leaves(below, *path, name)


COMMANDS = dict(leaves(main))
every_command = pytest.mark.parametrize("name", COMMANDS)


@every_command
def test_help_ends_with_0_and_says_what_it_is_for(name: str) -> None:
    result = CliRunner().invoke(main, [*name.split(), "--help"])
    assert result.exit_code == 0
    assert f"Usage: main {name}" in result.output
    assert COMMANDS[name].help, "a command without a word of help"


@every_command
def test_an_unknown_option_is_wrong_usage(name: str) -> None:
    result = CliRunner().invoke(main, [*name.split(), "--no-such-option"])
    assert result.exit_code == 2
    assert "No such option" in result.output


@pytest.mark.parametrize("name", sorted(COMMANDS.keys() - NEED_NONE.keys()))
def test_without_its_configuration_it_ends_with_1_and_a_line(bridge: Commands, name: str) -> None:
    (bridge.folder / "bridge.toml").unlink()
    environment = {"BRIDGE_CONFIG": "bridge.toml", "BRIDGE_TOKEN": "gbr_x"}
    result = CliRunner().invoke(main, [*name.split(), *_needed(COMMANDS[name]), *MORE.get(name, [])], env=environment)
    assert (result.exit_code, type(result.exception)) == (1, SystemExit), result.output
    assert "Traceback" not in result.output
    if name not in READ_FIRST:
        assert "BRIDGE_CONFIG: names a file that is not there" in result.output


@every_command
def test_whatever_prints_prints_json_too(name: str) -> None:
    takes_json = any(parameter.name == "as_json" for parameter in COMMANDS[name].params)
    assert takes_json is not (name in PRINT_NO_THINGS)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["destinations", "show"], {"erp", "crm"}),
        (["deliveries", "list", "--destination"], {"erp", "crm"}),
        (["deliveries", "list", "--state"], {"pending", "sending", "delivered", "dead", "superseded", "cancelled"}),
        (["events", "list", "--source"], {"genesys"}),
        (["lanes", "skip"], {"erp", "crm"}),
    ],
)
def test_names_complete_from_the_configuration_alone(bridge: Commands, words: list[str], offered: set[str]) -> None:
    (bridge.folder / "bridge.db").unlink()
    assert {one.value for one in completions(words, "")} == offered
    assert [one.value for one in completions(["destinations", "show"], "e")] == ["erp"]
    assert not (bridge.folder / "bridge.db").exists()
    (bridge.folder / "bridge.toml").write_text("not [toml")
    assert completions(["destinations", "show"], "") == []


def test_event_types_complete(bridge: Commands) -> None:
    assert [one.value for one in completions(["events", "list", "--type"], "interaction.m")] == [
        "interaction.merge",
        "interaction.merged",
    ]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell_is_printed(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell], prog_name="bridge")
    assert result.exit_code == 0
    assert f"_BRIDGE_COMPLETE={shell}_complete" in result.output
    assert "bridge" in result.output


def test_a_narrow_terminal_without_colours_gets_what_it_can_show(bridge: Commands, folder: BridgeFolder) -> None:
    assert bridge("token", "create", "--name", "a-rather-long-name-for-it", "--role", "viewer").exit_code == 0
    shown = on_terminal(folder, 50, "token", "list")
    assert max(map(len, re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines())) <= 50
    assert "a-rather-long-name-for-it" in shown
    assert re.search(r"\x1b\[(?:[0-9]+;)*[349][0-7]", shown) is None, "a colour"


def completions(words: list[str], incomplete: str) -> list[click.shell_completion.CompletionItem]:
    return ShellComplete(main, {}, "bridge", "_BRIDGE_COMPLETE").get_completions(words, incomplete)


def on_terminal(folder: BridgeFolder, columns: int, *arguments: str) -> str:
    """What a command writes to a terminal of so many columns, where NO_COLOR is set."""
    master, terminal = pty.openpty()
    environment = {**folder.environment, "COLUMNS": str(columns), "NO_COLOR": "1", "TERM": "xterm-256color"}
    command = [sys.executable, "-m", "bridge.cli", *arguments]
    with subprocess.Popen(command, cwd=folder.path, env=environment, stdout=terminal, stdin=terminal) as process:
        os.close(terminal)
        shown = b""
        while piece := _read(master):
            shown += piece
    os.close(master)
    assert process.returncode == 0
    return shown.decode()


def _read(master: int) -> bytes:
    try:
        return os.read(master, 65_536)
    except OSError:  # the other side is closed
        return b""


def _needed(command: click.Command) -> list[str]:
    """Something for every parameter that has to be there."""
    options, arguments = list[str](), list[str]()
    for parameter in command.params:
        if not parameter.required:
            continue
        if isinstance(parameter, click.Argument):
            arguments += [_something(parameter.type)]
        else:
            options += [parameter.opts[0], _something(parameter.type)]
    return [*options, *arguments]


def _something(kind: click.ParamType[object]) -> str:
    match kind:
        case click.Choice():
            return str(kind.choices[0])
        case click.File() | click.Path():
            return "-"
        case _:
            return {"time": "1h", "reference": "i-1:voice"}.get(kind.name, "1")
