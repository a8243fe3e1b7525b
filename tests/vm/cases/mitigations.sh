# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# With the kernel's mitigations on: the module refuses a CPU with L1TF by name, and runs when told to.
. /lib/guest-lib.sh

if grep -q "^bugs.*l1tf" /proc/cpuinfo; then
	insmod /modules/dune.ko 2>/dev/null && fail "loaded on a CPU with L1TF"
	expect_match "the kernel log" "$(dmesg)" "dune: this machine lacks a CPU without the L1TF bug"
fi
exec sh /cases/launch.sh force_l1tf=1
