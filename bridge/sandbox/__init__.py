"""A stand-in for Genesys to try the bridge out and to test it. It imports nothing of the rest of the bridge, so that
a mistake in the client is not repeated here."""

from bridge.sandbox.app import create_sandbox
from bridge.sandbox.config import DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, SandboxConfig
from bridge.sandbox.sandbox import Sandbox
from bridge.sandbox.server import SandboxServer, run_sandbox

__all__ = [
    "DEMO_CLIENT_ID",
    "DEMO_CLIENT_SECRET",
    "Sandbox",
    "SandboxConfig",
    "SandboxServer",
    "create_sandbox",
    "run_sandbox",
]
