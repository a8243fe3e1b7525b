# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where things lie, and how the harness talks to people. Knows nothing about machines."""
import contextlib
import os
import sys
import time
from pathlib import Path

VM = Path(__file__).resolve().parent.parent
ROOT = VM.parent.parent
# The same B as the Makefile's; a relative one is relative to the top of the tree.
BUILD = ROOT / os.environ.get("B", "build")
OUT = BUILD / "vm"

SLOW_SECONDS = 2.0


class HarnessError(Exception):
    """Something outside of the machine is missing or broken; the text says what to do."""


@contextlib.contextmanager
def step(what):
    """Says what is being done, and how long it took when that was more than a moment."""
    print(f"  vm       {what}", file=sys.stderr, flush=True)
    start = time.monotonic()
    yield
    seconds = time.monotonic() - start
    if seconds > SLOW_SECONDS:
        print(f"  vm       {what}: {seconds:.1f} s", file=sys.stderr, flush=True)
