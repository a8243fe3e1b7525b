# SPDX-License-Identifier: LGPL-2.1-or-later
"""Debian's stock kernels: fetches the package that matches the installed headers and unpacks its
vmlinux. Never installs a kernel on the host: files only land below build/vm/."""
import re
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

from .paths import OUT, HarnessError, step

CLOUD, AMD64 = "cloud-amd64", "amd64"       # Debian's flavours

# How a bzImage says where its payload is (Documentation/arch/x86/boot.rst).
SETUP_SECTS = 0x1F1
PAYLOAD_OFFSET = 0x248

# Payload magic -> the filter that unpacks it. All but xz carry the unpacked size in 4 last bytes,
# which lz4 and xz ignore and zstd does not.
FILTERS = (
    (b"\x02\x21\x4c\x18", ["lz4", "-dc"], 0),
    (b"\xfd7zXZ\x00", ["xz", "-dc", "--single-stream"], 0),
    (b"\x28\xb5\x2f\xfd", ["zstd", "-dc"], 4),
)


def release(flavour):
    """The kernel release whose headers build the module, and the version of their package."""
    meta = f"linux-headers-{flavour}"
    query = subprocess.run(["dpkg-query", "-W", "-f=${Depends}", meta],
                           capture_output=True, text=True)
    match = re.search(r"linux-headers-(\S+) \(= ([^)]+)\)", query.stdout)
    if not match:
        raise HarnessError(f"{meta} is not installed: apt-get install {meta}")
    return match.group(1), match.group(2)


def _download(package, version, into, flavour):
    """Fetches one .deb with apt-get (which checks its signature); returns its path."""
    done = subprocess.run(["apt-get", "download", "-q", f"{package}={version}"], cwd=into,
                          capture_output=True, text=True)
    debs = list(Path(into).glob("*.deb"))
    if done.returncode or not debs:
        raise HarnessError(
            f"cannot download {package}={version}, apt-get says:\n{done.stderr.strip()}\n"
            f"If Debian has a newer one: apt-get update && apt-get install linux-headers-{flavour}")
    return debs[0]


def package(flavour=CLOUD):
    """The unpacked kernel package: a folder with boot/ and lib/modules/."""
    rel, version = release(flavour)
    target = OUT / "kernel" / f"{rel}_{version}"
    if target.is_dir():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(dir=target.parent))
    try:
        with step(f"downloading Debian's kernel package linux-image-{rel}"):
            deb = _download(f"linux-image-{rel}", version, work, flavour)
        with step("unpacking it"):
            subprocess.run(["dpkg-deb", "-x", deb, work / "root"], check=True)
        deb.unlink()
        try:
            (work / "root").rename(target)
        except OSError:
            if not target.is_dir():     # else somebody else was faster
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return target


def bzimage(root):
    """The compressed kernel of an unpacked package."""
    found = sorted((root / "boot").glob("vmlinuz-*"))
    if not found:
        raise HarnessError(f"no boot/vmlinuz-* in {root}")
    return found[-1]


def module_dir(root):
    """The folder that holds arch/, drivers/, ... of an unpacked package's modules."""
    return next((root / "lib" / "modules").iterdir()) / "kernel"


def vmlinux(root):
    """The unpacked ELF kernel; made once per package."""
    target = root / "vmlinux"
    if target.exists():
        return target
    image = bzimage(root).read_bytes()
    offset, length = struct.unpack_from("<II", image, PAYLOAD_OFFSET)
    start = (image[SETUP_SECTS] + 1) * 512 + offset
    payload = image[start:start + length]
    for magic, command, trailer in FILTERS:
        if payload.startswith(magic):
            break
    else:
        raise HarnessError(f"{bzimage(root)}: unknown compression {payload[:6].hex()}")
    payload = payload[:len(payload) - trailer]
    # lz4 and xz complain about the size field at the end: the result is judged, not the status.
    data = subprocess.run(command, input=payload, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL).stdout
    if not data.startswith(b"\x7fELF"):
        raise HarnessError(f"{bzimage(root)}: {command[0]} did not give an ELF kernel")
    part = target.with_suffix(".part")
    part.write_bytes(data)
    part.rename(target)
    return target
