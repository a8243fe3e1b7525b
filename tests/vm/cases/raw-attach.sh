# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# ATTACH against the exit and the exec of who shares the memory: it succeeds or says EBUSY, and leaves nothing.
. /lib/guest-lib.sh

load_dune
expect /progs/raw_attach
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
