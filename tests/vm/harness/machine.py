# SPDX-License-Identifier: LGPL-2.1-or-later
"""One booted machine: writes Bochs's configuration, starts it, feeds and watches it, ends it. Knows
nothing about cases. Only ever ends the process it started itself."""
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from . import numa, ram
from .paths import OUT

# Emulated instructions per virtual second. Low values make a boot cheap (delays are short); much
# lower ones let the kernel's own time-outs fire.
IPS = 20_000_000

# Of the machine's memory, what Bochs has in its own at most, in MB; it keeps more in a file.
MAX_HOST_MEMORY = 2048

# What only costs time in a machine that lives for seconds: self-tests, BPF tables, certificates,
# files about slabs, and the files of the tracer but for the cases that read them.
TRACEFS_INITCALL = "tracer_init_tracefs"
INITCALL_BLACKLIST = (
    "ftrace_check_for_weak_functions", "trace_eval_init", "btf_vmlinux_init", "btf_module_init",
    "bpf_rstat_kfunc_init", "bpf_key_sig_kfuncs_init", "kfunc_init", "bpf_prog_test_run_init",
    "bpf_tcp_ca_kfunc_init", "cubictcp_register", "load_system_certificate_list", "load_uefi_certs",
    "crypto_kdf108_init", "slab_sysfs_init")

# loglevel=5 shows warnings and worse on the console: the verdict reads them. An oops is a panic, so
# that it ends the case at once. init_on_alloc=0 is quicker, and memory that nobody cleared shows.
# idle=halt: Bochs's MONITOR lets the TLBs forget the page at the physical address where it should be
# the linear one, so that a CPU in MWAIT may miss a write of the other CPU and sleep until its timer.
CMDLINE = (
    "console=ttyS0,115200", "loglevel=5", "tsc=reliable", "idle=halt",
    "cryptomgr.notests", "mitigations=off", "oops=panic",
    "init_on_alloc=0", "8250.nr_uarts=2", "i8042.noaux", "audit=0",
    "sysrq_always_enabled", "initcall_blacklist=" + ",".join(INITCALL_BLACKLIST))
NO_TRACEFS = f"initcall_blacklist={TRACEFS_INITCALL}"

CONFIG = """\
display_library: term
memory: guest={memory}, host={host_memory}
romimage: file=/usr/share/bochs/BIOS-bochs-latest, options=fastboot
vgaromimage: file={rom}
optramimage1: file={folder}/ram.img, address={image_addr:#x}
cpu: model={model}, count={smp}, ips={ips}, reset_on_triple_fault=0, ignore_bad_msrs=1, \
msrs="/dev/null"
clock: sync=none, time0=1700000000
com1: enabled=1, {com1}
com2: enabled=1, mode=file, dev={folder}/result
log: {folder}/bochs.log
panic: action=fatal
error: action=report
info: action=ignore
debug: action=ignore
speaker: enabled=0
"""

# Name in the table -> (Bochs's name, CPU features that Linux must not see). rdrand and rdseed:
# nothing else is left that makes two boots differ. erms: without it Linux copies words and not
# bytes, which Bochs emulates one by one. aperfmperf: MSRs that Bochs has not. xsaves, xsavec:
# skylake_x misreports the size of a compacted XSAVE area, over which Linux warns and gives up AVX.
MODELS = {
    "haswell_4770": ("corei7_haswell_4770", "rdrand,rdseed,erms,aperfmperf"),
    "broadwell_ult": ("broadwell_ult", "rdrand,rdseed,erms,aperfmperf"),
    "skylake_x": ("corei7_skylake_x", "rdrand,rdseed,erms,aperfmperf,xsaves,xsavec"),
}


def unless_set(words, cmdline):
    """Of the kernel's arguments, those that cmdline does not set itself."""
    own = {word.split("=")[0] for word in cmdline.split()}
    return tuple(word for word in words if word.split("=")[0] not in own)


class Machine:
    """Use as a context manager; afterwards the emulator is gone and its folder removed."""

    def __init__(self, kernel, initrd, cmdline="", smp=1, smt=False, cpu="skylake_x", memory=256,
                 nodes=1, tracefs=False, kaslr=False, terminal_port=None, ips=IPS, hide=()):
        OUT.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(prefix="machine.", dir=OUT))
        self.serial = self.folder / "serial.log"
        self.result = self.folder / "result"
        self.bochs_log = self.folder / "bochs.log"
        self.process = None
        self._master = None
        model, hidden = MODELS[cpu]
        # A case's own arguments replace ours: of audit=0 no later audit=1 takes anything back.
        words = unless_set(CMDLINE, cmdline)
        words += (f"tsc_early_khz={ips // 1000}", f"clearcpuid={','.join((hidden, *hide))}",
                  "" if tracefs else NO_TRACEFS, cmdline)
        initrd = numa.table(nodes, smp, memory) + initrd
        ram.write_image(self.folder / "ram.img", kernel, initrd, " ".join(words).strip(), memory,
                        kaslr)
        com1 = (f"mode=socket-client, dev=127.0.0.1:{terminal_port}" if terminal_port else
                f"mode=file, dev={self.serial}")
        config = CONFIG.format(folder=self.folder, rom=ram.rom(), image_addr=ram.IMAGE_ADDR,
                               memory=memory, host_memory=min(memory, MAX_HOST_MEMORY),
                               model=model, smp=f"1:1:{smp}" if smt else smp,
                               ips=ips, com1=com1)
        (self.folder / "bochsrc").write_text(config)
        # Debian's Bochs has its debugger built in: tell it to continue, and to quit afterwards.
        (self.folder / "debugger").write_text("c\nq\n")

    def __enter__(self):
        # The "term" display wants a terminal of its own; what it draws is thrown away.
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL",      # whatever happens to us
             "bochs-bin", "-q", "-f", self.folder / "bochsrc", "-rc", self.folder / "debugger"],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True, cwd=self.folder,
            env={**os.environ, "TERM": "vt100"})
        os.close(slave)
        threading.Thread(target=self._drain, daemon=True).start()
        return self

    def _drain(self):
        try:
            while os.read(self._master, 65536):
                pass
        except OSError:
            pass        # EIO: the emulator is gone

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)   # Bochs ignores anything gentler
        self.process.wait()
        os.close(self._master)
        shutil.rmtree(self.folder, ignore_errors=True)

    def running(self):
        return self.process.poll() is None

    def ready(self):
        """True once /init has set the machine up."""
        return "ready\n" in read(self.result)

    def end_status(self):
        """Exit status of what ran in the machine, None as long as it runs."""
        # A line without its newline is still being written.
        for line in read(self.result).split("\n")[:-1]:
            if line.startswith("end "):
                return int(line.split()[1])
        return None


def read(path):
    """What the machine has written so far, as text."""
    try:
        return path.read_bytes().decode(errors="replace").replace("\r\n", "\n")
    except FileNotFoundError:
        return ""


class Follower:
    """Copies to standard output what is added to a file."""

    def __init__(self, path):
        self.path = path
        self.offset = 0

    def skip(self):
        """Leaves out everything up to here."""
        self.offset = self.path.stat().st_size

    def show(self):
        if not self.path.exists():
            return
        with open(self.path, "rb") as file:
            file.seek(self.offset)
            data = file.read()
        self.offset += len(data)
        sys.stdout.buffer.write(data.replace(b"\r", b""))
        sys.stdout.buffer.flush()
