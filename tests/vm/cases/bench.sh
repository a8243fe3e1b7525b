# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Measures what operations cost, natively, under KVM and in contexts, and prints a table between two
# markers. Checks that every row was measured and that their order is the only one that makes sense:
# no figure has a threshold. `bench.sh all` prints every repeat too.
. /lib/guest-lib.sh

rows=/tmp/rows

# With BENCH_MARK only the row of that name is run, for tests/bench/profile, which then has to know
# where the functions of kernel and modules are.
say_symbols() {
	[ -z "$BENCH_MARK" ] || grep -i ' t ' /proc/kallsyms | expect /progs/bench_symbols
}

# KVM comes first, and is gone before the module wants VMX.
measure_kvm() {
	load_kvm
	say_symbols
	expect /progs/bench_kvm
	expect rmmod kvm_intel
	expect rmmod kvm
}

measure_dune() {
	say_symbols
	expect /progs/bench_linux
	[ -n "$BENCH_MARK" ] || cat $rows.kvm
	expect /progs/mkctx 0 /progs/bench_ring0 FD
	expect /progs/mkctx 1000 run /progs/bench_linux guest
	echo Y >/sys/module/dune/parameters/direct_calls
	expect /progs/mkctx 0 /progs/bench_ring0 FD direct
}

case "$BENCH_MARK" in
'') measure_kvm >$rows.kvm ;;
kvm_*) measure_kvm && pass ;;
esac
# The parameter changes nothing but that mitigations can be measured on a CPU with the L1TF bug.
[ -z "$BENCH_FLAGS" ] || expect insmod /modules/setcap.ko flags="$BENCH_FLAGS"
load_dune force_l1tf=1
measure_dune >$rows
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
[ -z "$BENCH_MARK" ] || pass

echo "-- table"
awk -F '\t' '
	BEGIN {
		printf "%-52s %12s %9s %8s %8s\n", "operation", "instructions", "least", "x getpid",
			"VM exits"
	}
	$1 == "native_getpid" { unit = $2 }
	{ printf "%-52s %12.1f %9.1f %8.2f %8s\n", $5, $2, $3, $2 / unit, $4 }
' $rows
[ "$1" != all ] || awk -F '\t' '{ print "all repeats of \"" $5 "\":"; print "  " $6 }' $rows
echo "-- end of table"
# What a debug kernel adds is not the same everywhere: nothing can be said of the order.
[ ! -e /proc/self/fail-nth ] || pass

# Each line: two rows, the first of which does all that the second does and more.
more="getpid null_exit
getpid native_getpid
ring0_syscall getpid
ring3_unknown ring3_syscall
getpid getpid_direct
ring3_getpid getpid
ring3_touch native_touch
ring3_segv native_segv
ring3_drop native_drop
ring3_drop_many ring3_drop
ept_absent ept_present
ept_absent native_touch
ept_present null_exit
kvm_ept kvm_hypercall
null_exit ring3_unknown
trap_libdune trap_ud
trap_pf trap_ud
trap_ud trap_bp
native_segv trap_ud
native_ioctl native_getpid
kvm_user_exit kvm_hypercall"
# Exits per operation: what takes none, and what takes this many (an interrupt may add to it).
none="ring3_syscall trap_libdune trap_ud trap_bp trap_pf ring3_unknown"
some="null_exit=1 cpuid=1 getpid=1 ring0_syscall=1 ring3_getpid=1 ept_present=1
ept_absent=1 ring3_touch=1 getpid_direct=1"
names=$(echo "$more $none native_unknown cpuid" | tr ' ' '\n' | sort -u)

verdict=$(awk -F '\t' -v more="$more" -v names="$names" -v none="$none" -v some="$some" '
	NF != 6 || ($1 in cost) { print "bad line: " $0 }
	{ cost[$1] = $2 + 0; exits[$1] = $4 }
	END {
		for (n = split(names, name, "\n"); n; n--)
			if (!(cost[name[n]] > 0))
				print name[n] " was not measured"
		for (n = split(more, line, "\n"); n; n--) {
			split(line[n], pair, " ")
			if (!(cost[pair[1]] > cost[pair[2]]))
				print pair[1] " is not more than " pair[2]
		}
		for (n = split(none, name, " "); n; n--)
			if (exits[name[n]] != "0.00")
				print name[n] " takes " exits[name[n]] " exits"
		for (n = split(some, line, "[ \n]"); n; n--) {
			split(line[n], pair, "=")
			got = exits[pair[1]] - pair[2]
			if (!(got >= 0 && got < 0.5))
				print pair[1] " takes " exits[pair[1]] " exits, not " pair[2]
		}
		print NR " rows checked"
	}' $rows)
expect_equal "what is wrong with the rows" "$verdict" "28 rows checked"
pass
