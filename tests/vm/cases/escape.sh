# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# escape.sh NAME: a launched program tries to get out of its runtime, by NAME.
. /lib/guest-lib.sh

load_dune
start_duned
out=$(as_user alice dunectl launch -- /progs/escape "$1" 2>&1)
expect_equal "status ($out)" $? 0
expect_match "output" "$out" ": held$"
stop_duned
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
