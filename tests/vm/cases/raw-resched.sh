# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# A guest for which a signal waits does not keep others from its CPU.
. /lib/guest-lib.sh

load_dune
expect /progs/raw_resched
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
