# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# When the host wants memory back, contexts give their EPT tables, and get them again.
. /lib/guest-lib.sh

fifo=/tmp/fifo
out=/tmp/out

tables() {
	dunectl --json=short stats s | sed -n 's/.*"ept_pages_now":\([0-9]*\).*/\1/p'
}

# written COUNT: so many rounds have been.
written() {
	[ "$(grep -c written $out)" -eq "$1" ]
}

load_dune
start_duned
mkfifo -m 666 $fifo
as_user alice dunectl launch --name s -- /progs/sparse hold <$fifo >$out &
exec 3>$fifo
for round in 1 2 3; do
	wait_for 10 "round $round" written $round
	before=$(tables)
	[ "$before" -gt 500 ] || fail "only $before EPT tables for 512 touched regions"
	# What the kernel does when it is short of memory, for every cache with a shrinker.
	echo 2 >/proc/sys/vm/drop_caches
	after=$(tables)
	note "round $round: $before tables, $after afterwards"
	[ "$after" -lt $((before / 10)) ] || fail "$after of $before EPT tables are left"
	echo >&3
done
exec 3>&-
wait $!
expect_equal "status" $? 0
expect_match "output" "$(cat $out)" "^sparse: verified$"
stop_duned
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
