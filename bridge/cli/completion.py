"""`bridge completion`. It may not change a file of the shell's."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_WHERE = {
    "bash": 'put  eval "$(bridge completion bash)"  into ~/.bashrc',
    "zsh": 'put  eval "$(bridge completion zsh)"  into ~/.zshrc',
    "fish": "bridge completion fish > ~/.config/fish/completions/bridge.fish",
}


@click.command("completion", epilog="Where it goes: " + "; ".join(_WHERE.values()) + ".")
@click.argument("shell", type=click.Choice(list(_WHERE)))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print what makes SHELL complete commands, options, and names of destinations, sources and event types."""
    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(ctx.find_root().command, {}, "bridge", "_BRIDGE_COMPLETE").source())
