# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Each allocation that the kernel makes for a context, or while the module initializes itself, fails once: a clean
# error, and nothing is left behind. Needs a kernel that can make them fail: the debug kernel.
. /lib/guest-lib.sh

[ -e /proc/self/fail-nth ] || skip "this kernel has no fault injection"
mount -t debugfs none /sys/kernel/debug
mount -t tracefs none /sys/kernel/tracing
let_allocations_fail
out=$(/progs/raw_fail load /modules/dune.ko 300 2>&1)
expect_equal "status ($out)" $? 0
note "$out"
# Nothing of a load that failed is left for the kernel to call.
expect_equal "hotplug states" "$(grep dune /sys/devices/system/cpu/hotplug/states)" ""
echo 2 >/proc/sys/vm/drop_caches
load_dune
out=$(/progs/raw_fail 400 2>&1)
expect_equal "status ($out)" $? 0
note "$out"
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
