# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# VMX has one owner at a time: whoever comes second is refused with a reason, and nobody loses anything.
. /lib/guest-lib.sh

load_kvm
load_dune
start_duned
mkfifo /tmp/hold
/progs/kvm_hold </tmp/hold >/tmp/held &
holder=$!
exec 3>/tmp/hold
wait_for 5 "KVM's VM" grep -q held /tmp/held
out=$(as_user alice dunectl launch -- /bin/busybox true 2>&1)
expect_equal "status while KVM holds VMX" $? 125
expect_match "error" "$out" "io.dune.Manager.VirtualizationBusy"
expect_match "the kernel log" "$(dmesg)" "dune: VMX is held by somebody else"
exec 3>&-
wait $holder
expect as_user alice dunectl launch -- /bin/busybox true
wait_for 5 "no context to be left" /progs/raw_info --zero

as_user alice dunectl launch --name keeper -- /bin/busybox sleep 1000 &
wait_for 5 "the keeper" sh -c 'dunectl list | grep -q "keeper.*running"'
expect_status 1 /progs/kvm_hold </dev/null
expect dunectl kill keeper
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
expect /progs/kvm_hello
stop_duned
expect rmmod dune
expect rmmod kvm_intel
pass
