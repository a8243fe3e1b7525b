# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# L1TF on a CPU whose L1D can be flushed (setcap.ko pretends that), with two threads on its core: the module loads only
# while one of them is off, and keeps it off.
. /lib/guest-lib.sh

control=/sys/devices/system/cpu/smt/control

expect insmod /modules/setcap.ko flags=flush_l1d
expect_equal "threads of CPU 0" "$(cat /sys/devices/system/cpu/cpu0/topology/thread_siblings_list)" 0-1
insmod /modules/dune.ko 2>/dev/null && fail "loaded with SMT on"
expect_match "the kernel log" "$(dmesg)" "dune: this machine lacks SMT switched off"
expect sh -c "echo off >$control"
load_dune
echo on >$control 2>/dev/null
expect_equal "CPUs with the module loaded" "$(cat /sys/devices/system/cpu/online)" 0
expect_match "the kernel log" "$(dmesg)" "dune: CPU 1 shares a core that has the L1TF bug"
expect /progs/mkctx 0 /progs/raw_info
expect rmmod dune
expect sh -c "echo 1 >/sys/devices/system/cpu/cpu1/online"
expect_equal "CPUs without it" "$(cat /sys/devices/system/cpu/online)" 0-1
load_dune force_l1tf=1
expect rmmod dune
pass
