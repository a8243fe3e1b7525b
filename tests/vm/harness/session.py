# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every front end does first: brings kernel and initramfs up to date. Then it makes machines
of them."""
import subprocess
import sys

from . import image, kernel, machine, ram
from .flavour import FLAVOURS
from .paths import BUILD, ROOT, HarnessError


class Session:
    """Everything that machines share: read once, used by all."""

    def __init__(self, flavour="cloud"):
        self.flavour = FLAVOURS[flavour]
        _build_programs()
        root = self.flavour.root()
        self.kernel = ram.Kernel(kernel.vmlinux(root), kernel.bzimage(root))
        self.image = image.build(self.flavour, kernel.module_dir(root))
        ram.rom()
        for source in self.image.missing:
            print(f"  vm       not built, left out: {source}", file=sys.stderr)

    def boot(self, cmdline, text=None, memory=256, **hardware):
        """Makes a machine (see Machine), with what is for everybody and what `text` mentions."""
        words = " ".join((*machine.unless_set(self.flavour.cmdline, cmdline), cmdline))
        return machine.Machine(self.kernel, self.image.archive(text), words,
                               memory=memory + self.flavour.memory, ips=self.flavour.ips,
                               hide=self.flavour.hide, **hardware)


def _build_programs():
    """Nothing stale is ever tested."""
    done = subprocess.run(["make", "-s", "--no-print-directory", "-C", ROOT, f"B={BUILD}",
                           "all", "vm-progs"], stdout=subprocess.DEVNULL)
    if done.returncode:
        raise HarnessError("what is to be tested does not build")
