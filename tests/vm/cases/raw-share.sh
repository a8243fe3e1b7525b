# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Context fds in other processes' hands, shared mms, threads without a vcpu, results that can't be given.
. /lib/guest-lib.sh

load_dune
for part in passed leaderless orphan replaced thread results; do
	expect /progs/raw_share $part
done
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
