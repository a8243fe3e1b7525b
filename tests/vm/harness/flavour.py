# SPDX-License-Identifier: LGPL-2.1-or-later
"""The kernels that the machine can boot: what each costs, and where it and its dune.ko come from.
Builds and downloads nothing itself."""
from dataclasses import dataclass
from functools import partial
from typing import Callable

from . import cached, kernel
from .machine import IPS
from .paths import OUT


@dataclass(frozen=True)
class Flavour:
    name: str
    root: Callable          # -> a folder with boot/ and lib/modules/
    kmod: str               # folder below build/ that holds dune.ko for it
    patience: int = 1       # every wall-clock limit is so many times as long
    memory: int = 0         # MB that it needs on top of a case's
    cmdline: tuple = ()
    ips: int = IPS          # emulated instructions per virtual second
    hide: tuple = ()        # CPU features

    @property
    def logs(self):
        return OUT / ("logs" if self.name == "cloud" else f"logs-{self.name}")


# The debug kernel takes ten times the instructions for the same, but limits in virtual time have to
# hold. ht: UBSAN finds a shift by -1 in what the kernel computes from Bochs's topology, 6.12
# warns of it. Switched off, because they take too long: checks of objects, of leaks but in the case
# that is about them (both are compiled in), poison in struct page.
FLAVOURS = {flavour.name: flavour for flavour in (
    Flavour("cloud", kernel.package, "kmod"),
    Flavour("amd64", partial(kernel.package, kernel.AMD64), "kmod-amd64", memory=64),
    Flavour("debian13", partial(cached.root, "debian13", "check-kernels"), "kmod-debian13",
            memory=64, hide=("ht",)),
    Flavour("debug", partial(cached.root, "debug-kernel", "check-debug"), "kmod-debug",
            patience=10, memory=64, ips=10 * IPS, hide=("ht", "monitor"),
            cmdline=("kmemleak=off", "no_debug_objects", "vm_debug=-")),
)}
