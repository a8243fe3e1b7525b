# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# hostmem.sh [ROW...]: what the host's memory management does to a process in a context, with contents verified. Without
# ROW: all but those for a machine of another kind, which have cases of their own.
. /lib/guest-lib.sh

# Rows that may be skipped: what these CPUs have not got, and what these kernels have not got. Any other skip fails.
skips=pkeys
case $(uname -r) in
6.1.*-cloud-amd64) skips=$skips,poison ;;	# CONFIG_MEMORY_FAILURE
*-dune-debug) skips=$skips,hugetlb-protect,device-screen ;;	# its hugetlb_split(); X86_IOPL_IOPERM
esac

# rows ROW...
rows() {
	load_dune
	expect /progs/mkctx 0 /progs/ring0_hostmem FD may-skip=$skips "$@"
	wait_for 5 "allocations to return to zero" /progs/raw_info --zero
	expect rmmod dune
}

expect insmod /modules/brd.ko rd_nr=1 rd_size=16384
wait_for 1 "/dev/ram0" test -b /dev/ram0
expect mkswap /dev/ram0
expect swapon /dev/ram0
echo madvise >/sys/kernel/mm/transparent_hugepage/enabled
if [ $# -gt 0 ]; then
	rows "$@"
	pass
fi
rows -numa-move -numa-migrate -numa-move-thp -numa-balance -gigantic-private -gigantic-shared \
	-exec-thp-sound
expect insmod /modules/setcap.ko flags=-itlb_multihit
rows exec-thp-sound
pass
