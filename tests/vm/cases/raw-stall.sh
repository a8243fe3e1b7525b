# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# A fault on user memory that nobody answers holds up nobody else, and goes with its process.
. /lib/guest-lib.sh

load_dune
expect /progs/raw_stall
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
