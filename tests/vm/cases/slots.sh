# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# A program that touches more gigabytes than there are slots gets a signal it can handle, and keeps what it has.
. /lib/guest-lib.sh

load_dune
start_duned
expect_equal "natively" "$(as_user alice /progs/slots)" "slots: 1100 gigabytes, signal 0"
out=$(as_user alice dunectl launch -- /progs/slots)
expect_equal "status" $? 0
expect_match "in a context" "$out" "^slots: 10[0-2][0-9] gigabytes, signal 7$"
stop_duned
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
