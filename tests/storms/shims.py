"""Libraries in C that are put between a process and the kernel (LD_PRELOAD), compiled when they are needed.

Only for Linux with a C compiler: where there is none, `NotHere` says so, and what needs one is skipped by name.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from tests.storms.reasons import NotHere

_SOURCES = Path(__file__).parent


def build(name: str, folder: Path) -> Path:
    """The library made of `<name>.c`, in `folder`. Raises NotHere."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None or sys.platform != "linux":
        raise NotHere("needs Linux and a C compiler (Debian: gcc and libc6-dev)")
    library = folder / f"{name}.so"
    made = subprocess.run(
        [compiler, "-shared", "-fPIC", "-O2", "-Wall", "-o", library, _SOURCES / f"{name}.c", "-ldl", "-pthread"],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        raise NotHere(f"the C compiler here cannot build it: {made.stderr.strip().splitlines()[-1]}")
    return library
