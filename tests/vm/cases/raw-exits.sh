# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Every forbidden thing that a guest's ring 0 and ring 3 can try, with its exact outcome.
. /lib/guest-lib.sh

load_dune
expect /progs/raw_exits
expect /progs/raw_ends
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
dmesg | grep -E "WARNING|BUG:|Oops|general protection" && fail "the kernel complains"
expect rmmod dune
pass
