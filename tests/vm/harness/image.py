# SPDX-License-Identifier: LGPL-2.1-or-later
"""The initramfs: packs what the manifest names into uncompressed cpio members, again only when
something changed, and puts an archive together for each boot. What is not built yet is left out and
reported."""
import fcntl
import json
import os
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .manifest import Entry, complete, expand
from .paths import OUT, step

LOCK = OUT / "initramfs.lock"


def _content(entry):
    if stat.S_ISLNK(entry.kind):
        return entry.source.encode()
    if not stat.S_ISREG(entry.kind):
        return b""
    if not entry.strip:
        return Path(entry.source).read_bytes()
    work = OUT / "stripped"
    subprocess.run(["strip", *entry.strip, "-o", work, entry.source], check=True)
    data = work.read_bytes()
    work.unlink()
    return data


def member(entry, inode, data):
    """One archive member in the "newc" format (Documentation/driver-api/early-userspace)."""
    name = entry.dest.lstrip("/").encode() + b"\0"
    fields = (inode, entry.kind | entry.mode, entry.uid, entry.uid, 1, 0, len(data), 0, 0,
              *entry.device, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


TRAILER = member(Entry("TRAILER!!!", 0, 0), 0, b"")


@dataclass(frozen=True)
class Image:
    """Everything that can be in the machine."""
    members: bytes
    index: list         # of (path, words, offset, bytes)
    missing: list       # manifest sources that do not exist

    def paths(self):
        return {path for path, *_ in self.index}

    def archive(self, text=None):
        """An initramfs for a case that mentions `text`; without it, of everything."""
        parts = [self.members[at:at + size] for _, words, at, size in self.index
                 if text is None or not words or any(word in text for word in words)]
        return b"".join(parts) + TRAILER


def _cache(flavour):
    """Two files: all members, one after the other; where each is, and what they were made of."""
    return OUT / f"initramfs.{flavour.name}.members", OUT / f"initramfs.{flavour.name}.json"


def _stamp(path):
    info = os.stat(path)
    return [info.st_mtime_ns, info.st_size]


def _is_current(members, old, rows, missing):
    """True when neither the expanded manifest nor a file behind it changed."""
    if not members.exists() or old.get("rows") != rows or old["missing"] != missing:
        return False
    try:
        return all(_stamp(path) == stamp for path, stamp in old["stamps"].items())
    except OSError:
        return False


def _pack(members, entries):
    """Writes all members; returns their index."""
    index, offset = [], 0
    part = members.with_suffix(".part")
    with open(part, "wb") as out:
        for inode, entry in enumerate(entries, 1):
            data = member(entry, inode, _content(entry))
            index.append((entry.dest, entry.words, offset, len(data)))
            offset += len(data)
            out.write(data)
    part.rename(members)
    return index


def build(flavour, kernel_modules):
    """Brings a flavour's members up to date; returns the Image."""
    members, cache = _cache(flavour)
    OUT.mkdir(parents=True, exist_ok=True)
    with open(LOCK, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)        # two runners at once build it once
        expanded, missing = expand(flavour.kmod, kernel_modules)
        rows = [repr(entry) for entry in expanded]
        try:
            state = json.loads(cache.read_text())
        except (OSError, ValueError):
            state = {}
        if not _is_current(members, state, rows, missing):
            with step("packing the initramfs"):
                entries = complete(expanded)
                state = {"rows": rows, "missing": missing,
                         "stamps": {e.source: _stamp(e.source) for e in entries
                                    if stat.S_ISREG(e.kind)}}
                state["index"] = _pack(members, entries)
                cache.write_text(json.dumps(state))
        return Image(members.read_bytes(), state["index"], missing)
