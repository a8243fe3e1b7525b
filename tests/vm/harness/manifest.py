# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the manifest and expands it into what the machine's root file system consists of. Only
looks at the host's files, writes nothing."""
import glob
import os
import re
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .paths import BUILD, ROOT, VM, HarnessError

MANIFEST = VM / "manifest"


@dataclass(frozen=True)
class Entry:
    """Something at a path in the machine."""
    dest: str
    kind: int               # stat.S_IF*
    mode: int = 0o755
    uid: int = 0
    source: str = ""        # host path of a file, or a link's target
    device: tuple = (0, 0)
    strip: tuple = ()       # arguments of strip that make it smaller: every byte costs at boot
    words: tuple = ()       # only for cases that mention one of these; none: for all


def _roots(kmod, kernel_modules):
    """Where sources lie, by their prefix; the first three depend on the kernel."""
    # package/lib/modules/VERSION/kernel, where lib may be a link
    package = kernel_modules.parents[3]
    return {"module": BUILD / kmod, "kernel": kernel_modules, "package": package, "build": BUILD,
            "here": VM, "tree": ROOT, "host": Path("/")}


def _host_pattern(source, roots):
    """Expands the prefix of a manifest source to a host path."""
    prefix, _, rest = source.partition(":")
    if prefix not in roots:
        raise ValueError(f"unknown source {source}")
    return str(roots[prefix] / rest.lstrip("/"))


def _strip(kind, source):
    """Nothing for data and Debian's programs. Without BTF and signature a module loads with half a
    thousand million instructions less; ours keeps its symbols, for the names in backtraces."""
    if kind == "kmod":
        return ("-R", ".BTF", "-R", ".BTF_ids",
                "--strip-unneeded" if source.startswith("kernel:") else "--strip-debug")
    return ("--strip-all",) if kind == "prog" and source.startswith("build:") else ()


def _files(words, wanted_for, pattern):
    """Entries of a row that takes files from the host."""
    kind, dest, source = words[:3]
    mode = int(words[3], 8) if len(words) > 3 else (0o755 if kind == "prog" else 0o644)
    for path in sorted(glob.glob(pattern)):
        if not os.path.isfile(path) or (kind == "prog" and not os.access(path, os.X_OK)):
            continue
        name = os.path.basename(path)
        yield Entry(dest + name if dest.endswith("/") else dest, stat.S_IFREG, mode, source=path,
                    strip=_strip(kind, source),
                    words=tuple(f"/{name}" if word == "NAME" else word for word in wanted_for))


def _applets(folder, busybox):
    """A link to busybox for every command it has."""
    names = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout
    return [Entry(f"{folder}/{name}", stat.S_IFLNK, 0o777, source="/bin/busybox")
            for name in names.split() if name != "busybox"]


def _row(words, wanted_for, roots):
    """(entries, missing sources) of one row."""
    kind, dest = words[:2]
    if kind == "dir":
        mode = int(words[2], 8) if len(words) > 2 else 0o755
        uid = int(words[3]) if len(words) > 3 else 0
        return [Entry(dest, stat.S_IFDIR, mode, uid)], []
    if kind == "char":
        return [Entry(dest, stat.S_IFCHR, 0o600, device=(int(words[2]), int(words[3])))], []
    if kind == "applets":
        return _applets(dest, _host_pattern(words[2], roots)), []
    if kind in ("file", "prog", "kmod"):
        entries = list(_files(words, wanted_for, _host_pattern(words[2], roots)))
        return entries, [] if entries else [words[2]]
    raise ValueError(f"unknown kind {kind}")


def _libraries(program):
    """Shared libraries and interpreter that a program needs, as ldd names them."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True)
    if "not found" in done.stdout:
        raise HarnessError(f"{program}: {done.stdout.strip()}")
    return re.findall(r"(?:=> |^\s*)(/\S+)", done.stdout, re.MULTILINE)


def expand(kmod, kernel_modules):
    """([Entry], [sources that do not exist]), as the manifest's rows say."""
    roots = _roots(kmod, kernel_modules)
    entries, missing = [], []
    for number, line in enumerate(MANIFEST.read_text().splitlines(), 1):
        words = line.split("#")[0].split()
        wanted_for = [word[4:] for word in words if word.startswith("for=")]
        words = [word for word in words if not word.startswith("for=")]
        if not words:
            continue
        try:
            new, absent = _row(words, wanted_for, roots)
        except (IndexError, ValueError) as error:
            raise HarnessError(f"{MANIFEST}:{number}: {error}") from error
        entries += new
        missing += absent
    return entries, missing


def _add_library(result, path, words):
    """A library goes wherever one of its programs goes."""
    have = result.get(path)
    if have and have.words and words:
        words = tuple(sorted(set(have.words + words)))
    elif have:
        words = ()
    result[path] = Entry(path, stat.S_IFREG, 0o755, source=path, words=words)


def complete(entries):
    """Adds shared libraries and the folders that nobody named; parents come before children."""
    result = {entry.dest: entry for entry in entries}
    for entry in entries:
        if entry.kind == stat.S_IFREG and entry.mode & 0o111:
            for library in _libraries(entry.source):
                _add_library(result, library, entry.words)
    for dest in list(result):
        for parent in Path(dest).parents:
            if str(parent) != "/":
                result.setdefault(str(parent), Entry(str(parent), stat.S_IFDIR))
    return [result[dest] for dest in sorted(result)]
