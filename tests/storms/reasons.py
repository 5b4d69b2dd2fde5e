"""Why something cannot be done on this machine. It may not do it."""

from __future__ import annotations


class NotHere(Exception):
    """Cannot be done here; the message says why. What needs it is skipped by name, the rest is not."""
