"""The five operations by name. It may not know who asks for them or where progress is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bridge.genesys.errors import Unsupported
from bridge.genesys.operations import (
    conversation_update,
    interaction_update,
    merge,
    merge_command,
    purge,
    record_update,
)
from bridge.genesys.rules import Check
from bridge.genesys.steps import StepResult
from bridge.genesys.work import Work


@dataclass(frozen=True, kw_only=True)
class Operation:
    #: Reads a command's body. Raises Invalid naming every violation; sends nothing.
    read_command: Callable[[Mapping[str, object], Check], object]
    #: Carries out the next step.
    advance: Callable[[Work], StepResult]
    #: Whether one command changes many things at once.
    is_bulk: bool = False


OPERATIONS: Mapping[str, Operation] = {
    "interaction.update": Operation(read_command=interaction_update.read_command, advance=interaction_update.advance),
    "conversation.attributes.update": Operation(
        read_command=conversation_update.read_command, advance=conversation_update.advance
    ),
    "interaction.merge": Operation(read_command=merge_command.read_command, advance=merge.advance, is_bulk=True),
    "record.update": Operation(read_command=record_update.read_command, advance=record_update.advance),
    "interactions.purge": Operation(read_command=purge.read_command, advance=purge.advance, is_bulk=True),
}


def operation_named(name: str) -> Operation:
    """Raises Unsupported for a name that is none."""
    operation = OPERATIONS.get(name)
    if operation is None:
        known = ", ".join(OPERATIONS)
        raise Unsupported("there is no such operation", alternative=f"name one of: {known}")
    return operation


def check_command(operation: str, body: Mapping[str, object], check: Check) -> None:
    """What can be said of a command before anything is sent. Raises Invalid naming every violation, Unsupported."""
    operation_named(operation).read_command(body, check)
