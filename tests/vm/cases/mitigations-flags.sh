# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# CPU flags that the emulator lacks are pretended (setcap.ko): with each of them a null exit executes what belongs to
# it, which the exact count of instructions shows, and programs still run. (By name the instructions are listed by
# tests/bench/profile --cmdline "mitigations=auto BENCH_FLAGS=kernel_ibrs" null_exit.)
. /lib/guest-lib.sh

# measure FLAG [PARAMETER...]: loads the module with one flag more (-FLAG: one less) and sets cost, instructions of a null
# exit.
measure() {
	flag=$1
	shift
	expect insmod /modules/setcap.ko flags="$flag"
	expect rmmod setcap
	load_dune "$@"
	expect env BENCH_MARK=null_exit /progs/mkctx 0 /progs/bench_ring0 FD >/tmp/row
	wait_for 5 "allocations to return to zero" /progs/raw_info --zero
	expect rmmod dune
	cost=$(cut -f3 /tmp/row)
	cost=${cost%.*}
	echo "null exit with $flag: $cost"
}

# more WHAT LEAST MOST: than before.
more() {
	added=$((cost - before))
	if [ $added -lt "$2" ] || [ $added -gt "$3" ]; then
		fail "$1 costs $added instructions, not $2 to $3"
	fi
	before=$cost
}

# Without its flag VERW is jumped over; with it there is a no-op in the jump's place.
measure -clear_cpu_buf force_l1tf=1
before=$cost
measure clear_cpu_buf force_l1tf=1
more "VERW before every entry" 1 1
measure mmio_clears force_l1tf=1
more "VERW for those who reach a device" 1 8
before=$((before - added))
# From here on no force is needed.
measure flush_l1d
more "flushing L1D" 3 8
measure kernel_ibrs
more "writing IBRS" 3 6
without_loop=$cost
measure bhb_loop
more "clearing branch history" 90 130
load_dune
start_duned
info=$(dunectl info)
echo "$info"
expect_match "L1TF" "$info" "^l1tf  *mitigated  *L1D is flushed before every entry, SMT is off"
expect_match "Spectre v2" "$info" "^spectre_v2  *mitigated  *IBRS is written and the return stack"
stop_duned
expect rmmod dune
sh /cases/launch.sh || fail "launch.sh: $?"
before=$without_loop
measure ibpb
more "IBPB, which needs no loop" 3 90
measure rsb_vmexit_lite
more "one call instead of a full return stack" -140 -20
pass
