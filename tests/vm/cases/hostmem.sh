# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# hostmem.sh [ROW... | -ROW...]: what the host's memory management does to a process in a context, with contents verified.
. /lib/guest-lib.sh

load_dune
expect insmod /modules/brd.ko rd_nr=1 rd_size=16384
wait_for 1 "/dev/ram0" test -b /dev/ram0
expect mkswap /dev/ram0
expect swapon /dev/ram0
echo madvise >/sys/kernel/mm/transparent_hugepage/enabled
expect /progs/mkctx 0 /progs/ring0_hostmem FD "$@"
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect rmmod dune
pass
