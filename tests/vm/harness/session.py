# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every front end does first: kernel and initramfs brought up to date, a machine made of them."""
import functools
import subprocess
import sys

from . import image, kernel, ram
from .machine import Machine
from .paths import ROOT, BUILD, HarnessError


class Session:
    """Everything that machines share: read once, used by all."""

    def __init__(self):
        _build_programs()
        root = kernel.package()
        self.kernel = ram.Kernel(kernel.vmlinux(root), kernel.bzimage(root))
        self.initrd, self.paths, self.missing = image.build(kernel.module_dir(root))
        ram.rom()
        for source in self.missing:
            print(f"  vm       not built, left out: {source}", file=sys.stderr)

    @functools.cached_property
    def boot(self):
        """Makes a machine; see Machine for the arguments."""
        return functools.partial(Machine, self.kernel, self.initrd)


def _build_programs():
    """Test programs are the machine's own: a stale one must never run."""
    done = subprocess.run(["make", "-s", "--no-print-directory", "-C", ROOT, f"B={BUILD}",
                           "vm-progs"])
    if done.returncode:
        raise HarnessError("the test programs do not build")
