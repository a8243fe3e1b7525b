# SPDX-License-Identifier: LGPL-2.1-or-later
"""The boot image: a file that Bochs copies into the machine's memory, and the option ROM that
starts what is in it. Replaces boot loader, decompressor and disk: so a boot takes seconds.

Layout, in blocks of 128 KB (see boot.asm for why blocks matter):

    0               header, page tables, boot_params, random seed, command line; at IMAGE_ADDR
    1 .. PADS       tagged padding, to absorb blocks that the BIOS touched before us
    then            the kernel, at the physical address its ELF header names
    then            the initramfs, at the next 2 MB boundary
"""
import hashlib
import struct
import subprocess

from .paths import OUT, VM, HarnessError

BLOCK = 0x20000
IMAGE_ADDR = 0x200000
PADS = 32
MAGIC = b"DUNEBOOT"
PAD_MAGIC = b"DPAD"

# Offsets in block 0; boot.asm has the first three.
PAGE_TABLES = 0x2000
BOOT_PARAMS = 0x8000
SETUP_DATA = 0x9000
CMDLINE = 0xA000
CMDLINE_MAX = 2048

# What tools/relocs of the kernel's build appends to the ELF file: three lists that are read from the
# end, each up to a zero, of addresses: words to add to, offsets from per-CPU data to subtract from,
# quadwords to add to.
SECTION_HEADER = 64
KERNEL_MAP = 0xFFFFFFFF80000000
KASLR_DELTA = 0x1A600000        # any multiple of 2 MB below 1 GB less the kernel

MB = 1 << 20
ACPI_BYTES = 0x10000            # Bochs's BIOS keeps its tables at the end of memory
RAM, RESERVED, ACPI = 1, 2, 3   # e820 types

# Fields of boot_params (Documentation/arch/x86/boot.rst and zero-page.rst).
E820_ENTRIES, HEADER, HEADER_LENGTH, VID_MODE = 0x1E8, 0x1F1, 0x201, 0x1FA
LOADER_TYPE, LOAD_FLAGS, RAMDISK, CMD_LINE_PTR = 0x210, 0x211, 0x218, 0x228
SETUP_DATA_PTR, E820_TABLE = 0x250, 0x2D0
SETUP_RNG_SEED = 9


class Kernel:
    """A vmlinux laid flat."""

    def __init__(self, elf, bzimage):
        data = elf.read_bytes()
        self.header = bzimage.read_bytes()[:4096]
        self.entry, phoff = struct.unpack_from("<QQ", data, 24)
        count, = struct.unpack_from("<H", data, 56)
        segments = []
        for i in range(count):
            kind, _, offset, _, paddr, filesz, memsz, _ = struct.unpack_from(
                "<IIQQQQQQ", data, phoff + 56 * i)
            if kind == 1:       # PT_LOAD
                segments.append((paddr, offset, filesz, memsz))
        self.base = min(s[0] for s in segments)
        self.end = max(s[0] + s[3] for s in segments)
        flat = bytearray(max(s[0] + s[2] for s in segments) - self.base)
        for paddr, offset, filesz, _ in segments:
            at = paddr - self.base
            flat[at:at + filesz] = data[offset:offset + filesz]
        self.flat = bytes(flat)
        shoff, = struct.unpack_from("<Q", data, 40)
        shnum, = struct.unpack_from("<H", data, 60)
        tail = data[shoff + shnum * SECTION_HEADER:]
        self.relocations = [n for n, in struct.iter_unpack("<i", tail[:len(tail) & ~3])]

    def moved(self):
        """`flat` linked KASLR_DELTA higher, which is what the decompressor does for KASLR."""
        flat, table = bytearray(self.flat), list(self.relocations)
        for field, sign in (("<I", 1), ("<i", -1), ("<Q", 1)):
            while address := table.pop():
                at = (address & 0xFFFFFFFF) - (KERNEL_MAP & 0xFFFFFFFF) - self.base
                value, = struct.unpack_from(field, flat, at)
                struct.pack_into(field, flat, at, value + sign * KASLR_DELTA)
        return bytes(flat)


def _blocks(data):
    return data + bytes(-len(data) % BLOCK)


def _e820(top):
    return ((0, 0x9FC00, RAM), (0x9FC00, 0x400, RESERVED), (0xE8000, 0x18000, RESERVED),
            (0x100000, top - ACPI_BYTES - 0x100000, RAM), (top - ACPI_BYTES, ACPI_BYTES, ACPI),
            (0xFFFC0000, 0x40000, RESERVED))


