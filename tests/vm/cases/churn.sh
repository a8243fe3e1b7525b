# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# churn.sh [SECONDS]: 60 virtual seconds of mmap, mprotect, munmap, mremap and madvise with contents verified.
. /lib/guest-lib.sh

load_dune
start_duned
expect as_user alice dunectl launch --name churn -- /progs/churn "${1:-60}"
stop_duned
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
