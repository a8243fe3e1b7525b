# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Every ioctl with every argument bad, and nothing is left behind.
. /lib/guest-lib.sh

load_dune
expect /progs/raw_ioctl
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
