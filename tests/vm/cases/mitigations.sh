# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# With the kernel's mitigations on: the module refuses a CPU with L1TF whose L1D can't be flushed, by name, runs
# when told to, and says of each bug in /proc/cpuinfo what it means for guests. These CPUs have no microcode
# updates. The argument is how spectre_v2 is to be mitigated.
. /lib/guest-lib.sh

has_bug() {
	grep -m1 '^bugs' /proc/cpuinfo | grep -qw "$1"
}

# Bug, state, how: where the CPU has it, in a line of its own.
expect_bug() {
	has_bug "$1" || return 0
	expect_match "the bug" "$info" "^$1  *$2  *$3"
}

# The code of the world switch has these bytes in it, as it is run.
expect_code() {
	echo "$code" | grep -Eq "$2" || fail "no code that has to $1: $2"
}

has_bug l1tf || skip "a CPU without L1TF"
insmod /modules/dune.ko 2>/dev/null && fail "loaded on a CPU with L1TF"
expect_match "the kernel log" "$(dmesg)" "dune: this machine lacks microcode that can flush L1D"
expect_match "doctor" "$(dunectl doctor)" "^fail  *l1tf  *.*microcode that can't flush L1D"
load_dune force_l1tf=1
# (The debug kernel has no /proc/kcore.)
if [ -e /proc/kcore ]; then
	code=$(/progs/kernel_text "$(cat /sys/module/dune/sections/.noinstr.text)" 4096) || fail "no code"
	# mov (%rax), %rax; a no-op where a jump was; verw; jnc; vmresume: nothing that touches data comes after VERW.
	has_bug mds && expect_code "clear CPU buffers" "48 8b 00 (66 90 )?0f 00 2d .. .. .. .. 73 05 0f 01 c3"
	# xor of the nine registers that the caller may not rely on; pop of the other six.
	expect_code "clear registers" "31 c0 31 c9 31 d2 31 f6 31 ff 45 31 c0 45 31 c9 45 31 d2 45 31 db 5b 41 5c 41 5d 41 5e 41 5f 5d"
fi
start_duned
info=$(as_user alice dunectl info)
echo "$info"
expect_bug l1tf vulnerable "L1D is never flushed .force_l1tf."
expect_bug mds vulnerable "VERW before every entry, but no microcode for it"
expect_bug mmio_stale_data vulnerable "VERW before every entry, but no microcode for it"
expect_bug spectre_v2 mitigated "${1:-retpolines}"
expect_bug itlb_multihit mitigated "only 4 KB pages are executable in EPT"
expect_bug retbleed vulnerable "nothing is done"
expect_bug gds as_process microcode
expect_bug cpu_meltdown not_affected nothing
# One line for each bug that Linux knows of, and no other.
listed=$(echo "$info" | sed '1,/^BUG OF THE CPU/d' | cut -d' ' -f1 | sort)
known=$(sed -n 's/^bugs[^:]*: //p;/^$/q' /proc/cpuinfo | tr ' ' '\n' | sort)
expect_equal "the bugs" "$listed" "$known"
stop_duned
expect rmmod dune
exec sh /cases/launch.sh force_l1tf=1
