# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# Traps and signals of a program in guest ring 0.
. /lib/guest-lib.sh

load_dune
expect /progs/mkctx 1000 /progs/ring0_traps FD
# A trap where there is no stack ends the program, not the context's module.
expect_status 139 /progs/mkctx 1000 /progs/ring0_traps FD 0x1000000
expect_status 139 /progs/mkctx 1000 /progs/ring0_traps FD 0
expect_status 139 /progs/mkctx 1000 /progs/ring0_traps FD 0xffffffffc0008000
expect_status 139 /progs/mkctx 1000 /progs/ring0_traps FD 0x8000000000000000
# Also in the first process of a container, whom signals without a handler pass by.
expect_status 139 /progs/mkctx 1000 /progs/ring0_traps FD nx
expect_status 139 timeout -s KILL 60 /progs/mkctx 0 /bin/unshare -p -f /progs/ring0_traps FD nx
expect_status 139 timeout -s KILL 60 /progs/mkctx 0 /bin/unshare -p -f /progs/ring0_traps FD 0
expect_equal "message without a context" "$(/progs/ring0_traps 0 </dev/null)" \
	"dune_enter: Inappropriate ioctl for device"
expect rmmod dune
pass
