# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# 100 contexts created and destroyed, then 100 at once; the module's allocation counters return to zero.
. /lib/guest-lib.sh

load_dune
expect /progs/raw_many 100
wait_for 20 "allocations to return to zero" /progs/raw_info --zero
/progs/raw_info
expect rmmod dune
pass
