# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Copies of the area in a child, and a module that stays while a process is attached.
. /lib/guest-lib.sh

load_dune
for prog in raw_fork raw_bare; do
	/progs/$prog >/tmp/out &
	pid=$!
	wait_for 5 "$prog" grep -q attached /tmp/out
	rmmod dune 2>/dev/null && fail "the module was unloaded under an attached process ($prog)"
	kill -9 $pid
	wait $pid
	expect_equal "status of $prog" $? 137
	wait_for 5 "allocations to return to zero" /progs/raw_info --zero
	: >/tmp/out
done
expect rmmod dune
pass
