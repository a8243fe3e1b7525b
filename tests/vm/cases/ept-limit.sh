# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# A context at its limit of EPT tables loses mappings and gets them again; it never has more tables than that.
. /lib/guest-lib.sh

printf '[context]\nept = 1280K\n' >/tmp/duned.conf
load_dune
start_duned --config=/tmp/duned.conf
expect as_user alice dunectl launch --name sparse -- /progs/sparse
as_user alice dunectl launch --name s2 -- /progs/sparse &
peak=0
while kill -0 $! 2>/dev/null; do
	now=$(dunectl --json=short stats s2 2>/dev/null | sed -n 's/.*"ept_pages_now":\([0-9]*\).*/\1/p')
	[ "${now:-0}" -gt "$peak" ] && peak=$now
	usleep 2000
done
wait $!
expect_equal "status" $? 0
note "most EPT pages seen: $peak"
[ "$peak" -gt 10 ] || fail "the context was never seen"
[ "$peak" -le 320 ] || fail "$peak EPT pages, with a limit of 320"
stop_duned
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
