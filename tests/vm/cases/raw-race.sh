# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Two things at once, and what can befall a thread in RUN: each has its end, and leaves nothing behind.
. /lib/guest-lib.sh

load_dune
lines=$(dmesg | wc -l)
# A trampoline that gets an error meets its UD2, which the kernel tells.
expect /progs/raw_race
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect_equal "new lines in the kernel log" \
	"$(kernel_said "$lines" | grep -v 'traps: raw_race.* trap invalid opcode')" ""
expect rmmod dune
pass