def _put_page_tables(block):
    """4 GB, identity, 2 MB pages: a PML4, a PDPT and four page directories."""
    table = IMAGE_ADDR + PAGE_TABLES
    struct.pack_into("<Q", block, PAGE_TABLES, (table + 0x1000) | 3)
    for gb in range(4):
        struct.pack_into("<Q", block, PAGE_TABLES + 0x1000 + 8 * gb,
                         (table + 0x2000 + 0x1000 * gb) | 3)
    for page in range(4 * 512):
        struct.pack_into("<Q", block, PAGE_TABLES + 0x2000 + 8 * page, page << 21 | 0x83)


def _put_boot_params(block, kernel, initrd_addr, initrd_len, top, kaslr):
    params = bytearray(4096)
    end = HEADER_LENGTH + 1 + kernel.header[HEADER_LENGTH]
    params[HEADER:end] = kernel.header[HEADER:end]
    params[LOADER_TYPE] = 0xFF          # a loader without a number of its own
    # protected mode code at 1 MB and up; bit 1 has the kernel choose where its direct map is
    params[LOAD_FLAGS] |= 3 if kaslr else 1
    struct.pack_into("<H", params, VID_MODE, 0xFFFF)
    struct.pack_into("<II", params, RAMDISK, initrd_addr, initrd_len)
    struct.pack_into("<I", params, CMD_LINE_PTR, IMAGE_ADDR + CMDLINE)
    struct.pack_into("<Q", params, SETUP_DATA_PTR, IMAGE_ADDR + SETUP_DATA)
    table = _e820(top)
    params[E820_ENTRIES] = len(table)
    for i, entry in enumerate(table):
        struct.pack_into("<QQI", params, E820_TABLE + 20 * i, *entry)
    block[BOOT_PARAMS:BOOT_PARAMS + 4096] = params


def _put_seed(block):
    """A fixed random seed: getrandom() answers at once, and a boot repeats to the instruction."""
    seed = hashlib.sha256(b"dune test machine").digest()
    struct.pack_into("<QII", block, SETUP_DATA, 0, SETUP_RNG_SEED, len(seed))
    block[SETUP_DATA + 16:SETUP_DATA + 16 + len(seed)] = seed


def write_image(path, kernel, initrd, cmdline, memory_mb, kaslr=False):
    """Writes the memory image for one boot."""
    top = memory_mb * MB
    initrd_addr = (kernel.end + 2 * MB - 1) & -(2 * MB)
    flat, packed = _blocks(kernel.moved() if kaslr else kernel.flat), _blocks(initrd)
    if initrd_addr + len(packed) > top - 16 * MB:
        raise HarnessError(f"kernel and initramfs do not fit into {memory_mb} MB")
    text = cmdline.encode() + b"\0"
    if len(text) > CMDLINE_MAX:
        raise HarnessError(f"kernel command line longer than {CMDLINE_MAX} bytes")
    block = bytearray(BLOCK)
    struct.pack_into("<8sIIIIII", block, 0, MAGIC, PADS, kernel.entry,
                     kernel.base, len(flat) // BLOCK, initrd_addr, len(packed) // BLOCK)
    _put_page_tables(block)
    _put_boot_params(block, kernel, initrd_addr, len(initrd), top, kaslr)
    _put_seed(block)
    block[CMDLINE:CMDLINE + len(text)] = text
    with open(path, "wb") as out:
        out.write(block)
        for pad in range(PADS):
            out.write(struct.pack("<4sI", PAD_MAGIC, pad).ljust(BLOCK, b"\0"))
        out.write(flat)
        out.write(packed)


def rom():
    """The option ROM that starts the image; assembled when boot.asm is newer."""
    source, target = VM / "boot.asm", OUT / "boot.rom"
    if target.exists() and target.stat().st_mtime > source.stat().st_mtime:
        return target
    part = target.with_suffix(".part")
    subprocess.run(["nasm", "-f", "bin", "-o", part, source], check=True)
    data = bytearray(part.read_bytes())
    data[-1] = -sum(data[:-1]) & 0xFF   # the BIOS wants the bytes of a ROM to sum up to 0
    part.write_bytes(data)
    part.rename(target)
    return target
