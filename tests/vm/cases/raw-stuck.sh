# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# A fault that comes back for ever, though nobody invalidates anything, ends its context and is reported.
. /lib/guest-lib.sh

load_dune
expect /progs/raw_stuck 1 0
expect insmod /modules/unsettle.ko address=0x100000000000
expect /progs/raw_stuck 7 9
dmesg | grep -q "ended: the same EPT violation over and over" || fail "it is not in the log"
expect rmmod unsettle
expect /progs/raw_stuck 1 0
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
