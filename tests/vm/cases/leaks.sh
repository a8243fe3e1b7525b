# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Nothing that the kernel allocated is left without an owner: after contexts came and went, after each of their
# allocations failed once, and after the module is gone. Needs a kernel that looks for such things: the debug kernel.
. /lib/guest-lib.sh

leaks=/sys/kernel/debug/kmemleak

# expect_no_leaks WHEN
expect_no_leaks() {
	# It passes over what is younger than five seconds, and counts on the second look.
	sleep 6
	echo scan >$leaks || fail "kmemleak has given up"
	echo scan >$leaks
	found=$(head -n 60 $leaks)
	[ -z "$found" ] || {
		echo "$found"
		fail "not freed $1"
	}
}

mount -t debugfs none /sys/kernel/debug
[ -e $leaks ] || skip "this kernel does not look for leaks"
expect sh -c "echo scan=off >$leaks"
sleep 6
expect sh -c "echo scan >$leaks; echo clear >$leaks"
load_dune
expect /progs/raw_many 10
let_allocations_fail
expect /progs/raw_fail 400
expect_no_leaks "by what failed"
start_duned
expect as_user alice dunectl launch -- /bin/busybox true
stop_duned
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect_no_leaks "by a program"
expect rmmod dune
expect_no_leaks "by the module's end"
pass
