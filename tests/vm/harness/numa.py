# SPDX-License-Identifier: LGPL-2.1-or-later
"""A machine of several memory nodes: the emulator's BIOS has no SRAT, so the kernel finds one at the
start of its initramfs (Documentation/admin-guide/acpi/initrd_table_override.rst)."""
import stat
import struct

from .image import member
from .manifest import Entry

MB = 1 << 20
ENABLED = 1
TABLE = "kernel/firmware/acpi/srat.aml"


def _cpu(apic_id):
    """Processor Local APIC/SAPIC Affinity (ACPI 5.2.16.1). All are of one package, so of one node."""
    return struct.pack("<BBBBIB3sI", 0, 16, 0, apic_id, ENABLED, 0, b"\0\0\0", 0)


def _memory(node, start, size):
    """Memory Affinity (ACPI 5.2.16.2)."""
    return struct.pack("<BBIHQQIIQ", 1, 40, node, 0, start, size, 0, ENABLED, 0)


def _srat(structures):
    body = struct.pack("<IQ", 1, 0) + b"".join(structures)
    head = struct.pack("<4sIBB6s8sI4sI", b"SRAT", 36 + len(body), 3, 0, b"DUNE", b"DUNESRAT", 1,
                       b"DUNE", 1)
    table = bytearray(head + body)
    table[9] = -sum(table) & 0xFF
    return bytes(table)


def table(nodes, smp, memory_mb):
    """What goes before the initramfs; nothing for one node. Memory is dealt out evenly."""
    if nodes == 1:
        return b""
    size = memory_mb // nodes * MB
    structures = [_cpu(cpu) for cpu in range(smp)]
    structures += [_memory(node, node * size, size) for node in range(nodes)]
    return member(Entry(TABLE, stat.S_IFREG, 0o644), 0, _srat(structures))
