# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Calls at random by two processes and their threads: the kernel says nothing, and nothing is left behind.
# raw-fuzz.sh [CALLS [SEED]]
. /lib/guest-lib.sh

load_dune max_private=256 max_contexts=40
lines=$(dmesg | wc -l)
expect /progs/raw_fuzz "${1:-200000}" "${2:-1}"
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect_equal "new lines in the kernel log" "$(kernel_said "$lines")" ""
expect rmmod dune
pass
