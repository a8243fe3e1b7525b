# SPDX-License-Identifier: LGPL-2.1-or-later
"""The initramfs: reads the manifest, packs what it names into one uncompressed cpio archive, and does
so again only when something changed. What is not built yet is left out and reported by name."""
import fcntl
import glob
import json
import os
import re
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .paths import BUILD, OUT, VM, HarnessError, step

MANIFEST = VM / "manifest"
CPIO = OUT / "initramfs.cpio"
STATE = OUT / "initramfs.json"


@dataclass(frozen=True)
class Entry:
    """One row of the manifest after expansion: something at a path in the machine."""
    dest: str
    kind: int               # stat.S_IF*
    mode: int = 0o755
    uid: int = 0
    source: str = ""        # host path of a file, or a link's target
    device: tuple = (0, 0)
    strip: bool = False


def _source_root(word, kernel_modules):
    """Expands the prefix of a manifest source to a host path."""
    prefix, _, rest = word.partition(":")
    roots = {"build": BUILD, "here": VM, "tree": VM.parent.parent, "kernel": kernel_modules,
             "host": Path("/")}
    if prefix not in roots:
        raise HarnessError(f"{MANIFEST}: unknown source {word}")
    return str(roots[prefix] / rest.lstrip("/"))


def _rows():
    for number, line in enumerate(MANIFEST.read_text().splitlines(), 1):
        words = line.split("#")[0].split()
        if words:
            yield number, words


def _files(words, kernel_modules):
    """(entries, missing) of a row that takes files from the host."""
    kind, dest, source = words[:3]
    mode = int(words[3], 8) if len(words) > 3 else (0o755 if kind == "prog" else 0o644)
    pattern = _source_root(source, kernel_modules)
    found = [p for p in sorted(glob.glob(pattern)) if os.path.isfile(p)]
    if kind == "prog":
        found = [p for p in found if os.access(p, os.X_OK)]
    entries = []
    for path in found:
        name = dest + os.path.basename(path) if dest.endswith("/") else dest
        entries.append((Entry(name, stat.S_IFREG, mode, source=path, strip=kind == "kmod"),
                        kind == "prog"))
    return entries, ([] if found else [source])


def _applets(folder, busybox):
    """A link to busybox for every command it has."""
    names = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout
    return [(Entry(f"{folder}/{name}", stat.S_IFLNK, 0o777, source="/bin/busybox"), False)
            for name in names.split() if name != "busybox"]


def _expand(kernel_modules):
    """All rows: ([(Entry, is_program)], [sources that do not exist])."""
    entries, missing = [], []
    for number, words in _rows():
        kind = words[0]
        try:
            if kind == "dir":
                mode = int(words[2], 8) if len(words) > 2 else 0o755
                uid = int(words[3]) if len(words) > 3 else 0
                entries.append((Entry(words[1], stat.S_IFDIR, mode, uid), False))
            elif kind == "link":
                entries.append((Entry(words[1], stat.S_IFLNK, 0o777, source=words[2]), False))
            elif kind == "char":
                device = (int(words[2]), int(words[3]))
                entries.append((Entry(words[1], stat.S_IFCHR, 0o600, device=device), False))
            elif kind == "applets":
                entries += _applets(words[1], _source_root(words[2], kernel_modules))
            elif kind in ("file", "prog", "kmod"):
                new, absent = _files(words, kernel_modules)
                entries += new
                missing += absent
            else:
                raise ValueError(f"unknown kind {kind}")
        except (IndexError, ValueError) as error:
            raise HarnessError(f"{MANIFEST}:{number}: {error}") from error
    return entries, missing


def _libraries(program):
    """Shared libraries and interpreter that a program needs, as ldd names them."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True)
    if "not found" in done.stdout:
        raise HarnessError(f"{program}: {done.stdout.strip()}")
    return re.findall(r"(?:=> |^\s*)(/\S+)", done.stdout, re.MULTILINE)


def _with_libraries(entries):
    result = {entry.dest: entry for entry, _ in entries}
    for entry, is_program in entries:
        if is_program:
            for library in _libraries(entry.source):
                result.setdefault(library, Entry(library, stat.S_IFREG, 0o755, source=library))
    return _with_parents(result)


def _with_parents(entries):
    """Adds the folders that nobody named; parents come before children."""
    for dest in list(entries):
        for parent in Path(dest).parents:
            if str(parent) != "/":
                entries.setdefault(str(parent), Entry(str(parent), stat.S_IFDIR))
    return [entries[dest] for dest in sorted(entries)]


def _content(entry):
    if stat.S_ISLNK(entry.kind):
        return entry.source.encode()
    if not stat.S_ISREG(entry.kind):
        return b""
    if not entry.strip:
        return Path(entry.source).read_bytes()
    # Without its signature and BTF a module loads with half a thousand million instructions less.
    # Symbols stay: backtraces need the names.
    work = OUT / "stripped.ko"
    subprocess.run(["objcopy", "--strip-debug", "-R", ".BTF", "-R", ".BTF_ids",
                    entry.source, work], check=True)
    data = work.read_bytes()
    work.unlink()
    return data


def _record(entry, inode, data):
    """One archive member in the "newc" format (Documentation/driver-api/early-userspace)."""
    name = entry.dest.lstrip("/").encode() + b"\0"
    fields = (inode, entry.kind | entry.mode, entry.uid, entry.uid, 1, 0, len(data), 0, 0,
              *entry.device, len(name), 0)
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + name
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


def _write_cpio(entries):
    part = CPIO.with_suffix(".part")
    with open(part, "wb") as out:
        for inode, entry in enumerate(entries, 1):
            out.write(_record(entry, inode, _content(entry)))
        out.write(_record(Entry("/TRAILER!!!", 0, 0), 0, b""))
    part.rename(CPIO)


def _stamp(path):
    info = os.stat(path)
    return [info.st_mtime_ns, info.st_size]


def _state(entries, missing, expanded):
    return {"rows": [repr(row) for row in expanded], "missing": missing,
            "stamps": {e.source: _stamp(e.source) for e in entries if stat.S_ISREG(e.kind)},
            "paths": [e.dest for e in entries]}


def _is_current(old, expanded, missing):
    """True when neither the expanded manifest nor a file behind it changed."""
    if not CPIO.exists() or old.get("rows") != [repr(row) for row in expanded]:
        return False
    try:
        return old["missing"] == missing and all(
            _stamp(path) == stamp for path, stamp in old["stamps"].items())
    except OSError:
        return False


def build(kernel_modules):
    """Brings the archive up to date; returns (its bytes, paths in it, sources that are missing)."""
    OUT.mkdir(parents=True, exist_ok=True)
    with open(OUT / "initramfs.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)        # two runners at once build it once
        expanded, missing = _expand(kernel_modules)
        try:
            state = json.loads(STATE.read_text())
        except (OSError, ValueError):
            state = {}
        if not _is_current(state, expanded, missing):
            with step("packing the initramfs"):
                entries = _with_libraries(expanded)
                state = _state(entries, missing, expanded)
                _write_cpio(entries)
                STATE.write_text(json.dumps(state))
        return CPIO.read_bytes(), set(state["paths"]), missing
