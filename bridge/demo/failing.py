"""How the demo says that it cannot go on. It may not say why: whoever raises it does."""

from __future__ import annotations

from bridge.errors import BridgeError


class DemoFailed(BridgeError):
    """The story cannot go on: a process ended, or nobody answers. A claim that does not hold is no such case."""
