# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=dash source=../guest/guest-lib.sh
# KVM and contexts at the same time: KVM holds VMX for both, whoever is loaded first. Then without duned's machine
# for it: VMX has one owner, and who comes second is refused with a reason. Since Linux 6.12 KVM holds VMX from its load
# on, unless it is told otherwise: then it is the load that comes second.
. /lib/guest-lib.sh

# holder WHO: DUNE_VMX_* that the module names.
holder() {
	expect_match "who holds VMX" "$(/progs/raw_info)" "^vmx_holder $1$"
}

# refused WHEN: a context, because KVM holds VMX.
refused() {
	out=$(as_user alice dunectl launch -- /bin/busybox true 2>&1)
	expect_equal "status $1" $? 125
	expect_match "error $1" "$out" "io.dune.Manager.VirtualizationBusy"
}

# work NAME: something in a context that lasts until it is killed, and that would notice what is wrong.
work() {
	as_user alice dunectl launch --name "$1" -- /progs/work >/tmp/"$1".out 2>&1 &
	wait_for 10 "$1" sh -c "dunectl list | grep -q '$1.*running'"
}

# kvm_loads_again: kvm_intel, with the device for the service.
kvm_loads_again() {
	expect insmod /modules/kvm-intel.ko
	wait_for 1 "/dev/kvm" test -c /dev/kvm
	chown duned /dev/kvm
}

load_kvm
at_load=$(cat /sys/module/kvm/parameters/enable_virt_at_load 2>/dev/null)
load_dune
chown duned /dev/kvm
start_duned

note "a machine that runs first"
/progs/kvm_run 300 >/tmp/kvm1.out 2>&1 &
kvm1=$!
work one
holder 2
/progs/kvm_run 300 >/tmp/kvm2.out 2>&1 &
kvm2=$!
work two
wait $kvm1
expect_equal "status ($(cat /tmp/kvm1.out))" $? 0
wait $kvm2
expect_equal "status ($(cat /tmp/kvm2.out))" $? 0
expect_match "the first machine" "$(cat /tmp/kvm1.out)" "^kvm_run: 300 rounds$"

note "machines come and go"
for _ in 1 2 3 4 5; do
	expect /progs/kvm_run 5
	expect as_user alice dunectl launch -- /bin/busybox true
done
if rmmod kvm_intel 2>/dev/null; then
	fail "kvm_intel went although contexts need it"
fi
for name in one two; do
	expect dunectl kill "$name"
	expect_match "$name" "$(cat /tmp/$name.out)" "^work: [0-9]+ rounds"
	if grep wrong /tmp/$name.out; then
		fail "$name went wrong"
	fi
done
wait_for 5 "no context to be left" /progs/raw_info --zero
holder 0

note "the module loaded first, and KVM gone in between"
unload_kvm
expect rmmod kvm
expect as_user alice dunectl launch -- /bin/busybox true
work three
holder 1
expect insmod /modules/kvm.ko
if [ "$at_load" = Y ]; then
	out=$(insmod /modules/kvm-intel.ko 2>&1) && fail "KVM took VMX from a context"
	expect_match "insmod" "$out" "Input/output error"
	holder 1
else
	kvm_loads_again
	expect_status 1 /progs/kvm_hold </dev/null
fi
before=$(wc -l </tmp/three.out)
wait_for 20 "three to go on" sh -c "[ \$(wc -l </tmp/three.out) -gt $before ]"
expect dunectl kill three
if grep wrong /tmp/three.out; then
	fail "three went wrong"
fi
wait_for 5 "no context to be left" /progs/raw_info --zero
if [ "$at_load" = Y ]; then
	kvm_loads_again
fi
expect /progs/kvm_hello
work four
holder 2
expect /progs/kvm_run 20
expect dunectl kill four
wait_for 5 "no context to be left" /progs/raw_info --zero

note "without access to KVM: one owner"
chown root /dev/kvm
mkfifo /tmp/hold
/progs/kvm_hold </tmp/hold >/tmp/held &
kvm1=$!
exec 3>/tmp/hold
wait_for 5 "KVM's VM" grep -q held /tmp/held
refused "while KVM has a machine"
expect_match "the kernel log" "$(dmesg)" "dune: VMX is held by somebody else"
exec 3>&-
wait $kvm1
if [ "$at_load" = Y ]; then
	refused "while kvm_intel is loaded"
	expect rmmod kvm_intel
fi
expect as_user alice dunectl launch -- /bin/busybox true
wait_for 5 "allocations to return to zero" /progs/raw_info --zero
stop_duned
expect rmmod dune
if [ "$at_load" != Y ]; then
	expect rmmod kvm_intel
fi
pass
