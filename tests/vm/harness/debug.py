# SPDX-License-Identifier: LGPL-2.1-or-later
"""The debug kernel that tests/vm/debug-kernel builds; only looks for it."""
import os
import subprocess
from pathlib import Path

from .paths import BUILD, ROOT, VM, HarnessError


def root():
    """The folder of the debug kernel: with boot/ and lib/modules/, like an unpacked package."""
    done = subprocess.run([VM / "debug-kernel", "--path"], cwd=ROOT,
                          env={**os.environ, "B": str(BUILD)}, capture_output=True, text=True)
    path = Path(done.stdout.strip())
    if done.returncode or not (path / "boot").is_dir():
        raise HarnessError("there is no debug kernel: run `make check-debug`, which builds it")
    return path
