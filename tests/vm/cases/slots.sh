# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# A program that touches more gigabytes than there are slots: slots change hands, and it notices nothing. slots.sh
# [LOADER].
. /lib/guest-lib.sh

load_dune
if [ -n "$1" ]; then
	expect_equal "by $1" "$(/progs/mkctx 1000 "$1" FD /progs/slots slots)" "slots: 1100 gigabytes, signal 0"
	expect rmmod dune
	pass
fi
start_duned
expect_equal "natively" "$(as_user alice /progs/slots)" "slots: 1100 gigabytes, signal 0"
out=$(as_user alice dunectl launch -- /progs/slots)
expect_equal "status" $? 0
expect_equal "in a context" "$out" "slots: 1100 gigabytes, signal 0"
stop_duned
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
