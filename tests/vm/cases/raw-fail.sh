# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Each allocation that the kernel makes for a context fails once: a clean error, and nothing is left behind. Needs
# a kernel that can make them fail: the debug kernel.
. /lib/guest-lib.sh

[ -e /proc/self/fail-nth ] || skip "this kernel has no fault injection"
mount -t debugfs none /sys/kernel/debug
let_allocations_fail
load_dune
out=$(/progs/raw_fail 250 2>&1)
expect_equal "status ($out)" $? 0
note "$out"
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
