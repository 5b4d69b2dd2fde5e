"""Who is posting: one pure, total check per scheme. It may not look anything up or parse a body."""

from __future__ import annotations

from bridge.intake.verification.headers import HeaderList, Headers, Unverified
from bridge.intake.verification.schemes import Verifier, build_verifier

__all__ = ["HeaderList", "Headers", "Unverified", "Verifier", "build_verifier"]
