# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernels that scripts of tests/vm keep in ~/.cache/dune; only looks for them."""
import os
import subprocess
from pathlib import Path

from .paths import BUILD, ROOT, VM, HarnessError


def root(script, target):
    """The folder that a script fills: with boot/ and lib/modules/, like an unpacked package."""
    done = subprocess.run([VM / script, "--path"], cwd=ROOT,
                          env={**os.environ, "B": str(BUILD)}, capture_output=True, text=True)
    path = Path(done.stdout.strip())
    if done.returncode or not (path / "boot").is_dir():
        raise HarnessError(f"that kernel is not there: run `make {target}`, which brings it")
    return path
