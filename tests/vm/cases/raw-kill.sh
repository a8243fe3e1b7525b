# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# SIGKILL ends a context that spins in its guest within 20 ms, with interrupts on and off in the guest.
. /lib/guest-lib.sh

load_dune
/progs/raw_info
/progs/raw_guest spin &
wait_for 5 "the guest to spin" sh -c '/progs/raw_info | grep -q " contexts 1 vcpus 1"'
rmmod dune 2>/dev/null && fail "the module was unloaded while in use"
kill -9 $!
wait $!
expect /progs/raw_kill spin
expect /progs/raw_kill spin_cli
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
