# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# No guest changes an MSR of the host: all that can be read are what they were before the module was loaded, while
# a guest that has tried to write all of them runs, after it, after programs in ring 3, and with the module gone.
. /lib/guest-lib.sh

compare() {
	/progs/raw_msrs /tmp/msrs compare || fail "MSRs changed: $*"
}

[ -c /dev/cpu/0/msr ] || expect insmod /modules/msr.ko
wait_for 1 "/dev/cpu/0/msr" test -c /dev/cpu/0/msr
expect /progs/raw_msrs /tmp/msrs
load_dune
compare "the module is loaded"
/progs/raw_guest spin &
spin=$!
wait_for 5 "the guest to spin" sh -c '/progs/raw_info | grep -q " contexts 1 vcpus 1"'
compare "a guest runs"
expect /progs/raw_exits
compare "a guest's ring 0 and 3 have tried everything"
expect /progs/raw_ends
compare "guests have come to a bad end"
expect /progs/mkctx 0 run /usr/bin/sha256sum /usr/bin/sha256sum
compare "a program has run in ring 3"
kill -9 $spin
wait $spin
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
compare "no guest is left"
expect rmmod dune
compare "the module is gone"
pass
